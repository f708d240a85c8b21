"""RainLoop as a browser uses it: forms that its page's scripts send to get JSON.

Source: RainLoop 1.16.0 (that of Mailu 1.9), dev/Remote/ and rainloop/v/0.0.0/app/libraries/RainLoop/
(ServiceActions.php, Actions.php); webmails/rainloop/ of Mailu 1.9.50.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pytest_mailu.core.model import Stage
from pytest_mailu.probe.json_answer import MOST_ENTRIES, collection_of, object_of
from pytest_mailu.probe.rainloop_family import RainloopFamily, capitalised
from pytest_mailu.probe.roundcube_script import calls
from pytest_mailu.probe.web_mail import Draft, is_login, refused
from pytest_mailu.wire.http.client import HttpSession
from pytest_mailu.wire.imap.session import modified_utf7

FULL_NAME, FIRST_NAME, LAST_NAME, EMAIL = 10, 15, 16, 30
"""Kinds of what a contact consists of (Providers/AddressBook/Enumerations/PropertyType.php)."""


class Rainloop(RainloopFamily):
    """A session of RainLoop."""

    PAGE_SIZE = "MPP"

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

    async def told(self) -> Mapping[str, Any]:
        """What the server tells the page's scripts now."""
        return await self._app_data(self.http, self.root, self.session)

    def named(self, name: str) -> str:
        """A name of SnappyMail as RainLoop writes it: with a capital letter."""
        return capitalised(name)

    @property
    def session(self) -> str:
        """The part of every address that names the session."""
        return str(self.data.get("AuthAccountHash") or "0")

    async def run(self, action: str, **values: Any) -> Any:
        """A request of the page's scripts, which is a form; the result.

        Raises `NotServed(REFUSED, COMMAND)` where the answer has an error in its place.
        """
        reply = await self.http.post(
            f"{self.root}/?/Ajax/&q[]=/{self.session}/",
            data=php_form({**values, "Action": action, "XToken": self.system.get("token", "")}),
            headers=self.headers,
            follow=False,
        )
        return self.result(reply)

    async def folders(self) -> list[str]:
        """The names of the folders, those in other folders as well."""
        level = collection_of(await self.run("Folders"))
        names: list[str] = []
        while level and len(names) < MOST_ENTRIES:
            names += [str(one.get("FullNameRaw", "")) for one in level]
            level = [inner for one in level for inner in collection_of(one.get("SubFolders"))]
        return sorted(names)

    def query(self, field: str, word: str) -> str:
        """A search as the page's scripts write it (MailSo/Mail/MailClient.php, parseSearchString)."""
        return f'{field}:"{word}"'

    def link(self, part: Mapping[str, Any]) -> str:
        """Where the browser gets a part of a message."""
        return f"{self.root}/?/Raw/&q[]=/{self.session}/Download/&q[]=/{part.get('Download', '')}"

    async def form_of(self, draft: Draft, identity: Mapping[str, Any]) -> dict[str, Any]:
        """What the page's scripts send of a message."""
        return {
            "IdentityID": identity.get("Id", ""),
            "SentFolder": "Sent",
            "To": draft.to,
            "Bcc": draft.bcc,
            "Subject": draft.subject,
            "TextIsHtml": 0,
            "Text": draft.text,
        }

    def attached(self, file: Mapping[str, Any]) -> list[str]:
        """How a message names a file that was uploaded."""
        return [str(file.get("Name", "")), "0", "", ""]

    async def make_filters(self, name: str) -> None:
        """Make a filter of this name, where the page shows those that there are."""
        await self.file_into(name, "Junk")

    async def file_into(self, word: str, folder: str) -> None:
        """Make a filter, in force at once, that moves what has this word in its subject into a folder."""
        await self.run("Filters")
        condition = {"Field": "Subject", "Type": "Contains", "Value": word, "ValueSecond": ""}
        one = {"ID": word, "Enabled": 1, "Name": word, "ConditionsType": "Any", "Conditions": [condition]}
        action = {"ActionType": "MoveTo", "ActionValue": modified_utf7(folder), "Keep": 1, "Stop": 1, "MarkAsRead": 0}
        await self.run("FiltersSave", Raw="", RawIsActive=0, Filters=[{**one, **action}])

    async def add_contact(self, name: str, address: str) -> None:
        """Put somebody into the address book."""
        given, _, surname = name.rpartition(" ")
        parts = [[FULL_NAME, name, ""], [FIRST_NAME, given, ""], [LAST_NAME, surname, ""], [EMAIL, address, ""]]
        await self.save_contact(RequestUid=secrets.token_hex(8), Uid="", Properties=parts)


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
