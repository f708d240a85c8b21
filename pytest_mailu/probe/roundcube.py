"""Roundcube as a browser uses it: pages with a form, and requests that its own scripts make (JSON).

Source: Roundcube 1.6, program/js/app.js and program/actions/; webmails/roundcube/ of Mailu since 2.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import User
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.admin_site import LONGEST_PAGE, form
from pytest_mailu.probe.roundcube_script import calls, environment, first_option, options, rows, shown
from pytest_mailu.probe.web_mail import Answer, Draft, Shown, form_with_file, is_login, refused
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.imap.session import modified_utf7
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

PAGE_SIZE = "_mail_pagesize"
"""The setting's field in the form of the section `mailbox` (program/actions/settings/index.php)."""
OWN_CONTACTS = "0"
"""The address book in web mail's database (Roundcube, program/lib/Roundcube/rcube_addressbook.php)."""
IDENTITY = ("name", "email", "organization", "reply-to", "bcc", "standard", "signature")
"""What an identity consists of (program/actions/settings/identity_save.php)."""


class Roundcube:
    """A session of web mail. `root` is its path (`WEB_WEBMAIL`), `env` what its page tells its scripts."""

    def __init__(self, http: HttpSession, root: str, entered: HttpReply) -> None:
        self.http = http
        self.root = root
        self.entered = entered
        self.env = environment(entered.text)
        self._token = str(self.env["request_token"])

    @classmethod
    async def enter(cls, http: HttpSession, root: str) -> Roundcube:
        """Web mail in a browser that has logged in to the web site.

        Raises `NotServed(REFUSED, AUTH)` where that leads back to the login page, or to anything but a mailbox.
        """
        reply = await http.get(f"{root}/")
        if not is_inside(reply):
            raise refused(reply, _said_of(reply), Stage.AUTH)
        return cls(http, root, reply)

    def is_of(self, user: User) -> bool:
        """Whether it is this user's mailbox that has opened: the page names it."""
        return user.address in self.entered.text

    async def folders(self) -> list[str]:
        """The names of the folders beside the list of messages."""
        mailboxes = self.env.get("mailboxes")
        return sorted(map(str, mailboxes)) if isinstance(mailboxes, dict) else []

    async def page(self, task: str, action: str = "", **query: str) -> HttpReply:
        """A page, as a click on a link shows it. Raises `NotServed(REFUSED, COMMAND)` where there is an error."""
        asked = {"_task": task, **({"_action": action} if action else {}), **query}
        reply = await self.http.get(f"{self.root}/?{urlencode(asked)}")
        if reply.status >= 400 or is_login(reply):
            raise refused(reply, _said_of(reply))
        return reply

    async def run(self, action: str, task: str = "mail", **data: str) -> dict[str, Any]:
        """A request that changes something, as a script makes it; what the server answers.

        Raises `NotServed(REFUSED, COMMAND)` where it shows an error.
        """
        reply = await self.http.post(
            f"{self.root}/?{urlencode({'_task': task, '_action': action})}",
            data={**data, "_remote": "1", "_token": self._token},
            headers=self._of_a_script,
            follow=False,
        )
        return self._answer(reply)

    async def look(self, action: str, task: str = "mail", **query: str) -> dict[str, Any]:
        """A request that changes nothing; otherwise as `run`."""
        asked = urlencode({"_task": task, "_action": action, **query, "_remote": "1"})
        reply = await self.http.get(f"{self.root}/?{asked}", headers=self._of_a_script, follow=False)
        return self._answer(reply)

    @property
    def _of_a_script(self) -> dict[str, str]:
        return {"X-Requested-With": "XMLHttpRequest", "X-Roundcube-Request": self._token}

    @staticmethod
    def _answer(reply: HttpReply) -> dict[str, Any]:
        if reply.status != 200:
            raise refused(reply, _said_of(reply))
        answer = reply.json()
        if not isinstance(answer, dict):
            raise CannotAsk("an answer of web mail that is no JSON object")
        script = str(answer.get("exec", ""))
        if errors := shown(script, "error"):
            raise refused(reply, errors)
        if next(calls(script, "this.session_error"), None) is not None:
            raise refused(reply, "the session is lost")
        return answer

    async def subjects(self, folder: str = "INBOX") -> dict[str, str]:
        """The list of messages in a folder: UID → subject, without its markup."""
        listed = rows(await self.look("list", _mbox=folder))
        return {uid: _plain(str(row.get("subject", ""))) for uid, row in listed.items()}

    async def show(self, uid: str) -> Shown:
        """Open a message of the INBOX."""
        page = await self.page("mail", "show", _mbox="INBOX", _uid=uid)
        files: dict[str, str] = {}
        for written in re.findall(r'href="([^"]{0,2000})"', page.text[:LONGEST_PAGE]):
            link = unescape(written)
            asked = parse_qs(urlsplit(link).query)
            if asked.get("_action") == ["get"] and "_part" in asked:
                files.setdefault(asked["_part"][0], urljoin(page.url, f"{link}&_download=1"))
        return Shown(page.text, files)

    async def save_file(self, shown: Shown, part: str) -> bytes:
        """A part of a message, by the link on its page."""
        if part not in shown.files:
            raise NotServed(Outcome.LOST, Stage.COMMAND, Reply("200", "", "no link to the attachment"))
        reply = await self.http.get(shown.files[part])
        if reply.status >= 400 or is_login(reply):
            raise refused(reply, _said_of(reply))
        return reply.body

    async def search(self, field: str, word: str) -> Collection[str]:
        """The UIDs of what a search in the INBOX finds."""
        answer = await self.look("search", _mbox="INBOX", _q=word, _headers=field, _scope="base", _filter="ALL")
        return rows(answer).keys()

    async def send(self, draft: Draft) -> Reply:
        """Write a message on the page for it, and send its form."""
        fields = await self.compose()
        for name, content in draft.files.items():
            await self._attach(fields.get("_id", ""), name, content)
        bcc = {"_bcc": draft.bcc} if draft.bcc else {}
        return await self._send({**fields, "_to": draft.to, "_subject": draft.subject, "_message": draft.text, **bcc})

    async def answer(self, uid: str, text: str) -> Answer:
        """Answer a message: Roundcube fills in the form with its sender and its text."""
        fields = await self.compose(_reply_uid=uid, _mbox="INBOX")
        quotation = fields.get("_message", "")
        reply = await self._send({**fields, "_message": f"{text}\n{quotation}"})
        return Answer(reply, fields.get("_to", ""), quotation)

    async def compose(self, **query: str) -> dict[str, str]:
        """Open the page to write a message; the fields of its form."""
        page = await self.page("mail", "compose", **query)
        return form(page.text) | {"_from": first_option(page.text, "_from")}

    async def _send(self, fields: Mapping[str, str]) -> Reply:
        data = {**fields, "_task": "mail", "_action": "send", "_token": self._token, "_is_html": "0"}
        reply = await self.http.post(
            f"{self.root}/?{urlencode({'_task': 'mail', '_unlock': '1', '_framed': '1'})}", data=data, follow=False
        )
        if reply.status != 200:
            raise refused(reply, _said_of(reply))
        sent = next(calls(reply.text, "sent_successfully"), None)
        if sent is None:
            raise refused(reply, shown(reply.text, "error"))
        return Reply("200", "", show_line(str(sent[1]) if len(sent) > 1 else "", TEXT_LIMIT))

    async def _attach(self, compose_id: str, name: str, content: bytes) -> None:
        """Upload a file for a message that is being written."""
        asked = {"_task": "mail", "_action": "upload", "_id": compose_id, "_uploadid": "1", "_from": "compose"}
        body, kind = form_with_file("_attachments[]", name, content)
        reply = await self.http.post(
            f"{self.root}/?{urlencode({**asked, '_remote': '1'})}",
            content=body,
            headers={**self._of_a_script, "Content-Type": kind},
            follow=False,
        )
        answer = self._answer(reply)
        if next(calls(str(answer.get("exec", "")), "this.add2attachment_list"), None) is None:
            raise refused(reply, "the file is not among the attachments")

    async def move(self, uid: str, folder: str) -> None:
        """Move a message of the INBOX."""
        await self.run("move", _mbox="INBOX", _uid=uid, _target_mbox=folder)

    async def delete(self, uid: str) -> None:
        """Delete a message of the INBOX: Roundcube moves it to the trash."""
        await self.run("delete", _mbox="INBOX", _uid=uid)

    async def flag(self, uid: str) -> None:
        """Mark a message of the INBOX."""
        await self.run("mark", _mbox="INBOX", _uid=uid, _flag="flagged")

    async def save(self, action: str, values: Mapping[str, str], task: str = "settings") -> Reply:
        """Send a form of the settings, or of another task. What a box confirms is the reply's text.

        Raises `NotServed(REFUSED, COMMAND)` where it is not saved.
        """
        reply = await self.http.post(
            f"{self.root}/?{urlencode({'_task': task, '_framed': '1'})}",
            data={**values, "_task": task, "_action": action, "_framed": "1", "_token": self._token},
            follow=False,
        )
        if reply.status >= 400 or is_login(reply):
            raise refused(reply, _said_of(reply))
        if errors := shown(reply.text, "error") or shown(reply.text, "warning"):
            raise refused(reply, errors)
        return Reply(str(reply.status), "", shown(reply.text, "confirmation"))

    async def write_as(self, name: str) -> None:
        """Change the name of the identity that new messages have."""
        number = (await self.compose())["_from"]
        fields = form((await self.page("settings", "edit-identity", _iid=number, _framed="1")).text)
        await self.save("save-identity", {**fields, "_name": name})

    async def make_filters(self, name: str) -> None:
        """Make a new set of filters, on the page of the filters."""
        page = await self.page("settings", "plugin.managesieve")
        if errors := shown(page.text, "error"):
            raise refused(page, errors)
        await self.save("plugin.managesieve-save", {"_newset": "1", "_name": name, "_from": "none"})

    async def file_into(self, word: str, folder: str) -> None:
        """Make a filter, in force at once, that moves what has this word in its subject into a folder."""
        await self.page("settings", "plugin.managesieve")
        rule = {"_header[0]": "subject", "_rule_op[0]": "contains", "_rule_target[0]": word}
        action = {"_action_type[0]": "fileinto", "_action_mailbox[0]": modified_utf7(folder)}
        named = {"_fid": "", "_name": word, "_enabled": "1", "_join": "anyof"}
        await self.save("plugin.managesieve-save", {**named, **rule, **action})

    async def add_contact(self, name: str, address: str) -> None:
        """Put somebody into the user's own address book."""
        values = {"_source": OWN_CONTACTS, "_name": name, "_email[]": address, "_subtype_email[]": "home"}
        await self.save("save", values, task="addressbook")

    async def export_contacts(self) -> str:
        """The contacts of the user's own address book, as web mail exports them (vCard).

        Raises `NotServed(REFUSED, COMMAND)` where it does not.
        """
        page = await self.page("addressbook", "export", _source=OWN_CONTACTS, _token=self._token)
        if page.text.strip() and not page.text.lstrip().startswith("BEGIN:VCARD"):
            raise refused(page, _said_of(page))
        return page.text

    async def identities(self) -> list[dict[str, str]]:
        """The forms of the identities that a user writes under, in the order in which web mail offers them."""
        page = await self.page("mail", "compose")
        forms = [
            form((await self.page("settings", "edit-identity", _iid=number, _framed="1")).text)
            for number, _ in options(page.text, "_from")
        ]
        return [{name: fields.get(f"_{name}", "") for name in IDENTITY} for fields in forms]

    async def contacts(self, word: str) -> list[str]:
        """The rows that a search in the address books shows."""
        answer = await self.look("search", task="addressbook", _q=word, _headers="name,email")
        added = calls(str(answer.get("exec", "")), "this.add_contact_row")
        return [json.dumps(row[1:], ensure_ascii=False) for row in added]

    async def suggested(self, word: str) -> list[str]:
        """The recipients that are suggested to who types this word."""
        answer = await self.look("autocomplete", _search=word, _reqid="1")
        results = next(calls(str(answer.get("exec", "")), "this.ksearch_query_results"), None)
        found = results[0] if results and isinstance(results[0], list) else []
        return [str(one.get("name", "")) if isinstance(one, dict) else str(one) for one in found]

    async def page_size(self) -> int:
        """How many messages a page of the list has, as the form of the settings shows it."""
        value = (await self._preferences()).get(PAGE_SIZE, "")
        if not value.isdecimal() or len(value) > 6:
            raise CannotAsk(f"the form of the settings has no number of messages: {show_line(value, 40)!r}")
        return int(value)

    async def set_page_size(self, size: int) -> None:
        """Change that setting, and leave the rest of its form as it is."""
        fields = await self._preferences()
        await self.save("save-prefs", {**fields, "_section": "mailbox", PAGE_SIZE: str(size)})

    async def _preferences(self) -> dict[str, str]:
        return form((await self.page("settings", "edit-prefs", _section="mailbox", _framed="1")).text)

    async def log_out(self) -> None:
        """Follow the link to log out, and the redirects behind it."""
        await self.http.get(f"{self.root}/?_task=logout&_token={self._token}")


def is_inside(reply: HttpReply) -> bool:
    """Whether a page of web mail belongs to somebody's mailbox."""
    found = environment(reply.text) if reply.status == 200 and not is_login(reply) else {}
    return bool(found.get("request_token")) and found.get("task") == "mail"


def _plain(markup: str) -> str:
    """A text of the list of messages without its markup."""
    return unescape(re.sub(r"<[^<>]{0,500}>", "", markup))


def _said_of(reply: HttpReply) -> str:
    title = re.search(r"<title>([^<]{0,200})", reply.text[:LONGEST_PAGE])
    return show_line(title[1].strip() if title else "", TEXT_LIMIT)
