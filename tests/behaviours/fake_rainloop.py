"""Mailu's web site of 1.9 with RainLoop in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pytest_mailu.behaviours.webmail_mailbox import LINES
from tests.behaviours.fake_web_mail import UID, FakeWebMail, Fault

TOKEN = "a" * 32
FILE = {"MimeIndex": "2", "FileName": "lines.bin", "Download": "key-of-the-file"}
FOLDERS = [{"FullNameRaw": "INBOX", "SubFolders": {"@Collection": [{"FullNameRaw": "INBOX/Deep"}]}}]
REFUSAL = {"Result": False, "ErrorCode": 999, "ErrorMessage": "No."}
SESSION = "_session"


@dataclass
class FakeRainloop(FakeWebMail):
    """As far as behaviours use it. A session is named once; then its name stands in every address."""

    logged_in: bool = False
    named: bool = False

    def inside(self, query: str, asked: dict[str, str]) -> tuple[int, str, str]:
        if query.startswith("/AppData"):
            return 200, "", f"if(window.__initAppData){{window.__initAppData({json.dumps(self._app_data(query))});}}"
        if query.startswith("/Raw"):
            right = SESSION in query and query.endswith("/key-of-the-file")
            return (200, "", "other" if self.fault is Fault.OTHER_FILE else LINES.decode()) if right else (404, "", "")
        if query.startswith("/Upload"):
            name = self.body.partition('filename="')[2].partition('"')[0]
            return 200, "", json.dumps({"Result": {"Attachment": {"Name": name, "TempName": "upload-1"}}})
        if query.startswith("/Ajax"):
            right = asked.get("XToken") == TOKEN and SESSION in query
            return 200, "", json.dumps(self._answer(asked) if right else {"Result": False, "ErrorCode": 101})
        return 200, "", "<html>"

    def answer(self, method: str, path: str, data: dict[str, str]) -> tuple[int, str, str]:
        status, location, body = super().answer(method, path, data)
        if path.startswith("/webmail/sso.php") and status == 200:
            self.logged_in, self.named = True, False
            return 302, "/webmail/", ""
        if "ViewAsPlain" in path and status == 404:
            return 200, "", "The words of a letter."
        return status, location, body

    def _app_data(self, query: str) -> dict[str, Any]:
        system = {"token": TOKEN, "customLogoutLink": "/sso/logout"}
        if not self.logged_in or (self.named and SESSION not in query):
            return {"Auth": False, "System": system}
        self.named = True
        return {"Auth": True, "Email": self.opened, "AuthAccountHash": SESSION, "MPP": self.page_size, "System": system}

    def _answer(self, asked: dict[str, str]) -> dict[str, Any]:
        action, fault = asked["Action"], self.fault
        self.done.append(action)
        if action == "Logout":
            if fault is not Fault.STAYS:
                self.opened, self.logged_in = "", False
            return {"Result": True}
        if fault is Fault.SAYS_NO or (fault is Fault.NO_SIEVE and action == "Filters"):
            return REFUSAL
        return {"Result": self._result(action, asked)}

    def _result(self, action: str, asked: dict[str, str]) -> Any:
        fault = self.fault
        match action:
            case "Folders":
                return {"@Collection": FOLDERS}
            case "MessageList":
                row = {"Uid": "9" if fault is Fault.FINDS_OTHERS else UID, "Subject": f"of {fault}"}
                return {"@Collection": [] if fault is Fault.NO_ROW else [row]}
            case "Message":
                text = "" if fault is Fault.EMPTY_MESSAGE else "The words of a letter, with ümläuts."
                text += "<script>script-of-the-letter" if fault is Fault.SCRIPTS else ""
                people = {"From": [{"Email": "bob@post.example", "Name": "Bob"}], "ReplyTo": None}
                return {"Subject": "S", "Plain": text, "MessageId": "<1@x>", "Attachments": [FILE], **people}
            case "AccountsAndIdentities":
                return {"Identities": [{"Id": "", "Email": self.opened, "Name": "Me"}]}
            case "SendMessage":
                self.sent = dict(asked)
            case "FiltersSave":
                self.sets = asked["Filters[0][Name]"]
            case "ContactSave":
                parts = [asked[f"Properties[{number}][1]"] for number in (0, 3)]
                self.contact = "" if fault is Fault.FORGETS else json.dumps(parts, ensure_ascii=False)
                return {"ResultID": "1"}
            case "Contacts":
                return {"List": [{"Properties": self.contact}] if asked["Search"] in self.contact else []}
            case "Suggestions":
                name, address = json.loads(self.contact)
                return [] if fault is Fault.NO_SUGGESTION else [[address, name]]
            case "SettingsUpdate":
                self.page_size = self.page_size if fault is Fault.FORGETS else int(asked["MPP"])
        return True
