"""Mailu's web site with Roundcube in it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pytest_mailu.behaviours.webmail_mailbox import LINES
from tests.behaviours.fake_web_mail import UID, FakeWebMail, Fault

START = 'rcmail.set_env({"task":"mail","request_token":"abc","mailboxes":{"INBOX":{},"Sent":{}}});'


@dataclass
class FakeRoundcube(FakeWebMail):
    """As far as behaviours use it."""

    def inside(self, query: str, asked: dict[str, str]) -> tuple[int, str, str]:
        action, fault = asked.get("_action", ""), self.fault
        if asked.get("_task") == "logout" and fault is not Fault.STAYS:
            self.user = self.opened = ""
            return 302, "/sso/login", ""
        said = 'this.display_message("No.","error");' if fault is Fault.SAYS_NO else ""
        row = f'this.add_message_row({UID},{{"subject":"of {fault}"}},{{}});'
        if asked.get("_remote"):
            self.done.append(action)
            found = {Fault.NO_ROW: "", Fault.FINDS_OTHERS: row.replace(UID, "9")}.get(fault, row)
            if action == "autocomplete" or asked["_task"] == "addressbook":
                found = self._people(action, asked.get("_q", asked.get("_search", "")))
            found = 'this.add2attachment_list("rcmfile1",{});' if action == "upload" else found
            return 200, "", json.dumps({"action": action, "exec": said + found})
        match action:
            case "show":
                text = "" if fault is Fault.EMPTY_MESSAGE else "The words of a letter, with ümläuts."
                text += '<a href="./?_task=mail&amp;_action=get&amp;_uid=7&amp;_part=2">lines.bin</a>'
                return 200, "", text + ("<script>script-of-the-letter" if fault is Fault.SCRIPTS else "")
            case "get":
                return 200, "", "other" if fault is Fault.OTHER_FILE else LINES.decode()
            case "compose":
                fields = "".join(f'<input name="{name}" value="1">' for name in ("_id", "_to"))
                return 200, "", f'{START}{fields}<select name="_from"><option value="3">me</option></select>'
            case "send":
                self.sent = asked
                shown = "" if fault is Fault.SAYS_NO else 'parent.rcmail.sent_successfully("confirmation","Sent.");'
                return 200, "", said.replace("this", "parent.rcmail") + shown
            case "save":
                self.contact = "" if fault is Fault.FORGETS else f"{asked['_name']} <{asked['_email[]']}>"
                return 200, "", 'parent.rcmail.display_message("Saved.","confirmation");'
            case "edit-prefs":
                return 200, "", f'<input name="_mail_pagesize" value="{self.page_size}">'
            case "save-prefs":
                self.page_size = self.page_size if fault is Fault.FORGETS else int(asked["_mail_pagesize"])
            case "plugin.managesieve-save":
                self.sets = asked["_name"]
            case "plugin.managesieve":
                return 200, "", 'rcmail.display_message("No.","error");' if fault is Fault.NO_SIEVE else START
        return 200, "", f"{START} {self.opened}"

    def _people(self, action: str, word: str) -> str:
        known = [self.contact] if self.contact and word in self.contact else []
        if action == "search":
            return "".join(f"this.add_contact_row(1,{json.dumps({'name': one})});" for one in known)
        suggested = [{"name": one} for one in known if self.fault is not Fault.NO_SUGGESTION]
        return f"this.ksearch_query_results({json.dumps(suggested)},{json.dumps(word)});"
