"""TLS handshakes: what was agreed becomes facts, and a refusal is told from trouble of this machine."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest

from pytest_mailu.core.endpoints import ENDPOINTS, Protocol, Tls
from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.wire.tls.handshake import TlsFacts, handshake
from pytest_mailu.wire.tls.injection import answers_injected
from pytest_mailu.wire.tls.protocols import SPOKEN, ask
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.tls_context import client_context
from tests.wire.direct import DirectConnector
from tests.wire.peer import (
    NAME,
    Step,
    drip,
    expect,
    hang_up,
    peer,
    refuse_tls,
    reset,
    say,
    server_context,
    silence,
    start_tls,
    take,
)

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

TO_TLS: dict[str, tuple[Step, ...]] = {
    Protocol.SMTP: (
        say("220-hi", "220 hi"),
        expect("EHLO"),
        say("250-hi", "250 STARTTLS"),
        expect("STARTTLS"),
        say("220 go"),
    ),
    Protocol.IMAP: (
        say("* OK hi"),
        expect("CAPABILITY"),
        say("* CAPABILITY STARTTLS", "a1 OK"),
        expect("STARTTLS"),
        say("a2 OK go"),
    ),
    Protocol.POP3: (say("+OK hi"), expect("CAPA"), say("+OK", "STLS", "."), expect("STLS"), say("+OK")),
    Protocol.MANAGESIEVE: (say('"STARTTLS"', "OK"), expect("STARTTLS"), say("OK")),
}
BARE: dict[str, tuple[Step, ...]] = {
    Protocol.SMTP: (say("220 hi"), expect("EHLO"), say("250 hi")),
    Protocol.IMAP: (say("* OK hi"), expect("CAPABILITY"), say("* CAPABILITY X", "a1 OK")),
    Protocol.POP3: (say("+OK hi"), expect("CAPA"), say("+OK", ".")),
    Protocol.MANAGESIEVE: (say('"SASL" ""', "OK"),),
}


async def answered_by(port: int, protocol: Protocol) -> bool:
    return await answers_injected(DirectConnector(), "127.0.0.1", port, protocol, timeout=5)


def shake(*script: Step, server: ssl.SSLContext | None = None, seconds: float = 5.0, **how) -> TlsFacts:
    async def run():
        async with asyncio.timeout(30), peer(*script, tls=server) as served:
            return await handshake(DirectConnector(), "127.0.0.1", served.port, timeout=seconds, **how)

    return asyncio.run(run())


def failed(*script: Step, **how) -> NotServed | CannotAsk:
    with pytest.raises((NotServed, CannotAsk)) as caught:
        shake(*script, **how)
    return caught.value


def test_facts_of_tls_1_3():
    facts = shake(silence, server=server_context(), sni=NAME)
    assert (facts.version, facts.family, facts.alpn, facts.resumed) == ("TLSv1.3", "AESGCM", None, None)
    assert facts.certificate.names == (NAME,)
    assert facts.certificate.key.startswith("EC ")
    assert facts.certificate.key_bits == 256
    assert len(facts.chain) == 1
    assert json.loads(json.dumps(facts.facts()))["certificate"]["names"] == [NAME]


def test_facts_of_tls_1_2():
    facts = shake(silence, server=server_context(), maximum=V12, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")
    assert (facts.version, facts.family) == ("TLSv1.2", "ECDHE-CHACHA20")


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_is_taken_up_again(version):
    facts = shake(say("220 hi"), silence, server=server_context(), minimum=version, maximum=version, resume=True)
    assert facts.resumed is True


def test_a_session_is_not_taken_up_by_a_server_that_gives_no_tickets():
    context = server_context()
    context.num_tickets = 0
    assert shake(say("220 hi"), silence, server=context, resume=True).resumed is False


def test_alpn():
    context = server_context()
    context.set_alpn_protocols(["http/1.1"])
    assert shake(silence, server=context, alpn=("h2", "http/1.1")).alpn == "http/1.1"


@pytest.mark.parametrize("protocol", TO_TLS)
def test_starttls(protocol):
    facts = shake(*TO_TLS[protocol], start_tls, silence, tls=Tls.STARTTLS, protocol=protocol)
    assert facts.version == "TLSv1.3"


@pytest.mark.parametrize("protocol", TO_TLS)
def test_starttls_not_offered(protocol):
    end = failed(*BARE[protocol], silence, tls=Tls.STARTTLS, protocol=protocol)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.NOT_OFFERED, Stage.TLS)


@pytest.mark.parametrize(
    ("protocol", "answer", "outcome"),
    [
        (Protocol.SMTP, "454 4.7.0 no", Outcome.DEFERRED),
        (Protocol.SMTP, "502 no", Outcome.REFUSED),
        (Protocol.IMAP, "a2 NO no", Outcome.REFUSED),
        (Protocol.POP3, "-ERR no", Outcome.REFUSED),
        (Protocol.MANAGESIEVE, 'NO "no"', Outcome.REFUSED),
    ],
)
def test_starttls_refused(protocol, answer, outcome):
    end = failed(*TO_TLS[protocol][:-1], say(answer), tls=Tls.STARTTLS, protocol=protocol)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (outcome, Stage.TLS)


def test_a_version_that_the_server_does_not_speak_is_a_tls_failure_with_the_alert():
    end = failed(refuse_tls(server_context(minimum=V13)), maximum=V12)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.TLS_FAILED, Stage.TLS)
    assert end.reply is not None
    assert "protocol version" in end.reply.text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_can_be_tried(version):
    end = failed(refuse_tls(server_context(minimum=V12)), minimum=version, maximum=version)
    # An OpenSSL built without them is this machine's trouble.
    assert isinstance(end, CannotAsk) or end.outcome is Outcome.TLS_FAILED


def test_no_common_cipher_is_a_tls_failure():
    context = server_context(maximum=V12)
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    end = failed(refuse_tls(context), ciphers="ECDHE-ECDSA-CHACHA20-POLY1305", maximum=V12)
    assert isinstance(end, NotServed)
    assert end.outcome is Outcome.TLS_FAILED


def test_ciphers_that_this_machine_does_not_have_are_trouble():
    assert isinstance(failed(silence, ciphers="NO-SUCH-CIPHER"), CannotAsk)


@pytest.mark.parametrize("close", [hang_up, reset])
def test_a_connection_closed_in_the_handshake_is_a_tls_failure(close):
    end = failed(close)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.TLS_FAILED, Stage.TLS)


def test_plain_text_instead_of_tls_is_a_tls_failure():
    end = failed(say("220 hi"), silence)
    assert isinstance(end, NotServed)
    assert end.outcome is Outcome.TLS_FAILED


def test_silence_is_unanswered_and_a_byte_at_a_time_is_trouble():
    end = failed(silence, seconds=0.3)
    assert isinstance(end, NotServed)
    assert (end.outcome, end.stage) == (Outcome.UNANSWERED, Stage.TLS)
    assert isinstance(failed(take(5), drip(b"\x16\x03\x03\x00\xff" + b"\x02" * 100), seconds=0.3), CannotAsk)


@pytest.mark.parametrize(
    ("protocol", "injected", "answer", "bye"),
    [
        (Protocol.SMTP, "VRFY", "252 injected", "221 bye"),
        (Protocol.IMAP, "injected NOOP", "injected OK", "z OK bye"),
        (Protocol.POP3, "CAPA", "+OK\r\nUSER\r\n.", "+OK bye"),
        (Protocol.MANAGESIEVE, 'NOOP "injected"', 'OK (TAG "injected")', "OK"),
    ],
)
@pytest.mark.parametrize("answered", [True, False])
def test_commands_injected_behind_starttls(protocol, injected, answer, bye, answered):
    *before, go = TO_TLS[protocol]
    greeting = (say('"SASL" "PLAIN"', "OK"),) if protocol is Protocol.MANAGESIEVE else ()
    script = (*before, expect(injected), go, start_tls, *greeting, *((say(answer),) if answered else ()))

    async def run():
        async with peer(*script, expect(), say(bye), hang_up) as served:
            return await answered_by(served.port, protocol), served.surprises

    assert asyncio.run(run()) == (answered, [])


@pytest.mark.parametrize("protocol", TO_TLS)
def test_an_injected_command_that_breaks_the_handshake_was_not_answered(protocol):
    async def run():
        async with peer(*TO_TLS[protocol], hang_up) as served:
            return await answered_by(served.port, protocol)

    assert asyncio.run(run()) is False


def test_the_context_takes_any_certificate():
    context = client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_the_way_to_tls_is_known_for_every_protocol_that_has_one() -> None:
    late = {endpoint.protocol for endpoint in ENDPOINTS if endpoint.tls in (Tls.STARTTLS, Tls.OPPORTUNISTIC)}
    assert Protocol.IMAP in late
    assert {protocol for protocol in late if protocol not in SPOKEN} == set()
    assert all(ask(endpoint.protocol) for endpoint in ENDPOINTS)
