"""Mailu's web site with a web mail in it, which can have one of several faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.behaviours.fake_site import FakeSite, Manner

UID = "7"
LOOKS = 2
"""Requests of scripts after which a session ends."""


class Fault(StrEnum):
    NONE = "none"
    BACK_TO_LOGIN = "the login to the site does not open web mail"
    OPEN = "strangers get in"
    TRUSTS_HEADERS = "a header of the browser is believed"
    STAYS = "the log-out changes nothing"
    NO_ROW = "the list is empty"
    EMPTY_MESSAGE = "a message has no text"
    SCRIPTS = "scripts of a message are passed on, or allowed"
    OTHER_FILE = "an attachment is another one"
    SAYS_NO = "an error is shown"
    FINDS_OTHERS = "the search finds something else"
    NO_SIEVE = "ManageSieve does not answer"
    NO_SET = "filters are not saved"
    FORGETS = "contacts and settings are not kept"
    SEALED = "what a session has encrypted, the next one cannot read"
    ONE_FILE = "a message takes one file only"
    NO_SUGGESTION = "contacts are not suggested"
    ENDS = "the session ends after some requests"


@dataclass
class FakeWebMail(FakeSite):
    """Mailu's web site as far as behaviours of web mail use it; `inside` is the web mail behind its login."""

    manner: Manner = Manner.SAVES
    fault: Fault = Fault.NONE
    user: str = ""
    opened: str = ""
    """Whose mailbox web mail has opened in this browser."""
    sent: dict[str, Any] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    sets: str = ""
    contact: str = ""
    page_size: int = 25
    files: int = 0
    """Files that were uploaded."""

    def answer(self, method: str, path: str, data: dict[str, str]) -> tuple[int, str, str]:
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/sso/login":
            self.user = data.get("email", self.user) if method == "POST" else self.user
            return (302, "/admin/", "") if method == "POST" else (200, "", "Log in")
        if parts.path == "/sso/logout":
            if self.fault is not Fault.STAYS:
                self.user = self.opened = ""
            return 302, "/sso/login", ""
        if not parts.path.startswith("/webmail"):
            return (200, "", "settings") if self.user else (302, "/sso/login", "")
        if not (self.user or self.fault in (Fault.OPEN, Fault.TRUSTS_HEADERS)) or self.fault is Fault.BACK_TO_LOGIN:
            return 302, "/sso/login?url=/webmail/", ""
        if self.fault is Fault.ENDS and len(self.done) >= LOOKS:
            self.user = self.opened = ""
            return 302, "/sso/login", ""
        self.files += "upload" in parts.query.lower()
        if self.fault is Fault.ONE_FILE and self.files > 1:
            return 502, "", "Bad Gateway"
        believed = self.headers.get("x-remote-user", "") if self.fault is Fault.TRUSTS_HEADERS else ""
        self.opened = believed or self.opened or self.user
        return self.inside(parts.query, query | data)

    def inside(self, query: str, asked: dict[str, str]) -> tuple[int, str, str]:
        """Status, location and body; `asked` are the fields of the query and of a form."""
        raise NotImplementedError
