"""What people do in web mail, whichever program it is: the words in which behaviours ask for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import User
from pytest_mailu.probe.admin_site import LOGIN, setting
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.transport.errors import NotServed

BOUNDARY = "pytest-mailu-0f1e2d3c4b5a"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to send. Recipients are as people type them, several with commas; `files` are its files by name."""

    to: str
    subject: str
    text: str = "Text."
    bcc: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as web mail gives it to the browser: what it says, and the address of each part to be saved as a file.

    `text` holds everything that may be shown, names of files among it.
    """

    text: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was sent: to whom web mail addressed it, and what it quoted.

    `quotation` is None where that is done by the scripts in the browser, which are not run.
    """

    reply: Reply
    to: str
    quotation: str | None


class WebMail(Protocol):
    """A session. `root` is the path of web mail (`WEB_WEBMAIL`), `entered` its first page.

    Every method raises `NotServed(REFUSED, COMMAND)` where web mail shows an error, or has lost the session.
    """

    http: HttpSession
    root: str
    entered: HttpReply

    def is_of(self, user: User) -> bool:
        """Whether it is this user's mailbox that has opened."""

    async def folders(self) -> list[str]:
        """The names of the folders, in the order of the alphabet."""

    async def subjects(self, folder: str = "INBOX") -> Mapping[str, str]:
        """The list of messages in a folder: UID → subject, as people read it."""

    async def show(self, uid: str) -> Shown:
        """Open a message of the INBOX, which marks it as read."""

    async def save_file(self, shown: Shown, part: str) -> bytes:
        """A part of a message, as the browser saves it. Raises `NotServed(LOST, COMMAND)` where it is not offered."""

    async def search(self, field: str, word: str) -> Collection[str]:
        """The UIDs of what a search in the INBOX finds; `field` is subject, from or text."""

    async def send(self, draft: Draft) -> Reply:
        """Write a new message and send it, with a copy in the folder of sent messages."""

    async def answer(self, uid: str, text: str) -> Answer:
        """Answer a message of the INBOX, above what is quoted of it."""

    async def move(self, uid: str, folder: str) -> None:
        """Move a message of the INBOX to another folder."""

    async def delete(self, uid: str) -> None:
        """Delete a message of the INBOX."""

    async def flag(self, uid: str) -> None:
        """Mark a message of the INBOX."""

    async def write_as(self, name: str) -> None:
        """Change the name that one writes under."""

    async def make_filters(self, name: str) -> None:
        """Make a new set of filters of this name."""

    async def file_into(self, word: str, folder: str) -> None:
        """Make a filter, in force at once, that moves what has this word in its subject into a folder."""

    async def add_contact(self, name: str, address: str) -> None:
        """Put somebody into the address book."""

    async def contacts(self, word: str) -> list[str]:
        """What a search in the address book finds, one text for each contact."""

    async def suggested(self, word: str) -> list[str]:
        """The recipients that are suggested to who types this word."""

    async def page_size(self) -> int:
        """The setting that says how many messages a page of the list has."""

    async def set_page_size(self, size: int) -> None:
        """Change that setting."""

    async def log_out(self) -> None:
        """Log out, and go where web mail sends the browser."""


def web_mail_path(probe: Probe) -> str:
    """Where web mail is, without a slash at the end."""
    return setting(probe, "WEB_WEBMAIL", "/webmail").rstrip("/")


def is_login(reply: HttpReply) -> bool:
    """Whether an answer is, or redirects to, the login page of the web site."""
    places = (reply.url, reply.header("location"))
    return any(urlsplit(place).path.startswith(LOGIN) for place in places)


def refused(reply: HttpReply, said: str, stage: Stage = Stage.COMMAND) -> NotServed:
    """The error for an answer that is none; `said` is what it says, unless it leads elsewhere."""
    if is_login(reply):
        said = "leads to the login page"
    elif reply.looped:
        said = "redirects without end"
    return NotServed(Outcome.REFUSED, stage, Reply(str(reply.status), "", said))


def form_with_file(field: str, name: str, content: bytes) -> tuple[bytes, str]:
    """The body of a form with one file in it (RFC 7578), and its content type."""
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: text/plain'
    body = (f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode(), content, f"\r\n--{BOUNDARY}--\r\n".encode())
    return b"".join(body), f"multipart/form-data; boundary={BOUNDARY}"
