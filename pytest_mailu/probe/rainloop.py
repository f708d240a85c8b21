"""RainLoop as a browser uses it: one page, and forms that its scripts send to get JSON.

Source: RainLoop 1.16.0 (that of Mailu 1.9), dev/Remote/ and rainloop/v/0.0.0/app/libraries/RainLoop/
(ServiceActions.php, Actions.php); webmails/rainloop/ of Mailu 1.9.50.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from typing import Any

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import User
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.json_answer import MOST_ENTRIES, collection_of, entries_of, object_of, recipients_of
from pytest_mailu.probe.roundcube_script import calls
from pytest_mailu.probe.web_mail import Answer, Draft, Shown, form_with_file, is_login, refused
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

FULL_NAME, FIRST_NAME, LAST_NAME, EMAIL = 10, 15, 16, 30
"""Kinds of what a contact consists of (Providers/AddressBook/Enumerations/PropertyType.php)."""


class Rainloop:
    """A session of web mail. `root` is its path (`WEB_WEBMAIL`), `data` what the server tells the page's scripts."""

    def __init__(self, http: HttpSession, root: str, entered: HttpReply, data: Mapping[str, Any]) -> None:
        self.http = http
        self.root = root
        self.entered = entered
        self.data = data

    @classmethod
    async def enter(cls, http: HttpSession, root: str) -> Rainloop:
        """Web mail in a browser that has logged in to the web site.

        Raises `NotServed(REFUSED, AUTH)` where that leads back to the login page, or to anything but a mailbox.
        """
        reply = await http.get(f"{root}/")
        if reply.status == 200 and not is_login(reply):
            data = await cls._app_data(http, root)
            if not data.get("Auth"):
                # Its page then goes to `custom_login_link`, which Mailu sets to this one.
                reply = await http.get(f"{root}/sso.php")
                data = {} if is_login(reply) or reply.status != 200 else await cls._app_data(http, root)
            if data.get("Auth"):
                return cls(http, root, reply, data)
        raise refused(reply, "nobody is logged in", Stage.AUTH)

    @staticmethod
    async def _app_data(http: HttpSession, root: str, session: str = "0") -> Mapping[str, Any]:
        """A new session tells its name once, and then knows who names it (dev/Common/Booter.js)."""
        reply = await http.get(f"{root}/?/AppData@no-mobile-0/{session}/{secrets.randbelow(10**9)}/", follow=False)
        if reply.status != 200:
            raise refused(reply, "", Stage.AUTH)
        told = next(calls(reply.text, "window.__initAppData"), [])
        return object_of(told[0] if told else {})

    def is_of(self, user: User) -> bool:
        """Whether it is this user's mailbox that has opened."""
        return self.data.get("Email") == user.address

    @property
    def _system(self) -> dict[str, Any]:
        return object_of(self.data.get("System") or {})

    @property
    def _session(self) -> str:
        """The part of every address that names the session."""
        return str(self.data.get("AuthAccountHash") or "0")

    async def run(self, action: str, **values: Any) -> Any:
        """A request of the page's scripts; the result.

        Raises `NotServed(REFUSED, COMMAND)` where the answer has an error in its place.
        """
        reply = await self.http.post(
            f"{self.root}/?/Ajax/&q[]=/{self._session}/",
            data=php_form({**values, "Action": action, "XToken": self._system.get("token", "")}),
            headers={"Accept": "application/json"},
            follow=False,
        )
        return self._result(reply)

    @staticmethod
    def _result(reply: HttpReply) -> Any:
        if reply.status != 200:
            raise refused(reply, "")
        answer = object_of(reply.json())
        result = answer.get("Result")
        if result is None or result is False:
            texts = [answer.get(name) for name in ("ErrorCode", "ErrorMessage", "ErrorMessageAdditional")]
            raise refused(reply, show_line(" ".join(str(text) for text in texts if text), TEXT_LIMIT))
        return result

    async def folders(self) -> list[str]:
        """The names of the folders, those in other folders as well."""
        level = collection_of(await self.run("Folders"))
        names: list[str] = []
        while level and len(names) < MOST_ENTRIES:
            names += [str(one.get("FullNameRaw", "")) for one in level]
            level = [inner for one in level for inner in collection_of(one.get("SubFolders"))]
        return sorted(names)

    async def subjects(self, folder: str = "INBOX") -> dict[str, str]:
        """The list of messages in a folder: UID → subject."""
        return {uid: str(one.get("Subject", "")) for uid, one in (await self._list(folder)).items()}

    async def search(self, field: str, word: str) -> Collection[str]:
        """The UIDs of what a search in the INBOX finds (MailSo/Mail/MailClient.php, parseSearchString)."""
        return (await self._list("INBOX", f'{field}:"{word}"')).keys()

    async def _list(self, folder: str, search: str = "") -> dict[str, dict[str, Any]]:
        found = await self.run("MessageList", Folder=folder, Offset=0, Limit=100, Search=search)
        return {str(one.get("Uid", "")): one for one in collection_of(found)}

    async def _message(self, uid: str) -> dict[str, Any]:
        return object_of(await self.run("Message", Folder="INBOX", Uid=uid))

    async def show(self, uid: str) -> Shown:
        """Open a message of the INBOX; its page makes it a read one afterwards."""
        message = await self._message(uid)
        parts = collection_of(message.get("Attachments"))
        names = [str(part.get("FileName", "")) for part in parts]
        text = "\n".join([*(str(message.get(kind) or "") for kind in ("Subject", "Html", "Plain")), *names])
        await self.run("MessageSetSeen", Folder="INBOX", Uids=uid, SetAction=1)
        begin = f"{self.root}/?/Raw/&q[]=/{self._session}/Download/&q[]=/"
        return Shown(text, {str(part.get("MimeIndex", "")): f"{begin}{part.get('Download', '')}" for part in parts})

    async def save_file(self, shown: Shown, part: str) -> bytes:
        """A part of a message, by the link that its page has."""
        if part not in shown.files:
            raise NotServed(Outcome.LOST, Stage.COMMAND, Reply("200", "", "no such attachment"))
        reply = await self.http.get(shown.files[part], follow=False)
        if reply.status != 200:
            raise refused(reply, "")
        return reply.body

    async def send(self, draft: Draft) -> Reply:
        """Send a message under the first identity, with a copy in the sent messages."""
        return await self._send(draft)

    async def answer(self, uid: str, text: str) -> Answer:
        """Answer a message. Whom to, and what of it is quoted, its page's scripts decide."""
        message = await self._message(uid)
        writer = (_addresses(message.get("ReplyTo")) or _addresses(message.get("From")) or [""])[0]
        parent = str(message.get("MessageId", ""))
        reply = await self._send(
            Draft(writer, f"Re: {message.get('Subject', '')}", text),
            DraftInfo=["reply", uid, "INBOX"],
            InReplyTo=parent,
            References=f"{message.get('References') or ''} {parent}".strip(),
        )
        return Answer(reply, writer, None)

    async def _send(self, draft: Draft, **more: Any) -> Reply:
        identity = await self._identity()
        values = {
            "IdentityID": identity.get("Id", ""),
            "SentFolder": "Sent",
            "To": draft.to,
            "Bcc": draft.bcc,
            "Subject": draft.subject,
            "TextIsHtml": 0,
            "Text": draft.text,
            "Attachments": dict([await self._upload(name, content) for name, content in draft.files.items()]),
        }
        await self.run("SendMessage", **{**values, **more})
        return Reply("200")

    async def _upload(self, name: str, content: bytes) -> tuple[str, list[str]]:
        """Upload a file for a message that is being written: its name on the server, and how a message names it."""
        body, kind = form_with_file("uploader", name, content)
        reply = await self.http.post(
            f"{self.root}/?/Upload/&q[]=/{self._session}/", content=body, headers={"Content-Type": kind}, follow=False
        )
        file = object_of(object_of(self._result(reply)).get("Attachment") or {})
        if not file.get("TempName"):
            raise refused(reply, "the file is not among the attachments")
        return str(file["TempName"]), [str(file.get("Name", "")), "0", "", ""]

    async def move(self, uid: str, folder: str) -> None:
        """Move a message of the INBOX."""
        await self.run("MessageMove", FromFolder="INBOX", ToFolder=folder, Uids=uid, MarkAsRead=0)

    async def delete(self, uid: str) -> None:
        """Delete a message of the INBOX for good; to delete it first is to move it to the trash."""
        await self.run("MessageDelete", Folder="INBOX", Uids=uid)

    async def flag(self, uid: str) -> None:
        """Mark a message of the INBOX."""
        await self.run("MessageSetFlagged", Folder="INBOX", Uids=uid, SetAction=1)

    async def _identity(self) -> dict[str, Any]:
        """The first identity."""
        identities = entries_of(object_of(await self.run("AccountsAndIdentities")).get("Identities"))
        if not identities:
            raise NotServed(Outcome.LOST, Stage.COMMAND, Reply("200", "", "no identity to write under"))
        return identities[0]

    async def write_as(self, name: str) -> None:
        """Change the name of the first identity."""
        identity = await self._identity()
        fields = {key: identity.get(key) or "" for key in ("Id", "Email", "ReplyTo", "Bcc", "Signature")}
        await self.run("IdentityUpdate", **fields, Name=name, SignatureInsertBefore=0)

    async def make_filters(self, name: str) -> None:
        """Make a filter of this name, where the page shows those that there are."""
        await self.run("Filters")
        condition = {"Field": "Subject", "Type": "Contains", "Value": name, "ValueSecond": ""}
        one = {"ID": name, "Enabled": 1, "Name": name, "ConditionsType": "Any", "Conditions": [condition]}
        action = {"ActionType": "MoveTo", "ActionValue": "Junk", "Keep": 1, "Stop": 1, "MarkAsRead": 0}
        await self.run("FiltersSave", Raw="", RawIsActive=0, Filters=[{**one, **action}])

    async def add_contact(self, name: str, address: str) -> None:
        """Put somebody into the address book."""
        given, _, surname = name.rpartition(" ")
        parts = [[FULL_NAME, name, ""], [FIRST_NAME, given, ""], [LAST_NAME, surname, ""], [EMAIL, address, ""]]
        saved = await self.run("ContactSave", RequestUid=secrets.token_hex(8), Uid="", Properties=parts)
        if not object_of(saved).get("ResultID"):
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply("200", "", "the contact is not saved"))

    async def contacts(self, word: str) -> list[str]:
        """What a search in the address book finds."""
        found = object_of(await self.run("Contacts", Search=word, Offset=0, Limit=50))
        return [json.dumps(one, ensure_ascii=False) for one in entries_of(found.get("List"))]

    async def suggested(self, word: str) -> list[str]:
        """The recipients that are suggested to who types this word."""
        return recipients_of(await self.run("Suggestions", Query=word))

    async def page_size(self) -> int:
        """How many messages a page of the list has, as the server tells the page's scripts."""
        value = (await self._app_data(self.http, self.root, self._session)).get("MPP")
        if not isinstance(value, int):
            raise CannotAsk("web mail does not say how many messages a page of the list has")
        return value

    async def set_page_size(self, size: int) -> None:
        """Change that setting."""
        await self.run("SettingsUpdate", MPP=size)

    async def log_out(self) -> None:
        """Log out, and go where the page then sends the browser."""
        await self.run("Logout")
        await self.http.get(str(self._system.get("customLogoutLink") or f"{self.root}/"))


def php_form(values: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a form whose values are nested, as PHP reads them: `a[b][0]`."""
    fields: dict[str, str] = {}
    level: list[tuple[str, Any]] = list(values.items())
    while level:
        name, value = level.pop(0)
        if isinstance(value, dict | list):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            level += [(f"{name}[{key}]", one) for key, one in inner]
        else:
            fields[name] = "" if value is None else str(value)
    return fields


def _addresses(found: Any) -> list[str]:
    return [str(one.get("Email", "")) for one in collection_of(found) if one.get("Email")]
