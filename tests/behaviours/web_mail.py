"""Behaviours of web mail, asked at a scripted web site that can have one of several faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import (
    webmail_kept,
    webmail_mailbox,
    webmail_reading,
    webmail_sending,
    webmail_sessions,
    webmail_upkeep,
)
from pytest_mailu.behaviours.webmail_mailbox import Found
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.fake_rainloop import FakeRainloop
from tests.behaviours.fake_roundcube import FakeRoundcube
from tests.behaviours.fake_snappymail import FakeSnappymail
from tests.behaviours.fake_web_mail import UID, FakeWebMail, Fault
from tests.behaviours.local_stack import LocalStack

SITES: Mapping[WebMailKind, type[FakeWebMail]] = {
    WebMailKind.ROUNDCUBE: FakeRoundcube,
    WebMailKind.SNAPPYMAIL: FakeSnappymail,
    WebMailKind.RAINLOOP: FakeRainloop,
}


_MODULES = (webmail_kept, webmail_mailbox, webmail_reading, webmail_sending, webmail_sessions, webmail_upkeep)
"""Those that read by IMAP what web mail did."""


async def asked(site: FakeWebMail, tmp_path: Path, ask: Callable[[Probe], Awaitable[Observation]]) -> Observation:
    """What a behaviour sees at a site; the end of a session is an observation as well."""
    async with site.serving(tmp_path):
        probe = Probe(LocalStack({443: site.port}), time.time())  # type: ignore[arg-type]
        try:
            return await ask(probe)
        except NotServed as end:
            return probe.not_served(end)


@dataclass(frozen=True, slots=True)
class WebMail:
    """Asks behaviours at such a site."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def outcome(
        self,
        behaviour: Callable[..., Awaitable[Observation]],
        mail: WebMailKind,
        *given: Any,
        fault: Fault = Fault.NONE,
        found: Sequence[Found] = (),
    ) -> Outcome | None:
        """The outcome of a behaviour about one web mail; `found` is what IMAP finds afterwards."""
        return self.seen(behaviour, mail, *given, fault=fault, found=found).outcome

    def seen(
        self,
        behaviour: Callable[..., Awaitable[Observation]],
        mail: WebMailKind,
        *given: Any,
        fault: Fault = Fault.NONE,
        found: Sequence[Found] = (),
    ) -> Observation:
        """All that a behaviour sees."""
        site = SITES[mail](fault=fault)

        async def imap(*_: Any) -> list[Found]:
            return list(found)

        async def put(*_: Any) -> str:
            return UID

        async def soon(look: Callable[[], Awaitable[bool]], *_: Any) -> bool:
            return await look()

        async def sets(*_: Any) -> dict[str, str]:
            return {} if fault is Fault.NO_SET else {"a set": f"# {site.sets}"}

        replaced = {"look_for": imap, "put": put, "eventually": soon, "filter_sets": sets}
        for module in _MODULES:
            for name in replaced.keys() & vars(module).keys():
                self.monkeypatch.setattr(module, name, replaced[name])
        return asyncio.run(asked(site, self.folder, lambda probe: behaviour(probe, mail, *given)))


def found_in(folder: str = "INBOX", flags: tuple[str, ...] = (), author: str = "me@post.example") -> Found:
    """A message as IMAP finds it."""
    message = EmailMessage()
    message["From"] = author
    message.set_content("A text.\n")
    return Found(folder, flags, message.as_bytes())
