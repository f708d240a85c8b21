"""Certificates that are not in order when `front` starts, with a front that is played."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import tls_certificates
from pytest_mailu.behaviours.tls_certificates import State
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.setups import DEFAULT, setup_named
from pytest_mailu.stack.world.certificates import certificate
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import expect, peer, say, silence


class Front:
    """`front` serves 25 and 993. With certificates that are not in order it serves what is in `left` or ends.

    `repairs` says whether it serves all once they are in order again.
    """

    def __init__(self, left: frozenset[int] | None, *, repairs: bool) -> None:
        self._left = left
        self._repairs = repairs
        self._broken = False
        self._before: dict[int, int] = {}
        self.ports: dict[int, int] = {}
        self.ended: StackError | None = None
        self.made_anew = 0

    def serve(self, ports: dict[int, int]) -> None:
        self._before = ports
        self.ports.update(ports)

    async def exec(self, service: str, *command: str) -> CommandResult:
        own = certificate(HOSTNAME)
        self._broken = command[-2:] != (own.key, own.certificate)
        if not self._broken and self._repairs:
            self.ports.update(self._before)
        return CommandResult(0, "", "")

    @asynccontextmanager
    async def started_over(self, service: str) -> AsyncIterator[None]:
        if self._broken:
            self.ports.clear()
            if self._left is None:
                self.ended = StackError("the service front exited with status 1", "look")
            else:
                self.ports.update({port: self._before[port] for port in self._left})
        try:
            yield
        finally:
            self.made_anew += 1

    async def exit_of(self, service: str) -> StackError | None:
        return self.ended


def with_rsa_key(folder: Path) -> ssl.SSLContext:
    own = certificate(HOSTNAME)
    place = folder / "both.pem"
    place.write_text(own.certificate + own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place)
    return context


def ask(front: Front, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Observation:
    for name in ("START_SECONDS", "QUIET_SECONDS", "REPAIR_SECONDS"):
        monkeypatch.setattr(tls_certificates, name, 0.3)

    async def run() -> Observation:
        async with (
            asyncio.timeout(60),
            peer(say("220 hi"), expect("EHLO"), say("250 hi"), expect(), say("221 bye")) as smtp,
            peer(say("* OK hi"), silence, tls=with_rsa_key(tmp_path)) as imaps,
        ):
            front.serve({25: smtp.port, 993: imaps.port})
            probe = local_probe(front.ports)
            probe.stack.services = front  # type: ignore[misc, assignment]
            probe.stack.exit_of = front.exit_of  # type: ignore[method-assign]
            asked = tls_certificates.usable if state in tls_certificates.USABLE else tls_certificates.broken
            return await asked(probe, state)

    return asyncio.run(run())


EVERYTHING = frozenset({25, 993})


@pytest.mark.parametrize("state", tls_certificates.USABLE)
@pytest.mark.parametrize(
    ("left", "outcome"),
    [(EVERYTHING, Outcome.ACCEPTED), (frozenset({25}), Outcome.UNREACHABLE), (None, Outcome.UNREACHABLE)],
)
def test_with_a_certificate_that_programs_can_accept_everything_has_to_be_served(
    state: State, left: frozenset[int] | None, outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = Front(left, repairs=True)
    seen = ask(front, state, tmp_path, monkeypatch)
    assert seen.outcome is outcome
    lacking = [name for name, port in (("993-tls", 993), ("25-plain", 25)) if port not in (left or ())]
    assert seen.facts["closed"] == lacking
    assert seen.facts["stays_up"] is (left is not None)
    assert front.made_anew == 1


@pytest.mark.parametrize("state", tls_certificates.BROKEN)
@pytest.mark.parametrize(
    ("left", "repairs", "outcome", "said"),
    [
        (frozenset({25}), True, Outcome.ACCEPTED, None),
        (frozenset({25}), False, Outcome.REFUSED, "993-tls stays closed until front is restarted"),
        (frozenset(), True, Outcome.UNREACHABLE, "port 25 is not served"),
        (None, True, Outcome.UNREACHABLE, "the service front exited with status 1"),
    ],
)
def test_with_a_broken_certificate_mail_comes_in_and_all_is_served_once_it_is_mended(
    state: State,
    left: frozenset[int] | None,
    repairs: bool,
    outcome: Outcome,
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = ask(Front(left, repairs=repairs), state, tmp_path, monkeypatch)
    assert (seen.outcome, seen.reply.text if seen.reply else None) == (outcome, said)
    assert ("993-tls" in seen.facts["late"]) is (left is None or not repairs)


def test_that_one_of_two_certificates_is_missing_is_asked_where_there_are_two() -> None:
    asked: dict[str, Any] = {one.id: one.of_setup for one in tls_certificates.broken.__mailu_behaviours__}  # type: ignore[attr-defined]
    assert asked["tls/certificate/one-missing"] <= setup_named("letsencrypt").features
    assert not asked["tls/certificate/one-missing"] <= DEFAULT.features
    assert asked["tls/certificate/missing"] <= DEFAULT.features
