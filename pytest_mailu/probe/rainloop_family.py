"""What RainLoop and SnappyMail, which grew out of it, share: one page, whose scripts send requests and get JSON.

They differ in how names are written: `fromFolder` of SnappyMail is `FromFolder` in RainLoop. Below stand SnappyMail's.

Source: RainLoop 1.16.0 and SnappyMail 2.29.1 to 2.38.2, rainloop/ and snappymail/v/0.0.0/app/libraries/RainLoop/
(Actions.php, Actions/, ServiceActions.php).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import User
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.json_answer import collection_of, entries_of, object_of, recipients_of
from pytest_mailu.probe.web_mail import Answer, Draft, Shown, form_with_file, refused
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed


class RainloopFamily(ABC):
    """A session of web mail. `root` is its path (`WEB_WEBMAIL`), `data` what the server tells the page's scripts."""

    PAGE_SIZE: ClassVar[str]
    """The name of the setting that says how many messages a page of the list has."""
    HOW_LISTED: ClassVar[Mapping[str, Any]] = {}
    """What the page's scripts say of the list of messages beside folder, place and search."""

    def __init__(self, http: HttpSession, root: str, entered: HttpReply, data: Mapping[str, Any]) -> None:
        self.http = http
        self.root = root
        self.entered = entered
        self.data = data

    @abstractmethod
    def named(self, name: str) -> str:
        """A name of SnappyMail as this program writes it."""

    @abstractmethod
    async def run(self, action: str, **values: Any) -> Any:
        """A request of the page's scripts; the result.

        Raises `NotServed(REFUSED, COMMAND)` where the answer has an error in its place.
        """

    @abstractmethod
    async def folders(self) -> list[str]:
        """The names of the folders, in the order of the alphabet."""

    @abstractmethod
    def query(self, field: str, word: str) -> str:
        """A search as the page's scripts write it; `field` is subject, from or text."""

    @abstractmethod
    async def told(self) -> Mapping[str, Any]:
        """What the server tells the page's scripts now."""

    @abstractmethod
    async def form_of(self, draft: Draft, identity: Mapping[str, Any]) -> dict[str, Any]:
        """What the page's scripts send of a message, but for its attachments; the names as this program writes them."""

    @abstractmethod
    def attached(self, file: Mapping[str, Any]) -> Any:
        """How a message names a file that was uploaded."""

    @abstractmethod
    def link(self, part: Mapping[str, Any]) -> str:
        """Where the browser gets a part of a message."""

    @property
    def system(self) -> dict[str, Any]:
        """What the server tells of itself."""
        return object_of(self.data.get("System") or {})

    @property
    def session(self) -> str:
        """The part of every address that names the session."""
        return "0"

    @property
    def headers(self) -> dict[str, str]:
        """What every request of the page's scripts has."""
        return {"Accept": "application/json"}

    @staticmethod
    def result(reply: HttpReply) -> Any:
        """What an answer holds. Raises `NotServed(REFUSED, COMMAND)` where that is an error."""
        if reply.status != 200:
            raise refused(reply, "")
        answer = object_of(reply.json())
        result = answer.get("Result")
        if result is None or result is False:
            raise refused(reply, _error_of(answer))
        return result

    def is_of(self, user: User) -> bool:
        """Whether it is this user's mailbox that has opened."""
        return self.data.get("Email") == user.address

    async def subjects(self, folder: str = "INBOX") -> dict[str, str]:
        """The list of messages in a folder: UID → subject."""
        subject = self.named("subject")
        return {uid: str(one.get(subject, "")) for uid, one in (await self._list(folder)).items()}

    async def search(self, field: str, word: str) -> Collection[str]:
        """The UIDs of what a search in the INBOX finds."""
        return (await self._list("INBOX", self.query(field, word))).keys()

    async def show(self, uid: str) -> Shown:
        """Open a message of the INBOX; its page makes it a read one afterwards."""
        message = await self._message(uid)
        parts = collection_of(message.get(self.named("attachments")))
        names = [str(part.get(self.named("fileName"), "")) for part in parts]
        said = [str(message.get(self.named(kind)) or "") for kind in ("subject", "html", "plain")]
        await self._run("MessageSetSeen", folder="INBOX", uids=uid, setAction=1)
        files = {str(part.get(self.named("mimeIndex"), "")): self.link(part) for part in parts}
        return Shown("\n".join([*said, *names]), files)

    async def save_file(self, shown: Shown, part: str) -> bytes:
        """A part of a message, by the link that its page has."""
        if part not in shown.files:
            raise NotServed(Outcome.LOST, Stage.COMMAND, Reply("200", "", "no such attachment"))
        reply = await self.http.get(shown.files[part], follow=False)
        if reply.status != 200:
            raise refused(reply, "")
        return reply.body

    async def send(self, draft: Draft) -> Reply:
        """Send a message as the form for it does: under the first identity, with a copy in the sent messages."""
        return await self._send(draft)

    async def answer(self, uid: str, text: str) -> Answer:
        """Answer a message. Whom to, and what of it is quoted, its page's scripts decide."""
        message = await self._message(uid)
        writers = self._addresses(message.get(self.named("replyTo"))) or self._addresses(
            message.get(self.named("from"))
        )
        writer = next(iter(writers), "")
        parent = str(message.get(self.named("messageId"), ""))
        reply = await self._send(
            Draft(writer, f"Re: {message.get(self.named('subject'), '')}", text),
            draftInfo=["reply", int(uid), "INBOX"],
            inReplyTo=parent,
            references=f"{message.get(self.named('references')) or ''} {parent}".strip(),
        )
        return Answer(reply, writer, None)

    async def move(self, uid: str, folder: str) -> None:
        """Move a message of the INBOX."""
        await self._run("MessageMove", fromFolder="INBOX", toFolder=folder, uids=uid, markAsRead=0, learning="")

    async def delete(self, uid: str) -> None:
        """Delete a message of the INBOX for good; to delete it first is to move it to the trash."""
        await self._run("MessageDelete", folder="INBOX", uids=uid)

    async def flag(self, uid: str) -> None:
        """Mark a message of the INBOX."""
        await self._run("MessageSetFlagged", folder="INBOX", uids=uid, setAction=1)

    async def write_as(self, name: str) -> None:
        """Change the name of the first identity."""
        identity = await self._identity()
        kept = {key: identity.get(self.named(key)) or "" for key in ("id", "email", "replyTo", "bcc", "signature")}
        await self.run(
            "IdentityUpdate",
            **{capitalised(key): value for key, value in kept.items()},
            Name=name,
            SignatureInsertBefore=1 if identity.get(self.named("signatureInsertBefore")) else 0,
        )

    async def contacts(self, word: str) -> list[str]:
        """What a search in the address book finds."""
        found = object_of(await self.run("Contacts", Search=word, Offset=0, Limit=50))
        return [json.dumps(one, ensure_ascii=False) for one in entries_of(found.get("List"))]

    async def suggested(self, word: str) -> list[str]:
        """The recipients that are suggested to who types this word."""
        return recipients_of(await self.run("Suggestions", Query=word))

    async def page_size(self) -> int:
        """How many messages a page of the list has, as the server tells the page's scripts."""
        value = (await self.told()).get(self.PAGE_SIZE)
        if not isinstance(value, int):
            raise CannotAsk("web mail does not say how many messages a page of the list has")
        return value

    async def set_page_size(self, size: int) -> None:
        """Change that setting."""
        await self.run("SettingsUpdate", **{self.PAGE_SIZE: size})

    async def log_out(self) -> None:
        """Log out, and go where the page then sends the browser."""
        await self.run("Logout")
        await self.http.get(str(self.system.get("customLogoutLink") or f"{self.root}/"))

    async def save_contact(self, **values: Any) -> None:
        """Put into the address book what the form for a contact has."""
        if not object_of(await self.run("ContactSave", **values)).get("ResultID"):
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply("200", "", "the contact is not saved"))

    async def _run(self, action: str, **values: Any) -> Any:
        """`run` for a request whose names the two programs write each in its way."""
        return await self.run(action, **{self.named(name): value for name, value in values.items()})

    async def _list(self, folder: str, search: str = "") -> dict[str, dict[str, Any]]:
        found = await self._run("MessageList", folder=folder, offset=0, limit=100, search=search, **self.HOW_LISTED)
        return {str(one.get(self.named("uid"), "")): one for one in collection_of(found)}

    async def _message(self, uid: str) -> dict[str, Any]:
        return object_of(await self._run("Message", folder="INBOX", uid=int(uid)))

    async def _send(self, draft: Draft, **more: Any) -> Reply:
        values = await self.form_of(draft, await self._identity())
        attachments = dict([await self._upload(name, content) for name, content in draft.files.items()])
        added = {self.named(name): value for name, value in {"attachments": attachments, **more}.items()}
        await self.run("SendMessage", **{**values, **added})
        return Reply("200")

    async def _upload(self, name: str, content: bytes) -> tuple[str, Any]:
        """Upload a file for a message that is being written: its name on the server, and how a message names it."""
        body, kind = form_with_file("uploader", name, content)
        reply = await self.http.post(
            f"{self.root}/?/Upload/&q[]=/{self.session}/",
            content=body,
            headers={**self.headers, "Content-Type": kind},
            follow=False,
        )
        file = object_of(object_of(self.result(reply)).get("Attachment") or {})
        if not (stored := file.get(self.named("tempName"))):
            raise refused(reply, "the file is not among the attachments")
        return str(stored), self.attached(file)

    async def _identity(self) -> dict[str, Any]:
        """The first identity."""
        identities = entries_of(object_of(await self.run("AccountsAndIdentities")).get("Identities"))
        if not identities:
            raise NotServed(Outcome.LOST, Stage.COMMAND, Reply("200", "", "no identity to write under"))
        return identities[0]

    def _addresses(self, found: Any) -> list[str]:
        several = [one.get(self.named("email")) for one in collection_of(found)]
        return [str(address) for address in several if address]


def capitalised(name: str) -> str:
    """A name with a capital letter: as RainLoop writes all of them, and SnappyMail those of forms."""
    return name[0].upper() + name[1:]


def _error_of(answer: Mapping[str, Any]) -> str:
    """Number and texts of an error; SnappyMail has changed their names in 2.38 (Actions/Response.php)."""
    names = (("code", "message", "messageAdditional"), ("ErrorCode", "ErrorMessage", "ErrorMessageAdditional"))
    texts = [str(answer[name]) for several in names for name in several if answer.get(name)]
    return show_line(" ".join(texts), TEXT_LIMIT)
