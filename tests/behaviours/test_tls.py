from __future__ import annotations

import asyncio
import ssl
from types import SimpleNamespace

import pytest

from pytest_mailu.behaviours import tls, tls_replaced
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Outcome
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.setups import setup_named
from pytest_mailu.stack.world import certbot
from pytest_mailu.stack.world.certificates import Certificate, KeyKind, authority, certificate
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import peer, say, server_context, silence

V12 = ssl.TLSVersion.TLSv1_2


def test_the_versions_that_a_server_takes_are_told() -> None:
    async def run():
        async with asyncio.timeout(20), peer(say("* OK hi"), silence, tls=server_context(V12, V12)) as served:
            return await tls.versions(local_probe({993: served.port}), IMAPS_993)

    taken = asyncio.run(run()).facts["versions"]
    assert taken["TLS 1.2"]
    assert not taken["TLS 1.3"]


def test_a_closed_port_takes_no_version_and_refuses_none() -> None:
    with pytest.raises(NotServed) as stopped:
        asyncio.run(tls.takes(local_probe({}), IMAPS_993))
    assert stopped.value.outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize("now_and_then", [True, False])
def test_a_session_that_is_taken_up_now_and_then_only_is_not_taken_up(now_and_then, monkeypatch) -> None:
    """Seen on 2024.06: each of Dovecot's login processes knows its own sessions, so two equal stacks differed."""
    tries = []

    async def shaken(*_, **__):
        tries.append(1)
        return SimpleNamespace(resumed=len(tries) % 3 != 0 or not now_and_then)

    monkeypatch.setattr(tls, "tls_handshake", shaken)
    seen = asyncio.run(tls.resumption(local_probe({}), IMAPS_993))
    assert seen.facts["resumed"] is not now_and_then


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        ((HOSTNAME,), Outcome.ACCEPTED),
        ((f"*.{HOSTNAME.partition('.')[2]}",), Outcome.ACCEPTED),
        (("other.example",), Outcome.TLS_FAILED),
        ((f"*.{HOSTNAME}",), Outcome.TLS_FAILED),
    ],
)
def test_a_certificate_for_another_name_is_no_success(names, outcome, tmp_path) -> None:
    front = Front(authority().issue(*names), tmp_path, watches=False)

    async def run():
        async with asyncio.timeout(20), peer(say("* OK hi"), silence, tls=front.context) as served:
            return await tls.handshake(local_probe({993: served.port}), IMAPS_993)

    assert asyncio.run(run()).outcome is outcome


class Front:
    """A server whose certificate is in two files, and that looks at them at once, or never."""

    def __init__(self, issued: Certificate, tmp_path, *, watches: bool) -> None:
        self.files = {"/certs/key.pem": issued.key, "/certs/cert.pem": issued.certificate}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._place = tmp_path / "both.pem"
        self._watches = watches
        self._load()

    def run(self, service: str, command: tuple[str, ...]) -> CommandResult:
        self.files = dict(zip(("/certs/key.pem", "/certs/cert.pem"), command[-2:], strict=True))
        if self._watches:
            self._load()
        return CommandResult(0, "", "")

    def _load(self) -> None:
        self._place.write_text("".join(self.files.values()))
        self.context.load_cert_chain(self._place)


@pytest.mark.parametrize(("watches", "outcome"), [(True, Outcome.ACCEPTED), (False, Outcome.REFUSED)])
def test_a_certificate_that_is_replaced_is_looked_for_and_the_old_one_comes_back(
    watches, outcome, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(tls_replaced, "SECONDS", 1.0)
    front = Front(certificate(HOSTNAME), tmp_path, watches=watches)
    before = dict(front.files)

    async def run():
        async with asyncio.timeout(60), peer(say("* OK hi"), silence, tls=front.context) as served:
            return await tls_replaced.renewed(local_probe({993: served.port}, run=front.run))

    seen = asyncio.run(run())
    assert seen.outcome is outcome
    assert seen.facts["served"] == {"993-tls": watches}
    assert front.files == before


class CertbotFront:
    """A server with two lineages of certbot; the hook makes it read those of the kinds that it `reads`."""

    def __init__(self, tmp_path, reads: frozenset[KeyKind]) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._place = tmp_path / "both.pem"
        self._reads = reads
        self._files = {name: "".join(_pair(certbot.own(name, HOSTNAME))) for name in certbot.LINEAGES}
        self._load(frozenset(KeyKind))

    def run(self, service: str, command: tuple[str, ...]) -> CommandResult:
        if command == (certbot.HOOK,):
            self._load(self._reads)
            return CommandResult(0, "", "")
        name, _, _cert, _chain, full, key = command[4:]
        self._files[name] = full + key
        return CommandResult(0, "", "")

    def _load(self, kinds: frozenset[KeyKind]) -> None:
        for name, kind in certbot.LINEAGES.items():
            if kind in kinds:
                self._place.write_text(self._files[name])
                self.context.load_cert_chain(self._place)


def _pair(issued: Certificate) -> tuple[str, str]:
    return issued.certificate + issued.chain, issued.key


@pytest.mark.parametrize(
    ("reads", "outcome"),
    [(frozenset(KeyKind), Outcome.ACCEPTED), (frozenset({KeyKind.ECDSA}), Outcome.REFUSED)],
)
def test_certificates_of_certbot_are_renewed_when_both_kinds_are_the_new_ones(
    reads, outcome, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(tls_replaced, "SECONDS", 1.0)
    front = CertbotFront(tmp_path, reads)

    async def run():
        async with asyncio.timeout(60), peer(say("* OK hi"), silence, tls=front.context) as served:
            probe = local_probe({993: served.port}, run=front.run)
            probe.stack.setup = setup_named("letsencrypt")
            return await tls_replaced.renewed(probe)

    seen = asyncio.run(run())
    assert seen.outcome is outcome
    assert seen.facts["served"] == {"993-tls": outcome is Outcome.ACCEPTED}


def test_each_kind_of_key_is_asked_for_alone(tmp_path) -> None:
    """A client that takes RSA alone gets the RSA certificate, with what is between it and the authority."""
    front = CertbotFront(tmp_path, frozenset())

    async def run(context, kind):
        async with asyncio.timeout(20), peer(say("* OK hi"), silence, tls=context) as served:
            return await tls.kind_of_key(local_probe({993: served.port}), IMAPS_993, kind)

    for kind in KeyKind:
        key = asyncio.run(run(front.context, kind)).facts["certificate"]["key"]
        assert key.startswith("RSA" if kind is KeyKind.RSA else "EC ")
    with pytest.raises(NotServed) as stopped:
        asyncio.run(run(server_context(V12, V12), KeyKind.RSA))
    assert stopped.value.outcome is Outcome.TLS_FAILED
