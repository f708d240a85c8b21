"""Folder names: what a server does with them, and what an attempt leaves that got no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pytest_mailu.behaviours import mailbox_names
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.wire.imap.session import Folder
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe

KIND = "ampersand"
NAME = local_probe({}).drawn(mailbox_names.FOLDER_NAMES, KIND)


class Mailbox:
    """A mailbox with folders, in which one command (`silent`) gets no answer."""

    def __init__(self, *names: str, silent: str = "") -> None:
        self.names, self.silent = ["INBOX", *names], silent

    async def login(self, user: str, password: str) -> None:
        pass

    async def folders(self) -> list[Folder]:
        return [Folder(name, (), ".") for name in self.names]

    async def create(self, name: str) -> None:
        self._answer("create")
        if name in self.names:
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply("NO", "ALREADYEXISTS", "Mailbox already exists"))
        self.names.append(name)

    async def append(self, name: str, content: bytes) -> None:
        assert name in self.names

    async def status(self, name: str, items: str) -> dict[str, int]:
        return {"MESSAGES": 1}

    async def rename(self, name: str, to: str) -> None:
        await self.create(to)
        self.names.remove(name)

    async def delete(self, name: str) -> None:
        self._answer("delete")
        self.names.remove(name)

    def _answer(self, command: str) -> None:
        if command == self.silent:
            raise NotServed(Outcome.UNANSWERED, Stage.COMMAND)


def asked(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Observation:
    @asynccontextmanager
    async def imap(*_: Any) -> AsyncIterator[Mailbox]:
        yield mailbox

    probe = local_probe({})
    monkeypatch.setattr(probe, "imap", imap)
    return asyncio.run(mailbox_names.folder_name(probe, KIND))


def test_a_folder_is_made_filled_renamed_and_gone_again(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = Mailbox()
    assert asked(mailbox, monkeypatch).outcome is Outcome.ACCEPTED
    assert mailbox.names == ["INBOX"]


@pytest.mark.parametrize("command", ["create", "delete"])
def test_no_answer_is_no_refusal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both processors busy, DELETE took more than 30 seconds, and "refused" was told."""
    seen = asked(Mailbox(silent=command), monkeypatch)
    assert (seen.outcome, seen.stage, seen.facts) == (Outcome.UNANSWERED, Stage.COMMAND, {"name": NAME})


@pytest.mark.parametrize("left", [(NAME,), (f"{NAME} 2",), (NAME, f"{NAME} 2")])
def test_what_an_attempt_without_an_answer_left_is_in_nobodys_way(
    left: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one said "Mailbox already exists": a regression from 2024.06.57 to master, which there was not."""
    mailbox = Mailbox(*left)
    assert asked(mailbox, monkeypatch).outcome is Outcome.ACCEPTED
    assert mailbox.names == ["INBOX"]
