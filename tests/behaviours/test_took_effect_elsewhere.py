"""What is changed through the API, the command line or ManageSieve counts as done when it took effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pytest_mailu.behaviours import admin_api, admin_cli, sieve
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.sieve.session import SieveReply
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe


class FakeApi:
    """The REST API in memory. It answers 200 to the methods in `forgets`, such as "PATCH", without doing them."""

    def __init__(self, *forgets: str) -> None:
        self._forgets = forgets
        self._object: dict[str, Any] | None = None

    @asynccontextmanager
    async def open(self, probe: Any, token: str | None = None) -> AsyncIterator[FakeApi]:
        yield self

    async def ask(self, method: str, path: str, document: Any = None) -> HttpReply:
        if method == "POST":
            self._object = {key: "" if method in self._forgets else value for key, value in document.items()}
        elif method == "PATCH" and method not in self._forgets:
            self._object = {**(self._object or {}), **document}
        elif method == "DELETE" and method not in self._forgets:
            self._object = None
        elif method == "GET" and path.count("/") > 1:
            return self._reply(404, {"code": 404}) if self._object is None else self._reply(200, self._object)
        return self._reply(200, {"code": 200})

    @staticmethod
    def _reply(status: int, document: Any) -> HttpReply:
        return HttpReply(status, "https://mail.post.example/api/v1", (), json.dumps(document).encode())


@pytest.mark.parametrize("kind", ["user", "domain", "alias", "relay"])
@pytest.mark.parametrize(
    ("forgets", "outcome", "reason"),
    [
        ((), Outcome.ACCEPTED, ""),
        (("POST",), Outcome.REFUSED, "create: not all of it was saved"),
        (("PATCH",), Outcome.REFUSED, "change: it was not saved"),
        (("DELETE",), Outcome.REFUSED, "gone: "),
    ],
)
def test_an_object_has_what_the_api_was_sent(
    kind: str, forgets: tuple[str, ...], outcome: Outcome, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that was answered with 200 counted as made, whatever the object had afterwards."""
    monkeypatch.setattr(admin_api, "Api", FakeApi(*forgets))
    seen = asyncio.run(admin_api.lifecycle(local_probe({}), kind))
    assert (seen.outcome, seen.reply.text if seen.reply else "") == (outcome, reason)


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
