"""Behaviours about DANE, MTA-STS and odd DNS, with a queue and a log that are played; the world's DNS is real."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dnslib import DNSRecord

from pytest_mailu.behaviours import built_in, inbound_dns, outgoing, relay_dane, relay_dns, services_dnssec
from pytest_mailu.behaviours.declaration import DECLARED
from pytest_mailu.behaviours.outgoing import put_off, with_verification
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage, Vantage
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.next_hops import DANE_HOSTS, POLICY_DOMAINS
from tests.behaviours.local_stack import local_probe
from tests.worldapp.conftest import PLACES, Running, own_plan, running
from tests.worldapp.test_dns import ask

QUEUED = Reply("250", "2.0.0", "Ok: queued as 4ABC")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("outside"), own_plan()) as found:
        yield found


class Postfix:
    """A queue that shows its one message as `queues` says, look by look, and then in none; and a log."""

    def __init__(self, *queues: str, log: tuple[str, ...] = ()) -> None:
        self.queues, self.log = list(queues), log
        self.commands: list[tuple[str, ...]] = []
        self.sender = ""

    async def exec(self, service: str, *command: str) -> CommandResult:
        self.commands.append(command)
        queue = self.queues.pop(0) if command[:2] == ("postqueue", "-j") and self.queues else ""
        entry = {"queue_name": queue, "queue_id": "4ABC", "sender": self.sender, "arrival_time": 9e9}
        to = [{"address": "a@b", "delay_reason": f"reason in {queue}"}]
        return CommandResult(0, json.dumps({**entry, "recipients": to}) if queue else "", "")

    async def log_since(self, service: str, moment: float) -> list[str]:
        return list(self.log)


def probe_of(outside: Running, postfix: Any, monkeypatch: pytest.MonkeyPatch, **facts: Any) -> Probe:
    """A probe whose world is real and whose messages are taken by `postfix`; what arrives is always there."""
    probe = local_probe({})
    probe.stack.services = postfix
    probe.stack.world = outside.world  # type: ignore[misc]
    probe.stack.addresses[str(PLACES[Vantage.OTHER_STRANGER].client)] = "other-stranger"  # type: ignore[index]

    async def taken(message: Message, *_: Any, **__: Any) -> Reply:
        postfix.sender = message.sender
        return QUEUED

    async def arrived(message: Message, *_: Any, **__: Any) -> Observation:
        return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, **facts)

    for name, played in {"submit": taken, "deliver": taken, "at_world": arrived, "in_mailbox": arrived}.items():
        monkeypatch.setattr(probe.mail, name, played)
    return probe


def test_a_message_that_is_put_off_is_told_with_its_reason(outside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = probe_of(outside, Postfix("active", "deferred"), monkeypatch)
    message = probe.mail.compose(to="a@b.example")
    assert asyncio.run(put_off(probe, message, QUEUED)) == ("reason in deferred", "4ABC")


def test_a_message_that_one_look_misses_has_not_left(outside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = probe_of(outside, Postfix("active", "", "deferred"), monkeypatch)
    message = probe.mail.compose(to="a@b.example")
    assert asyncio.run(put_off(probe, message, QUEUED)) == ("reason in deferred", "4ABC")
    assert asyncio.run(put_off(probe, message, QUEUED, seconds=600)) == ("", "")


@pytest.mark.parametrize("line", ["Verified", "Untrusted"])
def test_the_log_says_whether_a_certificate_was_verified(
    outside: Any, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(outgoing, "VERIFIED_SECONDS", 0.1)
    log = (f"postfix/smtp[9]: {line} TLS connection established to a.example[192.0.2.1]:25: TLSv1.3",)
    probe = probe_of(outside, Postfix(log=log), monkeypatch)
    delivered = probe.seen(Outcome.DELIVERED, Stage.DELIVERY)
    seen = asyncio.run(with_verification(probe, delivered, "a.example"))
    assert seen.facts == {"verified": line == "Verified"}
    deferred = probe.seen(Outcome.DEFERRED, Stage.DELIVERY)
    assert asyncio.run(with_verification(probe, deferred, "a.example")) == deferred


@pytest.mark.parametrize("what", relay_dns.BROKEN)
def test_a_message_waits_for_its_dns_which_answers_before_it_is_tried_again(
    outside: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    answers: list[tuple[str, int]] = []

    class Asking(Postfix):
        async def exec(self, service: str, *command: str) -> CommandResult:
            if self.sender:
                domain = next(r.name for r in await outside.world.records() if r.name.startswith("host.") and r.ttl)
                name = f"{relay_dns.BROKEN[what]}{domain.removeprefix('host.')}"
                answers.append((command[1], (await asyncio.to_thread(ask, outside, name, "A")).header.rcode))
            return await super().exec(service, *command)

    async def ended() -> Observation:
        gone = [(r.name, r.type) for r in await outside.world.records() if r.name.startswith("host.")]
        await outside.world.records(remove=gone)
        return await relay_dns.servfail(probe, what)

    probe = probe_of(outside, Asking("active", "deferred"), monkeypatch)
    seen = asyncio.run(ended())
    assert seen.facts["waited"] is True
    assert [rcode for command, rcode in answers if command == "-j"] == [2, 2]
    assert [rcode for command, rcode in answers if command == "-i"] in ([0], [3])


def test_nothing_of_a_behaviour_stays_in_the_queue(outside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    postfix = Postfix("active", "deferred", "deferred")
    asyncio.run(relay_dane.mismatching(probe_of(outside, postfix, monkeypatch), "another-key"))
    assert postfix.commands[-1] == ("postsuper", "-d", "4ABC")


@pytest.mark.parametrize(
    "behaviour", [relay_dns.over_tcp, relay_dns.slow, relay_dns.lost_question, relay_dns.many_exchangers]
)
def test_the_dns_answers_as_usual_again_afterwards(
    outside: Any, monkeypatch: pytest.MonkeyPatch, behaviour: Any
) -> None:
    assert asyncio.run(behaviour(probe_of(outside, Postfix("active"), monkeypatch))).outcome is Outcome.DELIVERED
    for record in asyncio.run(outside.world.records()):
        if record.type == "MX" and "host." in record.value:
            assert ask(outside, record.name, "MX").rr


@pytest.mark.parametrize("way", inbound_dns.ODD)
def test_a_sender_domain_has_an_spf_record_for_the_stranger(
    outside: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    assert asyncio.run(inbound_dns.sender_dns(probe_of(outside, Postfix(), monkeypatch), way)).outcome is (
        Outcome.DELIVERED
    )
    texts = {record.name: record.value for record in asyncio.run(outside.world.records()) if record.type == "TXT"}
    domain = next(name for name in texts if re.fullmatch(r"[0-9a-f]{12}\.elsewhere\.example", name))
    assert f"ip4:{PLACES[Vantage.STRANGER].client}" in texts[domain]
    assert texts[f"_dmarc.{domain}"] == "v=DMARC1; p=reject"


def test_block_lists_are_late_for_one_address_alone(outside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = probe_of(outside, Postfix(), monkeypatch)
    reverse = PLACES[Vantage.OTHER_STRANGER].client.reverse_pointer
    listed = DNSRecord.question(reverse.replace("in-addr.arpa", "zen.lists.example"), "A")
    first: list[int] = []

    def both_asked() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.connect((outside.address, outside.ports["dns"]))
            sock.send(listed.pack())
            sock.send(DNSRecord.question(reverse, "PTR").pack())
            first.append(DNSRecord.parse(sock.recv(512)).header.id)

    async def asked(message: Message, *_: Any, vantage: Vantage) -> Reply:
        assert vantage is Vantage.OTHER_STRANGER
        await asyncio.to_thread(both_asked)
        return QUEUED

    monkeypatch.setattr(probe.mail, "deliver", asked)
    seen = asyncio.run(inbound_dns.block_lists(probe, "silent", Vantage.OTHER_STRANGER))
    assert seen.outcome is Outcome.DELIVERED
    assert first != [listed.header.id]


class Admin:
    """An `admin` that asks the world's DNS for AD before it is ready, as core/admin/start.py does, and logs."""

    def __init__(self, outside: Running, *, waits: bool, says: bool) -> None:
        self.outside, self.waits, self.says = outside, waits, says
        self.log: list[str] = []

    async def start_again(self, service: str, *, kill: bool, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while self.waits and not await self._is_secure():
                if self.says:
                    self.log.append("Your DNS resolver isn't doing DNSSEC validation")
                await asyncio.sleep(0.01)

    async def _is_secure(self) -> bool:
        return bool((await asyncio.to_thread(ask, self.outside, "example.org", "A", ad=True)).header.get_ad())

    async def log_since(self, service: str, moment: float) -> list[str]:
        return self.log


@pytest.mark.parametrize(("waits", "says"), [(True, True), (True, False), (False, False)])
def test_admin_waits_for_dnssec_and_says_so(
    outside: Any, monkeypatch: pytest.MonkeyPatch, waits: bool, says: bool
) -> None:
    monkeypatch.setattr(services_dnssec, "SAID_SECONDS", 0.3)
    probe = probe_of(outside, Admin(outside, waits=waits, says=says), monkeypatch)
    seen = asyncio.run(services_dnssec.waits_for_dnssec(probe))
    assert (seen.outcome, seen.facts) == (Outcome.ACCEPTED, {"waited": waits, "says_why": says or not waits})
    assert ask(outside, "example.org", "A", ad=True).header.get_ad() == 1


def test_what_must_not_go_out_waits_and_the_usual_run_asks_one_of_each_kind() -> None:
    matrix = built_in()
    waiting = {id_.id for id_ in matrix if id_.question.wanted is Outcome.DEFERRED}
    named = {f"relay/dane/{one}" for one in relay_dane.WRONG} | {f"relay/mta-sts/{one}" for one in relay_dane.BROKEN}
    assert named | {"relay/dane/without-mx"} <= waiting
    usual = {one.id for one in matrix if one.usual}
    for kind in (relay_dane.RIGHT, relay_dane.WRONG):
        assert len({f"relay/dane/{one}" for one in kind} & usual) == 1
    for kind in (relay_dane.KEPT, relay_dane.BROKEN):
        assert len({f"relay/mta-sts/{one}" for one in kind} & usual) == 1
    for function in (relay_dane.matching, relay_dane.mismatching, relay_dane.policy_broken):
        assert {one.question.severity for one in getattr(function, DECLARED)} == {Severity.MAJOR}


def test_every_host_and_domain_of_the_world_is_asked_about() -> None:
    assert {*relay_dane.RIGHT, *relay_dane.WRONG, "unsigned"} == DANE_HOSTS.keys()
    assert {*relay_dane.KEPT, *relay_dane.BROKEN, "testing", "no-page"} == POLICY_DOMAINS.keys()


def test_the_tlsa_records_are_those_of_the_certificate_that_the_server_shows(outside: Any) -> None:
    """As a client of DANE compares them (RFC 7672 section 3.1): with the certificate, or one of those above it."""
    bundle = [x509.load_pem_x509_certificate(part.encode()) for part in _pems(outside.plan["certificate"])]
    digests = [
        hashlib.sha256(one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        for one in bundle
    ]
    with smtplib.SMTP(outside.address, outside.ports["mx"], timeout=20) as smtp:
        context = ssl._create_unverified_context()
        smtp.starttls(context=context)
        shown = smtp.sock.getpeercert(binary_form=True)  # type: ignore[union-attr]
    assert shown == bundle[0].public_bytes(Encoding.DER)
    for host in DANE_HOSTS.values():
        records = [record.rdata for record in ask(outside, f"_25._tcp.{host.name}", "TLSA").rr]
        for data, right in zip(records, host.right, strict=True):
            expected = digests[0] if data.cert_usage == 3 else digests[1]
            assert (bytes(data.cert_data) == expected) is right


def _pems(text: str) -> list[str]:
    end = "-----END CERTIFICATE-----\n"
    return [part + end for part in text.split(end) if part.strip()]
