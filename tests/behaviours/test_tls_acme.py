"""Certificates that certbot gets from an authority, with a front, a certbot and an authority that are played."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_mailu.behaviours import tls_acme
from pytest_mailu.behaviours.tls_acme import HOSTS, Start
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.population import HOSTNAME, SECOND_HOSTNAME
from pytest_mailu.core.setups import setup_named
from pytest_mailu.probe import certificate_files
from pytest_mailu.stack.world import acme, certbot
from pytest_mailu.stack.world.certificates import Authority, Certificate, KeyKind
from pytest_mailu.stack.world.zones import DnsRecord
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import expect, peer, say, silence

PEBBLE = Authority()
REFUSED = (
    "An unexpected error occurred:",
    "Error creating new order :: Order included an identifier for which issuance is forbidden by policy",
)


class World:
    """The DNS of the world."""

    def __init__(self) -> None:
        self.known = [DnsRecord(HOSTNAME, "A", "198.18.1.11"), DnsRecord("post.example", "MX", f"10 {HOSTNAME}")]

    async def records(
        self, replace: Iterable[DnsRecord] = (), remove: Iterable[tuple[str, str]] = ()
    ) -> list[DnsRecord]:
        gone = set(remove) | {(record.name, record.type) for record in replace}
        self.known = [record for record in self.known if (record.name, record.type) not in gone] + list(replace)
        return self.known


@dataclass
class Front:
    """`front` on 25 and 993, with certbot.

    An authority issues certificates for `hosts`, keys of `kinds`; front `reads` new ones, or `ends`. Its log
    `tells` so many lines of a refusal. `starts` are the authorities that certbot was led to.
    """

    world: World
    folder: Path
    hosts: tuple[str, ...] = HOSTS
    kinds: tuple[KeyKind, KeyKind] = (KeyKind.RSA, KeyKind.ECDSA)
    reads: bool = True
    tells: int = 2
    ends: bool = False
    log: list[str] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    ended: StackError | None = None

    def __post_init__(self) -> None:
        self.files = {name: certbot.own(name, HOSTNAME) for name in certbot.LINEAGES}
        self.registered: set[str] = set(certbot.LINEAGES)
        self.settings = ""
        self.context = self._context(self.files.values())
        self._before: dict[int, int] = {}

    def _context(self, certificates: Iterable[Certificate]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        place = self.folder / "served.pem"
        for one in certificates:
            place.write_text(one.certificate + one.chain + one.key)
            context.load_cert_chain(place)
        return context

    def served_by(self, tls: ssl.SSLContext, ports: dict[int, int]) -> None:
        self._tls, self._before = tls, ports
        self.ports.update(ports)

    async def exec(self, service: str, *command: str) -> CommandResult:
        if self.ended is not None:
            raise self.ended
        if command[0] == "cat":
            found = self.files.get(command[1].split("/")[-2])
            return CommandResult(0, found.certificate, "") if found else CommandResult(1, "", "No such file")
        script, arguments = command[2], command[4:]
        if script == tls_acme.LEAD:
            assert arguments[2] == acme.trusted()
            self.settings = arguments[1]
        elif script == certificate_files.REMOVE:
            self.files.clear()
            self.registered.clear()
        elif script == certificate_files.WRITE_RENEWAL:
            self.registered.add(arguments[0])
        else:
            name, _, leaf, chain, _, key = arguments
            self.files[name] = Certificate(leaf, key, HOSTS, chain)
        return CommandResult(0, "", "")

    @asynccontextmanager
    async def started_over(self, service: str) -> AsyncIterator[None]:
        expired = bool(self.files)
        self.starts.append(self.settings.split("/")[2].partition(":")[0])
        assert {SECOND_HOSTNAME, HOSTNAME} <= {record.name for record in self.world.known}
        assert self.registered == set(self.files), "certbot knows the expired ones, and no others"
        if expired:
            self._show(self.files.values())
        else:
            self.ports.pop(993)
        if self.ends:
            self.ended = StackError("the service front exited with status 1", "look")
            self.ports.clear()
        elif self.starts[-1] == acme.REFUSING:
            self.log += REFUSED[: self.tells]
        elif self.hosts:
            for name, kind in zip(certbot.LINEAGES, self.kinds, strict=True):
                self.files[name] = PEBBLE.issue(*self.hosts, kind=kind)
            if self.reads:
                self._show(self.files.values())
                self.ports.update(self._before)
        else:
            self.log.append("Detail: 198.18.1.11: Fetching http://mail.post.example: connection refused")
        yield

    def _show(self, certificates: Iterable[Certificate]) -> None:
        for one in certificates:
            place = self.folder / "served.pem"
            place.write_text(one.certificate + one.chain + one.key)
            self._tls.load_cert_chain(place)

    async def log_since(self, service: str, moment: float) -> list[str]:
        return self.log

    async def exit_of(self, service: str) -> StackError | None:
        return self.ended


def ask(front: Front, question: str, monkeypatch: pytest.MonkeyPatch) -> Observation:
    for name in ("ISSUE_SECONDS", "SERVE_SECONDS"):
        monkeypatch.setattr(tls_acme, name, 0.3)

    async def run() -> Observation:
        async with (
            asyncio.timeout(60),
            peer(say("220 hi"), expect("EHLO"), say("250 hi"), expect(), say("221 bye")) as smtp,
            peer(say("* OK hi"), silence, tls=front.context) as imaps,
        ):
            front.served_by(front.context, {25: smtp.port, 993: imaps.port})
            probe = local_probe(front.ports)
            stack = probe.stack
            stack.setup, stack.services, stack.world = setup_named("acme"), front, front.world  # type: ignore[misc, assignment]
            stack.exit_of = front.exit_of  # type: ignore[method-assign]
            match question:
                case "issued":
                    return await tls_acme.issued(probe)
                case "served":
                    return await tls_acme.served(probe, IMAPS_993)
                case "renewed":
                    return await tls_acme.renewed(probe)
                case _:
                    return await tls_acme.refused(probe, Start(question))

    seen = asyncio.run(run())
    assert [record.name for record in front.world.known] == [HOSTNAME, "post.example"], "the DNS is as it was"
    return seen


@pytest.fixture
def front(tmp_path: Path) -> Front:
    return Front(World(), tmp_path)


def said(seen: Observation) -> str | None:
    return seen.reply.text if seen.reply else None


def test_the_first_certificates_are_for_every_host_name_and_of_both_kinds(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = ask(front, "issued", monkeypatch)
    assert (seen.outcome, seen.facts) == (Outcome.ACCEPTED, {"keys": {"RSA": True, "ECDSA": True}, "lacking": []})
    assert front.starts == [acme.ISSUING]


def test_a_certbot_that_makes_two_keys_of_one_kind_is_told_by_a_fact(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """certbot since 2.0 without --key-type: core/nginx/letsencrypt.py of 2.0.43."""
    front.kinds = (KeyKind.ECDSA, KeyKind.ECDSA)
    seen = ask(front, "issued", monkeypatch)
    assert (seen.outcome, seen.facts["keys"]) == (Outcome.ACCEPTED, {"RSA": False, "ECDSA": True})


@pytest.mark.parametrize(
    ("hosts", "lacking", "why"),
    [
        ((HOSTNAME,), [SECOND_HOSTNAME], "no certificate"),
        ((), list(HOSTS), "Detail: 198.18.1.11: Fetching http://mail.post.example: connection refused"),
    ],
)
def test_a_host_name_without_a_certificate_is_named(
    hosts: tuple[str, ...], lacking: list[str], why: str, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.hosts = hosts
    seen = ask(front, "issued", monkeypatch)
    assert (seen.outcome, seen.facts["lacking"], said(seen)) == (Outcome.REFUSED, lacking, why)


@pytest.mark.parametrize(
    ("reads", "outcome", "why"),
    [(True, Outcome.ACCEPTED, None), (False, Outcome.UNREACHABLE, "not served until front is restarted")],
)
def test_the_first_certificates_have_to_be_served_without_a_restart(
    reads: bool, outcome: Outcome, why: str | None, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.reads = reads
    seen = ask(front, "served", monkeypatch)
    assert (seen.outcome, said(seen)) == (outcome, why)


@pytest.mark.parametrize("question", ["issued", "served", "renewed"])
def test_a_front_that_ends_is_told_by_how_it_ended(
    question: str, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.ends = True
    seen = ask(front, question, monkeypatch)
    assert seen.outcome is not Outcome.ACCEPTED
    assert said(seen) == "the service front exited with status 1"


@pytest.mark.parametrize(
    ("reads", "hosts", "outcome"),
    [
        (True, HOSTS, Outcome.ACCEPTED),
        (False, HOSTS, Outcome.UNREACHABLE),
        (True, (), Outcome.REFUSED),
    ],
)
def test_expired_certificates_are_renewed_and_served(
    reads: bool, hosts: tuple[str, ...], outcome: Outcome, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.reads, front.hosts = reads, hosts
    seen = ask(front, "renewed", monkeypatch)
    assert seen.outcome is outcome
    assert seen.facts["served"] == {"993-tls": outcome is Outcome.ACCEPTED}


@pytest.mark.parametrize("start", Start)
@pytest.mark.parametrize(
    ("ends", "tells", "outcome"),
    [
        (False, 2, Outcome.ACCEPTED),
        (False, 1, Outcome.ACCEPTED),
        (False, 0, Outcome.ACCEPTED),
        (True, 0, Outcome.UNREACHABLE),
    ],
)
def test_an_authority_that_refuses_leaves_mail_as_it_is_and_is_named_in_the_log(
    start: Start, ends: bool, tells: int, outcome: Outcome, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.ends, front.tells = ends, tells
    seen = ask(front, start, monkeypatch)
    assert (seen.outcome, seen.facts["told"], seen.facts["reason"]) == (outcome, tells > 0, tells > 1)
    assert front.starts == [acme.REFUSING]
    ports = ["25-plain"] if start is Start.FIRST else ["993-tls", "25-plain"]
    assert seen.facts["served"] == dict.fromkeys(ports, not ends)
