"""What is changed through the command line or ManageSieve counts as done when it took effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pytest_mailu.behaviours import admin_cli, sieve
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.sieve.session import SieveReply
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe


@pytest.mark.parametrize("ask", [admin_cli.user, admin_cli.password])
def test_a_command_that_succeeds_and_does_nothing_is_not_accepted(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def log_in(*_: Any) -> Reply:
        raise NotServed(Outcome.AUTH_FAILED, Stage.AUTH, Reply("NO"))

    monkeypatch.setattr(admin_cli, "log_in", log_in)
    with pytest.raises(NotServed) as stopped:
        asyncio.run(ask(local_probe({}, run=lambda service, command: CommandResult(0, "", ""))))
    assert stopped.value.outcome is Outcome.AUTH_FAILED


class FakeScripts:
    """ManageSieve in memory; with `damages` a script is stored with another text."""

    def __init__(self, *, damages: bool, stores_broken: bool) -> None:
        self._damages = damages
        self._stores_broken = stores_broken
        self._scripts: dict[str, str] = {}

    @asynccontextmanager
    async def managing(self, probe: Any) -> AsyncIterator[tuple[Any, str]]:
        yield self, "probe 1"

    async def checkscript(self, text: str) -> None:
        return None

    async def putscript(self, name: str, text: str) -> None:
        self._scripts[name] = "keep;" if self._damages else text

    async def listscripts(self) -> dict[str, bool]:
        return dict.fromkeys(self._scripts, False)

    async def getscript(self, name: str) -> str:
        return self._scripts[name]

    async def command(self, line: str, literal: bytes = b"") -> SieveReply:
        if line.startswith("PUTSCRIPT"):
            broken = literal == sieve.BROKEN.encode()
            if not broken or self._stores_broken:
                self._scripts["probe 1"] = "keep;" if self._damages else literal.decode()
            return SieveReply(Reply("NO" if broken else "OK"))
        return SieveReply(Reply("OK"))


@pytest.mark.parametrize("ask", [sieve.upload, sieve.space])
@pytest.mark.parametrize("damages", [True, False])
def test_a_script_is_stored_as_it_was_sent(ask: Any, damages: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = FakeScripts(damages=damages, stores_broken=False)
    monkeypatch.setattr(sieve, "managing", scripts.managing)
    seen = asyncio.run(ask(local_probe({})))
    assert (seen.outcome is Outcome.ACCEPTED) is not damages


@pytest.mark.parametrize(("stores", "outcome"), [(True, Outcome.ALTERED), (False, Outcome.ACCEPTED)])
def test_a_script_that_is_refused_is_not_stored(
    stores: bool, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = FakeScripts(damages=False, stores_broken=stores)
    monkeypatch.setattr(sieve, "managing", scripts.managing)
    assert asyncio.run(sieve.refuses(local_probe({}), "broken-upload")).outcome is outcome
