"""Mailu's web site with SnappyMail in it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from pytest_mailu.behaviours.webmail_mailbox import LINES
from tests.behaviours.fake_web_mail import UID, FakeWebMail, Fault

TOKEN = "a" * 40
FILE = {"folder": "INBOX", "uid": int(UID), "mimeIndex": "2", "mimeType": "text/plain", "fileName": "lines.bin"}
FOLDERS = [{"fullName": "INBOX", "role": "inbox"}, {"fullName": "Gesendet", "role": "sent"}]
REFUSAL = {"Result": False, "ErrorCode": 999, "ErrorMessage": "No."}


@dataclass
class FakeSnappymail(FakeWebMail):
    """As far as behaviours use it: the names of fields are those of 2.36."""

    followed: dict[str, str] = field(default_factory=dict)
    """The other server that has contacts."""
    sealed: bool = False
    """Whether its password cannot be read, so that there are no contacts at all."""

    def inside(self, query: str, asked: dict[str, str]) -> tuple[int, str, str]:
        if query.startswith("/AppData"):
            return 200, "", json.dumps(self._app_data())
        if "/ViewAsPlain/" in query:
            return 200, "", "The words of a letter."
        if query.startswith("/Raw"):
            key = json.loads(base64.urlsafe_b64decode(f"{query.rpartition('/')[2]}=="))
            right = key.items() >= {**FILE, "accountHash": "hash"}.items()
            return (200, "", "other" if self.fault is Fault.OTHER_FILE else LINES.decode()) if right else (404, "", "")
        if query.startswith(("/Json", "/Upload")):
            right = self.headers.get("x-sm-token") == TOKEN
            answer = self._upload() if query.startswith("/Upload") else self._json(json.loads(self.body))
            return 200, "", json.dumps(answer if right else {"Result": False, "code": 101, "message": "Token mismatch"})
        return 200, "", "<html>"

    def _app_data(self) -> dict[str, Any]:
        system = {"token": TOKEN, "customLogoutLink": "/sso/logout"}
        user = {"Auth": True, "Email": self.opened, "accountHash": "hash", "MessagesPerPage": self.page_size}
        if not self.sealed:
            user["ContactsSync"] = {"Mode": 0, "Url": "", "User": "", "Password": "", **self.followed}
        return {**user, "System": system} if self.opened else {"Auth": False, "System": system}

    def _upload(self) -> dict[str, Any]:
        name = self.body.partition('filename="')[2].partition('"')[0]
        return {"Result": {"Attachment": {"name": name, "tempName": "upload-1", "mimeType": "text/plain"}}}

    def _json(self, asked: dict[str, Any]) -> dict[str, Any]:
        action, fault = asked["Action"], self.fault
        self.done.append(action)
        if action == "Logout":
            self.opened = self.opened if fault is Fault.STAYS else ""
            self.sealed = fault is Fault.SEALED and bool(self.followed)
            self.followed = {**self.followed, "Password": ""} if fault is Fault.FORGETS else self.followed
            return {"Result": True}
        if fault is Fault.SAYS_NO or (fault is Fault.NO_SIEVE and action == "Filters"):
            return REFUSAL
        return {"Result": self._result(action, asked)}

    def _result(self, action: str, asked: dict[str, Any]) -> Any:
        fault = self.fault
        match action:
            case "Folders":
                return {"@Object": "Collection/FolderCollection", "@Collection": FOLDERS}
            case "MessageList":
                row = {"uid": 9 if fault is Fault.FINDS_OTHERS else int(UID), "subject": f"of {fault}"}
                return {"@Collection": [] if fault is Fault.NO_ROW else [row]}
            case "Message":
                text = "" if fault is Fault.EMPTY_MESSAGE else "The words of a letter, with ümläuts."
                people = {"from": {"@Collection": [{"email": "bob@post.example", "name": "Bob"}]}, "replyTo": None}
                files = {"@Collection": [FILE]}
                return {"subject": "S", "plain": text, "messageId": "<1@x>", "attachments": files, **people}
            case "AccountsAndIdentities":
                return {"Identities": [{"id": "", "email": self.opened, "name": "Me"}]}
            case "SendMessage":
                self.sent = asked
            case "FiltersScriptSave":
                self.sets = asked["name"]
            case "ContactSave":
                self.contact = "" if fault is Fault.FORGETS else asked["jCard"]
                return {"ResultID": "1"}
            case "Contacts":
                return {"List": [{"jCard": json.loads(self.contact)}] if asked["Search"] in self.contact else []}
            case "Suggestions":
                (name,), (address,) = ([p[3] for p in json.loads(self.contact)[1] if p[0] == key] for key in _PARTS)
                return [] if fault is Fault.NO_SUGGESTION else [[address, name]]
            case "SaveContactsSyncData":
                self.followed = {name: asked[name] for name in ("Url", "User", "Password")}
            case "SettingsUpdate":
                self.page_size = self.page_size if fault is Fault.FORGETS else asked["MessagesPerPage"]
        return True


_PARTS = ("fn", "email")
