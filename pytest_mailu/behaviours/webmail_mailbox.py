"""What web mail did, read back from the mailbox by IMAP and ManageSieve; and mail that is laid into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as CRLF
from email.policy import default
from email.utils import make_msgid

from pytest_mailu.core.population import ELSEWHERE, User
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS, eventually
from pytest_mailu.wire.transport.errors import CannotAsk

LINES = b"".join(b"line %d of an attachment\r\n" % number for number in range(200))
"""The content of a file."""
MOST_SETS = 100
"""Scripts of a user that are read."""


@dataclass(frozen=True, slots=True)
class Found:
    """A message in a mailbox, by the folder it is in."""

    folder: str
    flags: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The message, parsed."""
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101 - the policy says so
        return parsed


async def look_for(probe: Probe, user: User, token: str, folders: Sequence[str] = ("INBOX",)) -> list[Found]:
    """The messages with a token in these folders of a mailbox that has few others, by IMAP."""
    found = []
    async with probe.mailbox(user) as mailbox:
        there = {folder.name for folder in await mailbox.folders()}
        for folder in (name for name in folders if name in there):
            state = await mailbox.select(folder, read_only=True)
            if state.get("EXISTS") == 0:
                continue
            for item in (await mailbox.fetch("1:*")).values():
                content = item.get("BODY[]") or b""
                if token.encode() in content:
                    found.append(Found(folder, tuple(map(str, item.get("FLAGS", ()))), content))
    return found


async def arrived(probe: Probe, user: User, token: str, *folders: str) -> list[Found]:
    """The messages with a token that come into a mailbox within the usual time: its INBOX, Junk, and these folders."""
    found: list[Found] = []

    async def look() -> bool:
        found[:] = await look_for(probe, user, token, ("INBOX", "Junk", *folders))
        return bool(found)

    await eventually(look, 2 * ARRIVAL_SECONDS)
    return found


async def put(probe: Probe, user: User, message: EmailMessage, folder: str = "INBOX") -> str:
    """Lay a message into a mailbox by IMAP; its UID."""
    async with probe.mailbox(user) as mailbox:
        uid = await mailbox.append(folder, message.as_bytes(policy=CRLF))
    if uid is None:
        raise CannotAsk("the IMAP server does not tell the UID of a message that was laid in (UIDPLUS)")
    return str(uid)


async def filter_sets(probe: Probe, user: User) -> Mapping[str, str]:
    """A user's Sieve scripts by name, by ManageSieve."""
    async with probe.filters(user) as sieve:
        return {name: await sieve.getscript(name) for name in list(await sieve.listscripts())[:MOST_SETS]}


def note(subject: str, text: str = "A text.\n") -> EmailMessage:
    """A message to lay into a mailbox."""
    message = EmailMessage()
    message["From"] = f"somebody@{ELSEWHERE}"
    message["To"] = "me@post.example"
    message["Subject"] = subject
    message["Date"] = "Mon, 02 Jun 2025 10:00:00 +0000"
    message["Message-ID"] = make_msgid(domain=ELSEWHERE)
    message.set_content(text)
    return message
