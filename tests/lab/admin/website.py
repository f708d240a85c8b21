"""The lab's web site: a login, a few pages and one form of the same shape as Mailu's (standard library).

`faults` are the names of what is to go wrong here: `document-closed` and `page-closed` (the configuration document and
the page for programs name a port that nobody serves), `form-forgets` (a form says that it saved, and did not),
`form-500` (a part that is left empty ends in an error of the server), `records-lost` (no DMARC record is shown),
`header-login-for-all` (whoever sends the header of a reverse proxy is logged in), `session-kept` (a log-out ends no
session), `user-believed` (who names a user in a header has logged in as that user), `disabled-goes-on` (a session does
not end when its user is disabled), `web-mail-needs-imap` (who may not use IMAP may not use web mail).
"""

from __future__ import annotations

import json
import os
import secrets
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from fetches import Fetches
from people import People

CLOSED = 1143
LOGIN = "/sso/login"
FIELDS = '<input name="email"><input name="pw" type="password"><input name="submitAdmin" type="submit">'
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """An answer: status, text, its type, and headers."""

    status: int
    text: str = ""
    type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Session:
    """A browser that has logged in. `token` is what web mail logs in with to read and send mail."""

    user: str
    token: str
    used: float


class Site:
    """Everything but the REST interface."""

    def __init__(
        self,
        people: People,
        fetches: Fetches,
        host: str,
        domain: str,
        faults: frozenset[str] = frozenset(),
        flavour: str = "cert",
    ) -> None:
        self.people, self.fetches, self.host, self.domain = people, fetches, host, domain
        self.faults, self.flavour = faults, flavour
        self.sessions: dict[str, Session] = {}
        self.timeout = float(os.environ.get("SESSION_TIMEOUT", "") or 3600)
        self.trusted = {each.strip() for each in os.environ.get("PROXY_AUTH_WHITELIST", "").split(",")}
        self.creates = os.environ.get("PROXY_AUTH_CREATE", "") == "True"

    def answer(self, method: str, path: str, cookie: str, body: bytes) -> Page | None:
        """The answer to a request, or None for a path that the site does not have."""
        place = path.lower()
        if place.endswith("/config-v1.1.xml"):
            return Page(200, self.thunderbird(), "text/xml")
        if place == "/autodiscover/autodiscover.xml":
            return self.outlook(body) if method == "POST" else Page(405)
        if place.startswith("/autodiscover/autodiscover.json"):
            found = {"Protocol": "Autodiscoverv1", "Url": f"https://{self.host}/autodiscover/autodiscover.xml"}
            return Page(200, json.dumps(found), "application/json")
        if place == "/apple.mobileconfig":
            return Page(200, self.apple(), "text/xml")
        sent = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if path == LOGIN:
            return self.login(sent) if method == "POST" else Page(200, f"<form method=post>{FIELDS}</form>")
        if path == "/sso/logout":
            return self.logout(cookie)
        if path.startswith("/admin/"):
            session = self.session(cookie)
            if session is None:
                return Page(302, headers={"Location": LOGIN})
            user = session.user
            if path == "/admin/user/settings":
                return Page(200, f"<p>{escape(user)}</p>")
            return self.inside(method, path.removeprefix("/admin"), sent, user)
        return None

    def login(self, sent: Mapping[str, str]) -> Page:
        if not self.people.login(sent.get("email", ""), sent.get("pw", ""), "web"):
            return Page(200, '<div class="alert">Wrong e-mail or password</div><form method=post></form>')
        return self.begin(sent["email"])

    def introduced(self, name: str, proxy: str) -> Page:
        """A login by the header of a reverse proxy (core/admin/mailu/sso/views/base.py, `_proxy`)."""
        if proxy not in self.trusted and "header-login-for-all" not in self.faults:
            return Page(500)
        if self.people.user(name) is None:
            if not self.creates:
                return Page(500)
            self.people.update({"user": [{"email": name, "password": secrets.token_hex(16)}]}, keep=True)
        return self.begin(name)

    def begin(self, name: str) -> Page:
        """A session."""
        key = secrets.token_hex(16)
        self.sessions[key] = Session(self.people.address(name), f"token-{secrets.token_hex(16)}", time.monotonic())
        # As Mailu does it (core/admin/mailu/configuration.py, SESSION_COOKIE_SECURE, since 2.0).
        secure = "" if self.flavour == "notls" and "secure-cookie" not in self.faults else " Secure;"
        return Page(302, headers={"Location": "/admin/", "Set-Cookie": f"session={key};{secure} HttpOnly; Path=/"})

    def logout(self, cookie: str) -> Page:
        """The end of a session."""
        if "session-kept" not in self.faults:
            self.sessions.pop(_key(cookie), None)
        return Page(302, headers={"Location": LOGIN})

    def session(self, cookie: str) -> Session | None:
        """The session of a browser, which is used by that; None where there is none, or its user may not log in."""
        session = self.sessions.get(_key(cookie))
        now = time.monotonic()
        if session is None or now - session.used > self.timeout:
            return None
        session.used = now
        enabled = (self.people.user(session.user) or {}).get("enabled", True) or "disabled-goes-on" in self.faults
        return session if enabled else None

    def introduction(self, cookie: str, named: str) -> Mapping[str, str] | None:
        """What web mail is told of who is logged in; `named` is whom the request itself names."""
        if named and "user-believed" in self.faults:
            self.begin(named)
            session: Session | None = [*self.sessions.values()][-1]
        else:
            session = self.session(cookie)
        return None if session is None else {"X-User": session.user, "X-User-Token": session.token}

    def knows(self, name: str, token: str) -> bool:
        """Whether a token is that of a session of this user, which web mail comes with."""
        if "web-mail-needs-imap" in self.faults and not (self.people.user(name) or {}).get("enable_imap", True):
            return False
        return any((each.user, each.token) == (name.lower(), token) for each in [*self.sessions.values()])

    def inside(self, method: str, path: str, sent: Mapping[str, str], user: str) -> Page:
        """Pages for those who are logged in; the lab does not tell administrators from users."""
        kind, _, rest = path.strip("/").partition("/")
        what, _, name = rest.partition("/")
        if path == "/client":
            return Page(200, self.client())
        if (kind, what) == ("domain", "details"):
            return Page(200, self.details())
        if (kind, what) == ("alias", "list"):
            rows = "".join(
                f'<tr><td><a href="/admin/alias/delete/{escape(each)}">x</a></td><td>{escape(each)}</td><td></td></tr>'
                for each in self.people.all["alias"]
            )
            return Page(200, f"<table><tr><th>Actions</th><th>Email</th><th>Destination</th></tr>{rows}</table>")
        if kind == "alias" and what in ("create", "edit", "delete"):
            return self.alias(method, what, name, sent)
        if kind == "user" and what in ("edit", "password"):
            may = (self.people.user(user) or {}).get("global_admin")
            return self.user(method, what, name, sent) if may and self.people.user(name) else Page(403)
        if kind == "fetch":
            return self.fetch(method, what, name, sent, user)
        return Page(404)

    def user(self, method: str, what: str, name: str, sent: Mapping[str, str]) -> Page:
        """The forms by which a user is locked out and let in, and gets another password."""
        if method == "GET" and what == "password":
            return Page(200, '<form method=post><input name="csrf_token"><input name="pw"><input name="pw2"></form>')
        if method == "GET":
            checked = "checked" if (self.people.user(name) or {}).get("enabled", True) else ""
            box = f'<input type="checkbox" name="enabled" value="y" {checked}>'
            return Page(200, f'<form method=post><input name="csrf_token">{box}</form>')
        changed = {"password": sent.get("pw", "")} if what == "password" else {"enabled": "enabled" in sent}
        self.people.update({"user": [{"email": name, **changed}]}, keep=True)
        if what == "password":
            self.sessions = {key: each for key, each in self.sessions.items() if each.user != name.lower()}
        return Page(302, headers={"Location": f"/admin/user/list/{self.domain}"})

    def fetch(self, method: str, what: str, number: str, sent: Mapping[str, str], user: str) -> Page:
        """The pages about a user's accounts elsewhere."""
        if what == "list":
            return Page(200, f"<table>{self.fetches.rows(user)}</table>")
        if what not in ("create", "delete"):
            return Page(404)
        if method == "GET":
            return Page(200, self.fetches.form() if what == "create" else "<form method=post></form>")
        if what == "create":
            self.fetches.create(user, sent)
        elif not self.fetches.delete(user, number):
            return Page(404)
        return Page(302, headers={"Location": "/admin/fetch/list"})

    def alias(self, method: str, what: str, name: str, sent: Mapping[str, str]) -> Page:
        entry = self.people.all["alias"].get(name.lower(), {})
        fields = {**entry, "localpart": "", "destination": ",".join(entry.get("destination", ()))}
        if method == "GET":
            inputs = "".join(
                f'<input name="{key}" value="{escape(str(fields.get(key, "")))}">'
                for key in ("csrf_token", "localpart", "destination", "comment")
            )
            box = '<input type="checkbox" name="wildcard" value="y" checked>' if entry.get("wildcard") else ""
            return Page(200, f"<form method=post>{inputs}{box}</form>") if entry or what == "create" else Page(404)
        if what == "delete":
            self.people.delete("alias", name)
            return Page(302, headers={"Location": f"/admin/alias/list/{self.domain}"})
        localpart, destination = sent.get("localpart", ""), sent.get("destination", "")
        address = f"{localpart}@{name}".lower()
        taken = address in self.people.all["alias"] or address in self.people.all["user"]
        if not localpart or not set(localpart) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-") or taken:
            return Page(200, '<div class="alert">No.</div>')
        if "form-500" in self.faults and not sent.get("comment"):
            return Page(500, "Internal Server Error")
        if destination and "@" not in destination:
            return Page(200, '<div class="alert">Invalid email address.</div>')
        if "form-forgets" not in self.faults:
            new = {
                "email": address,
                "destination": [destination] if destination else [],
                "comment": sent.get("comment", ""),
            }
            self.people.update({"alias": [{**new, "wildcard": "wildcard" in sent}]}, keep=True)
        return Page(302, headers={"Location": f"/admin/alias/list/{name}"})

    def client(self) -> str:
        port = CLOSED if "page-closed" in self.faults else 993
        rows = (("IMAP", port), ("SMTP", 465))
        return "".join(
            f"<table><tr><th>Mail protocol</th><td>{protocol}</td></tr>"
            f"<tr><th>TCP port</th><td>{number} (TLS)</td></tr>"
            f"<tr><th>Server name</th><td><pre>{self.host}</pre></td></tr></table>"
            for protocol, number in rows
        )

    def details(self) -> str:
        records = {
            "dns_mx": f"{self.domain}. 600 IN MX 10 {self.host}.",
            "dns_spf": f'{self.domain}. 600 IN TXT "v=spf1 mx a:{self.host} ~all"',
            "dns_dkim": f'dkim._domainkey.{self.domain}. 600 IN TXT "v=DKIM1; k=rsa; p=AB"',
            "dns_dmarc": f'_dmarc.{self.domain}. 600 IN TXT "v=DMARC1; p=reject;"',
            "dns_autoconfig": f"_imaps._tcp.{self.domain}. 600 IN SRV 10 1 993 {self.host}.",
        }
        if "records-lost" in self.faults:
            del records["dns_dmarc"]
        return "".join(f'<pre id="{key}">{escape(text)}</pre>' for key, text in records.items())

    def thunderbird(self) -> str:
        port = CLOSED if "document-closed" in self.faults else 993
        servers = "".join(
            f'<{side}Server type="{kind}"><hostname>{self.host}</hostname><port>{number}</port>'
            f"<socketType>SSL</socketType><username>%EMAILADDRESS%</username></{side}Server>"
            for side, kind, number in (("incoming", "imap", port), ("outgoing", "smtp", 465))
        )
        return f'<clientConfig version="1.1"><emailProvider id="{self.host}">{servers}</emailProvider></clientConfig>'

    def outlook(self, body: bytes) -> Page:
        if b"outlook/responseschema/2006a" not in body:
            return Page(404 if b"schema" in body else 400)
        servers = "".join(
            f"<Protocol><Type>{kind}</Type><Server>{self.host}</Server><Port>{number}</Port><SSL>on</SSL></Protocol>"
            for kind, number in (("IMAP", 993), ("SMTP", 465))
        )
        text = f'<Autodiscover xmlns="urn:lab"><Response><Account>{servers}</Account></Response></Autodiscover>'
        return Page(200, text, "text/xml")

    def apple(self) -> str:
        entries = "".join(
            f"<key>{side}MailServerHostName</key><string>{self.host}</string><key>{side}MailServerPortNumber</key>"
            f"<integer>{number}</integer><key>{side}MailServerUseSSL</key><true/>"
            for side, number in (("Incoming", 993), ("Outgoing", 465))
        )
        return (
            f'<plist version="1.0"><dict><key>PayloadContent</key><array><dict>{entries}</dict></array></dict></plist>'
        )


def _key(cookie: str) -> str:
    """The session that the cookies of a request name."""
    return cookie.partition("session=")[2].partition(";")[0]
