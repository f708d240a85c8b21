"""SnappyMail as a browser uses it: one page, and what its scripts send and get as JSON.

Source: SnappyMail 2.29.1, 2.36.4 and 2.38.2 (those of Mailu 2.0.43, 2024.06.24 and 2024.06.57), dev/ and
snappymail/v/0.0.0/app/libraries/RainLoop/ (Service.php, ServiceActions.php, Actions/); webmails/snappymail/ of Mailu.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from pytest_mailu.core.model import Stage
from pytest_mailu.probe.json_answer import collection_of, object_of
from pytest_mailu.probe.rainloop_family import RainloopFamily
from pytest_mailu.probe.web_mail import Draft, is_login, refused
from pytest_mailu.wire.http.client import HttpSession

BROWSER_COOKIE = "smctoken"
"""What the page's first script makes up for each browser; the session is encrypted with it (dev/boot.js, crypt.php)."""
_SEARCHES = {"subject": "subject", "from": "from", "text": "text"}
"""Field → its name in the form of the search (MailSo/Imap/SearchCriterias.php, parseQueryString)."""


class Snappymail(RainloopFamily):
    """A session of SnappyMail."""

    PAGE_SIZE = "MessagesPerPage"
    HOW_LISTED: ClassVar[Mapping[str, Any]] = {"sort": "", "uidNext": 0, "useThreads": 0, "threadUid": 0}

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

    async def told(self) -> Mapping[str, Any]:
        """What the server tells the page's scripts now."""
        return await self._app_data(self.http, self.root)

    def named(self, name: str) -> str:
        """The same."""
        return name

    @property
    def headers(self) -> dict[str, str]:
        """What every request of the page's scripts has: the token that the page got."""
        return {**super().headers, "X-SM-Token": str(self.system.get("token", ""))}

    async def run(self, action: str, **values: Any) -> Any:
        """A request of the page's scripts; the result.

        Raises `NotServed(REFUSED, COMMAND)` where the answer has an error in its place.
        """
        reply = await self.http.post(
            f"{self.root}/?/Json/&q[]=/0/", json={**values, "Action": action}, headers=self.headers, follow=False
        )
        return self.result(reply)

    async def folders(self) -> list[str]:
        """The names of the folders."""
        return sorted(str(one.get("fullName", "")) for one in collection_of(await self.run("Folders")))

    def query(self, field: str, word: str) -> str:
        """A search as the page's scripts write it."""
        return urlencode({_SEARCHES[field]: word})

    def link(self, part: Mapping[str, Any]) -> str:
        """Where the browser gets a part of a message (dev/Model/Attachment.js, dev/Common/Links.js)."""
        names = ("folder", "uid", "mimeIndex", "mimeType", "fileName")
        key = {**{name: part.get(name) for name in names}, "accountHash": self.data.get("accountHash")}
        encoded = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
        return f"{self.root}/?/Raw/&q[]=/0/Download/&q[]=/{encoded}"

    async def form_of(self, draft: Draft, identity: Mapping[str, Any]) -> dict[str, Any]:
        """What the page's scripts send of a message."""
        address, name = str(identity.get("email", "")), str(identity.get("name", ""))
        return {
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
            "dsn": 0,
            "requireTLS": 0,
            "readReceiptRequest": 0,
            "autocrypt": [],
            "linkedData": [],
        }

    async def _folder_of(self, role: str, usual: str) -> str:
        """The folder with this role (RFC 6154), as the page finds it; the usual name where none has it."""
        found = [one for one in collection_of(await self.run("Folders")) if one.get("role") == role]
        return str(found[0].get("fullName", usual)) if found else usual

    def attached(self, file: Mapping[str, Any]) -> dict[str, Any]:
        """How a message names a file that was uploaded."""
        return {"name": file.get("name"), "inline": False, "cId": "", "location": "", "type": file.get("mimeType")}

    async def make_filters(self, name: str) -> None:
        """Make a new script of filters, where the page shows those that there are."""
        await self.run("Filters")
        await self.run("FiltersScriptSave", name=name, active=0, body="keep;\r\n")

    async def file_into(self, word: str, folder: str) -> None:
        """Make a filter, in force at once, that moves what has this word in its subject into a folder.

        The page's scripts write it as a script of Sieve, since 2.0.
        """
        await self.run("Filters")
        script = f'require "fileinto";\r\nif header :contains "Subject" "{word}" {{ fileinto "{folder}"; }}\r\n'
        await self.run("FiltersScriptSave", name=word, active=0, body=script)
        await self.run("FiltersScriptActivate", name=word)

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
        await self.save_contact(uid="", jCard=json.dumps(card))

    async def follow(self, url: str, user: str, password: str) -> None:
        """Name another server that has contacts (CardDAV), and the password there."""
        await self.run("SaveContactsSyncData", Mode=1, Url=url, User=user, Password=password)

    async def followed(self) -> bool:
        """Whether such a server is known, with a password, as Mailu tells the page's scripts."""
        known = object_of((await self.told()).get("ContactsSync") or {})
        return bool(known.get("Url") and known.get("Password"))
