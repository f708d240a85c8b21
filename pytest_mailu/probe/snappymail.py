"""SnappyMail as a browser uses it: one page, and what its scripts send and get as JSON.

Source: SnappyMail 2.29.1, 2.36.4 and 2.38.2 (those of Mailu 2.0.43, 2024.06.24 and 2024.06.57), dev/ and
snappymail/v/0.0.0/app/libraries/RainLoop/ (Service.php, ServiceActions.php, Actions/); webmails/snappymail/ of Mailu.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import User
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.json_answer import collection_of, entries_of, object_of, recipients_of
from pytest_mailu.probe.web_mail import Answer, Draft, Shown, form_with_file, is_login, refused
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

BROWSER_COOKIE = "smctoken"
"""What the page's first script makes up for each browser; the session is encrypted with it (dev/boot.js, crypt.php)."""
_SEARCHES = {"subject": "subject", "from": "from", "text": "text"}
"""Field → its name in the form of the search (MailSo/Imap/SearchCriterias.php, parseQueryString)."""


class Snappymail:
    """A session of web mail. `root` is its path (`WEB_WEBMAIL`), `data` what the server tells the page's scripts."""

    def __init__(self, http: HttpSession, root: str, entered: HttpReply, data: Mapping[str, Any]) -> None:
        self.http = http
        self.root = root
        self.entered = entered
        self.data = data

    @classmethod
    async def enter(cls, http: HttpSession, root: str) -> Snappymail:
        """Web mail in a browser that has logged in to the web site.

        Raises `NotServed(REFUSED, AUTH)` where that leads back to the login page, or to anything but a mailbox.
        """
        if BROWSER_COOKIE not in dict(http.cookies):
            http.bring(((BROWSER_COOKIE, secrets.token_urlsafe(16)),))
        reply = await http.get(f"{root}/")
        if reply.status != 200 or is_login(reply):
            raise refused(reply, "", Stage.AUTH)
        data = await cls._app_data(http, root)
        if not data.get("Auth"):
            raise refused(reply, "the page opens, and nobody is logged in", Stage.AUTH)
        return cls(http, root, reply, data)

    @staticmethod
    async def _app_data(http: HttpSession, root: str) -> Mapping[str, Any]:
        reply = await http.get(f"{root}/?/AppData/0/{secrets.randbelow(10**9)}/", follow=False)
        if reply.status != 200:
            raise refused(reply, "", Stage.AUTH)
        return object_of(reply.json())

    def is_of(self, user: User) -> bool:
        """Whether it is this user's mailbox that has opened."""
        return self.data.get("Email") == user.address

    async def run(self, action: str, **values: Any) -> Any:
        """A request of the page's scripts; the result.

        Raises `NotServed(REFUSED, COMMAND)` where the answer has an error in its place.
        """
        reply = await self.http.post(
            f"{self.root}/?/Json/&q[]=/0/", json={**values, "Action": action}, headers=self._token, follow=False
        )
        return self._result(reply)

    @property
    def _token(self) -> dict[str, str]:
        return {"X-SM-Token": str(object_of(self.data.get("System")).get("token", "")), "Accept": "application/json"}

    @staticmethod
    def _result(reply: HttpReply) -> Any:
        if reply.status != 200:
            raise refused(reply, "")
        answer = object_of(reply.json())
        result = answer.get("Result")
        if result is None or result is False:
            raise refused(reply, _error_of(answer))
        return result

    async def folders(self) -> list[str]:
        """The names of the folders."""
        return sorted(str(one.get("fullName", "")) for one in collection_of(await self.run("Folders")))

    async def subjects(self, folder: str = "INBOX") -> dict[str, str]:
        """The list of messages in a folder: UID → subject."""
        return {uid: str(one.get("subject", "")) for uid, one in (await self._list(folder)).items()}

    async def search(self, field: str, word: str) -> Collection[str]:
        """The UIDs of what a search in the INBOX finds."""
        return (await self._list("INBOX", urlencode({_SEARCHES[field]: word}))).keys()

    async def _list(self, folder: str, search: str = "") -> dict[str, dict[str, Any]]:
        asked = {"folder": folder, "offset": 0, "limit": 100, "search": search, "sort": "", "uidNext": 0}
        found = await self.run("MessageList", **asked, useThreads=0, threadUid=0)
        return {str(one.get("uid", "")): one for one in collection_of(found)}

    async def _message(self, uid: str) -> dict[str, Any]:
        return object_of(await self.run("Message", folder="INBOX", uid=int(uid)))

    async def show(self, uid: str) -> Shown:
        """Open a message of the INBOX; its page makes it a read one afterwards."""
        message = await self._message(uid)
        parts = collection_of(message.get("attachments"))
        names = [str(part.get("fileName", "")) for part in parts]
        text = "\n".join([*(str(message.get(kind) or "") for kind in ("subject", "html", "plain")), *names])
        await self.run("MessageSetSeen", folder="INBOX", uids=uid, setAction=1)
        files = {str(part.get("mimeIndex", "")): self._link(part) for part in parts}
        return Shown(text, files)

    def _link(self, part: Mapping[str, Any]) -> str:
        """Where the browser gets a part of a message (dev/Model/Attachment.js, dev/Common/Links.js)."""
        names = ("folder", "uid", "mimeIndex", "mimeType", "fileName")
        key = {**{name: part.get(name) for name in names}, "accountHash": self.data.get("accountHash")}
        encoded = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
        return f"{self.root}/?/Raw/&q[]=/0/Download/&q[]=/{encoded}"

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
        writer = (_addresses(message.get("replyTo")) or _addresses(message.get("from")) or [""])[0]
        parent = str(message.get("messageId", ""))
        subject = str(message.get("subject", ""))
        reply = await self._send(
            Draft(writer, f"Re: {subject}", text),
            draftInfo=["reply", int(uid), "INBOX"],
            inReplyTo=parent,
            references=f"{message.get('references') or ''} {parent}".strip(),
        )
        return Answer(reply, writer, None)

    async def _send(self, draft: Draft, **more: Any) -> Reply:
        identity = await self._identity()
        address, name = str(identity.get("email", "")), str(identity.get("name", ""))
        attachments = dict([await self._upload(name, content) for name, content in draft.files.items()])
        values = {
            "identityID": identity.get("id", ""),
            "messageFolder": "",
            "messageUid": "",
            "saveFolder": await self._folder_of("sent", "Sent"),
            "from": f'"{name}" <{address}>' if name else address,
            "to": draft.to,
            "cc": "",
            "bcc": draft.bcc,
            "replyTo": "",
            "subject": draft.subject,
            "plain": draft.text,
            "html": "",
            "draftInfo": None,
            "inReplyTo": "",
            "references": "",
            "markAsImportant": 0,
            "attachments": attachments,
            "dsn": 0,
            "requireTLS": 0,
            "readReceiptRequest": 0,
            "autocrypt": [],
            "linkedData": [],
        }
        await self.run("SendMessage", **{**values, **more})
        return Reply("200")

    async def _folder_of(self, role: str, usual: str) -> str:
        """The folder with this role (RFC 6154), as the page finds it; the usual name where none has it."""
        found = [one for one in collection_of(await self.run("Folders")) if one.get("role") == role]
        return str(found[0].get("fullName", usual)) if found else usual

    async def _upload(self, name: str, content: bytes) -> tuple[str, dict[str, Any]]:
        """Upload a file for a message that is being written: its name on the server, and how a message names it."""
        body, kind = form_with_file("uploader", name, content)
        reply = await self.http.post(
            f"{self.root}/?/Upload/&q[]=/0/",
            content=body,
            headers={**self._token, "Content-Type": kind},
            follow=False,
        )
        file = object_of(object_of(self._result(reply)).get("Attachment"))
        if not file.get("tempName"):
            raise refused(reply, "the file is not among the attachments")
        named = {"name": file.get("name"), "inline": False, "cId": "", "location": "", "type": file.get("mimeType")}
        return str(file["tempName"]), named

    async def move(self, uid: str, folder: str) -> None:
        """Move a message of the INBOX."""
        await self.run("MessageMove", fromFolder="INBOX", toFolder=folder, uids=uid, markAsRead=0, learning="")

    async def delete(self, uid: str) -> None:
        """Delete a message of the INBOX for good; to delete it first is to move it to the trash."""
        await self.run("MessageDelete", folder="INBOX", uids=uid)

    async def flag(self, uid: str) -> None:
        """Mark a message of the INBOX."""
        await self.run("MessageSetFlagged", folder="INBOX", uids=uid, setAction=1)

    async def _identity(self) -> dict[str, Any]:
        """The first identity."""
        answer = object_of(await self.run("AccountsAndIdentities"))
        identities = entries_of(answer.get("Identities"))
        if not identities:
            raise NotServed(Outcome.LOST, Stage.COMMAND, Reply("200", "", "no identity to write under"))
        return identities[0]

    async def write_as(self, name: str) -> None:
        """Change the name of the first identity."""
        identity = await self._identity()
        values = {
            "Id": identity.get("id", ""),
            "Email": identity.get("email", ""),
            "Name": name,
            "ReplyTo": identity.get("replyTo", ""),
            "Bcc": identity.get("bcc", ""),
            "Signature": identity.get("signature", ""),
            "SignatureInsertBefore": 1 if identity.get("signatureInsertBefore") else 0,
        }
        await self.run("IdentityUpdate", **values)

    async def make_filters(self, name: str) -> None:
        """Make a new script of filters, where the page shows those that there are."""
        await self.run("Filters")
        await self.run("FiltersScriptSave", name=name, active=0, body="keep;\r\n")

    async def add_contact(self, name: str, address: str) -> None:
        """Put somebody into the address book."""
        given, _, surname = name.rpartition(" ")
        card = [
            "vcard",
            [
                ["version", {}, "text", "4.0"],
                ["fn", {}, "text", name],
                ["n", {}, "text", [surname, given, "", "", ""]],
                ["email", {}, "text", address],
            ],
        ]
        saved = object_of(await self.run("ContactSave", uid="", jCard=json.dumps(card)))
        if not saved.get("ResultID"):
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply("200", "", "the contact is not saved"))

    async def contacts(self, word: str) -> list[str]:
        """What a search in the address book finds."""
        found = object_of(await self.run("Contacts", Search=word, Offset=0, Limit=50))
        return [json.dumps(one, ensure_ascii=False) for one in entries_of(found.get("List"))]

    async def suggested(self, word: str) -> list[str]:
        """The recipients that are suggested to who types this word."""
        return recipients_of(await self.run("Suggestions", Query=word))

    async def follow(self, url: str, user: str, password: str) -> None:
        """Name another server that has contacts (CardDAV), and the password there."""
        await self.run("SaveContactsSyncData", Mode=1, Url=url, User=user, Password=password)

    async def followed(self) -> bool:
        """Whether such a server is known, with a password, as Mailu tells the page's scripts."""
        known = object_of((await self._app_data(self.http, self.root)).get("ContactsSync") or {})
        return bool(known.get("Url") and known.get("Password"))

    async def page_size(self) -> int:
        """How many messages a page of the list has, as the server tells the page's scripts."""
        value = (await self._app_data(self.http, self.root)).get("MessagesPerPage")
        if not isinstance(value, int):
            raise CannotAsk("web mail does not say how many messages a page of the list has")
        return value

    async def set_page_size(self, size: int) -> None:
        """Change that setting."""
        await self.run("SettingsUpdate", MessagesPerPage=size)

    async def log_out(self) -> None:
        """Log out, and go where the page then sends the browser."""
        await self.run("Logout")
        link = str(object_of(self.data.get("System")).get("customLogoutLink") or f"{self.root}/")
        await self.http.get(link)


def _addresses(found: Any) -> list[str]:
    return [str(one.get("email", "")) for one in collection_of(found) if one.get("email")]


def _error_of(answer: Mapping[str, Any]) -> str:
    """Number and texts of an error; their names have changed in 2.38 (Actions/Response.php)."""
    names = (("code", "message", "messageAdditional"), ("ErrorCode", "ErrorMessage", "ErrorMessageAdditional"))
    texts = [str(answer[name]) for several in names for name in several if answer.get(name)]
    return show_line(" ".join(texts), TEXT_LIMIT)
