"""The lab's REST interface in memory, in the place of a stack's."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.core.population import ALIASES, ALTERNATIVE, DOMAIN, RELAYED, users
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed

sys.path.append(str(Path(__file__).parents[1] / "lab" / "admin"))
from people import People  # type: ignore[import-not-found]
from rest import Rest  # type: ignore[import-not-found]

TOKEN = "api-token"


class FakeApi:
    """What behaviours use of `probe.admin_site.Api`; `asked` has every request."""

    def __init__(self, folder: Path, *faults: str, there: bool = True) -> None:
        people = People(folder / "lab.json")
        population: dict[str, Any] = {
            "domain": [{"name": DOMAIN, "alternatives": [ALTERNATIVE]}],
            "user": [{"email": user.address, "password": user.password} for user in users()],
            "alias": [{"email": alias.address, "destination": list(alias.destinations)} for alias in ALIASES],
            "relay": [{"name": RELAYED, "smtp": "relay"}],
        }
        people.update(population, keep=False)
        self.rest = Rest(people, TOKEN, frozenset(faults))
        self.asked: list[str] = []
        self._there = there
        self._authorization = ""

    @asynccontextmanager
    async def open(self, probe: Any, token: str | None = None, scheme: str = "Bearer ") -> AsyncIterator[FakeApi]:
        if not self._there:
            raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND)
        session = copy.copy(self)
        session._authorization = f"{scheme}{TOKEN if token is None else token}" if token != "" else ""
        yield session

    async def ask(self, method: str, path: str, document: Any = None) -> HttpReply:
        body = b"" if document is None else json.dumps(document).encode()
        return await self.send(method, path, body, "application/json")

    async def send(self, method: str, path: str, content: bytes, kind: str) -> HttpReply:
        self.asked.append(f"{method} {path}")
        status, answer = self.rest.answer(method, path, self._authorization, content, kind)
        return HttpReply(status, f"https://mail.post.example/api/v1{path}", (), json.dumps(answer).encode())
