"""The lab's `admin`: answers logins, Postfix's maps and Rspamd's question for keys from one list of people."""

from __future__ import annotations

import base64
import json
import os
import socket
import socketserver
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fetches import Fetches
from people import People
from rest import Rest
from website import LOGIN, Page, Site

FAULTS = frozenset(os.environ.get("LAB_ADMIN", "").split())
LMTP_SECONDS = 15.0
"""How long a delivery waits for its mailbox under the fault `slow-mailbox`: five times a busy machine's two seconds."""
PEOPLE = People(delimiter=os.environ.get("RECIPIENT_DELIMITER", ""), faults=FAULTS)
REST = Rest(PEOPLE, os.environ.get("API_TOKEN", ""), FAULTS)
FETCHES = Fetches()
SITE = Site(
    PEOPLE,
    FETCHES,
    os.environ.get("HOSTNAMES", "mail.post.example").partition(",")[0],
    os.environ.get("DOMAIN", "post.example"),
    FAULTS,
    os.environ.get("TLS_FLAVOR", "cert"),
)
API = "/api/v1/"
BACKENDS = {
    **{"imap": ("imap", 143), "pop3": ("imap", 110), "sieve": ("imap", 4190), "lmtp": ("imap", 2525)},
    **{"smtp": ("smtp", 10025), "submission": ("smtp", 10025)},
}
"""Protocol, as nginx or Dovecot names it → where such a session is taken on to once somebody has logged in."""
OF_WEBMAIL = ("10143", "10025", "14190")
"""The ports of `front` that web mail comes to, with the token of a session."""
WRONG = {"smtp": "535 5.7.8"}


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        parts = path.strip("/").split("/")
        if path.startswith(API):
            self.rest()
        elif path == "/lab/login":
            self.login()
        elif path == "/lab/basic":
            self.basic()
        elif path == "/lab/user":
            who = SITE.introduction(self.headers.get("Cookie", ""), self.headers.get("X-Remote-User", ""))
            self.answer(403 if who is None else 200, "", {**(who or {})})
        elif path == "/lab/mailbox":
            self.mailbox(asked.get("name", ""), asked.get("service", ""))
        elif path == "/lab/fetch":
            self.answer(200, json.dumps(FETCHES.waiting()))
        elif path == "/lab/config":
            self.answer(200, json.dumps(PEOPLE.all))
        elif parts[:2] == ["v1", "dkim"] and len(parts) == 3:
            self.dkim(parts[2])
        elif path in ("/ping", "/health"):
            self.answer(200, "")
        elif path in ("/", "/admin", "/admin/"):
            self.answer(302, "", {"Location": "/sso/login"})
        else:
            self.site(b"")

    def do_PUT(self) -> None:
        """A document for `config-import`, already in JSON."""
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            PEOPLE.update(json.loads(text), keep=self.path.endswith("?update"))
        except (KeyError, TypeError, ValueError) as error:
            self.answer(400, f"not a configuration: {error!r}")
        else:
            self.answer(200, "")

    def do_POST(self) -> None:
        if self.path.startswith(API):
            self.rest()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/lab/fetch/"):
            there = FETCHES.checked(self.path.rpartition("/")[2], json.loads(body))
            self.answer(200 if there else 404, "")
        else:
            self.site(body)

    def do_PATCH(self) -> None:
        self.rest()

    def do_DELETE(self) -> None:
        if self.path.startswith(API):
            self.rest()
            return
        kind, _, name = self.path.removeprefix("/lab/").partition("/")
        self.answer(200 if PEOPLE.delete(kind, name) else 404, "")

    def site(self, body: bytes) -> None:
        """A request for the web site, or for a configuration document."""
        path = self.path.partition("?")[0]
        if path == LOGIN and (name := self.headers.get("X-Auth-Email", "")):
            page: Page | None = SITE.introduced(name, self.headers.get("X-Forwarded-By", ""))
        else:
            page = SITE.answer(self.command, path, self.headers.get("Cookie", ""), body)
        if page is None:
            self.answer(404, "not here")
        else:
            self.answer(page.status, page.text, {"Content-Type": page.type, **page.headers})

    def rest(self) -> None:
        """A request for the REST interface."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        path = "/" + self.path.removeprefix(API).partition("?")[0]
        status, answer = REST.answer(self.command, path, self.headers.get("Authorization", ""), body, kind)
        self.answer(status, json.dumps(answer), {"Content-Type": "application/json"})

    def login(self) -> None:
        """The question of nginx's mail module (ngx_mail_auth_http_module), asked by Dovecot's Lua script, too."""
        name, password = self.unescaped("Auth-User"), self.unescaped("Auth-Pass")
        method, protocol = self.headers.get("Auth-Method", ""), self.headers.get("Auth-Protocol", "")
        host, inner = BACKENDS.get(protocol, ("smtp", 10025))
        if method == "none" or self.headers.get("Auth-Port", "") in os.environ.get("LAB_AS_STRANGER", "").split():
            host, inner = "smtp", 25
        if method != "none" and "Auth-Never" in self.headers:
            self.answer(403, "", {"Auth-Status": "AUTH not supported", "Auth-Error-Code": "502 5.5.1"})
            return
        known = self.headers.get("Auth-Port", "") in OF_WEBMAIL and SITE.knows(name, password)
        if method != "none" and not known and not PEOPLE.login(name, password, protocol):
            if "temporary" in FAULTS:
                self.answer(
                    503, "", {"Auth-Status": "Temporary authentication failure", "Auth-Error-Code": "454 4.7.0"}
                )
            else:
                code = {"Auth-Error-Code": WRONG[protocol]} if protocol in WRONG else {}
                self.answer(403, "", {"Auth-Status": "Authentication credentials invalid", **code})
            return
        there = {"Auth-Status": "OK", "Auth-Server": socket.gethostbyname(host), "Auth-Port": str(inner)}
        self.answer(200, "", there)

    def basic(self) -> None:
        """The question of nginx's auth_request module, for somebody who logs in by HTTP (RFC 7617)."""
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        name, _, password = base64.b64decode(given).decode("utf-8", "replace").partition(":")
        if PEOPLE.login(name, password, "web"):
            if "webdav-open" in FAULTS:
                owner = urllib.parse.unquote(self.headers.get("X-Original-URI", "")).split("/")[2:3]
                name = "".join(owner) or name
            self.answer(200, "", {"X-User": PEOPLE.address(name)})
        else:
            self.answer(401, "", {"WWW-Authenticate": 'Basic realm="lab"'})

    def unescaped(self, header: str) -> str:
        """The text of a header in which nginx has escaped some characters, and left others as they were."""
        return urllib.parse.unquote(self.headers.get(header, "").encode("latin-1").decode("utf-8", "replace"))

    def mailbox(self, name: str, service: str) -> None:
        """A userdb lookup: lines of `field=value`."""
        if service == "lmtp" and "slow-mailbox" in FAULTS:
            time.sleep(LMTP_SECONDS)
        fields = PEOPLE.mailbox(name)
        if fields is None:
            self.answer(404, "")
            return
        if "new-uidl" in FAULTS:
            fields["pop3_uidl_format"] = f"{time.time_ns():x}.%v%u"
        self.answer(200, "".join(f"{key}={value}\n" for key, value in fields.items()))

    def dkim(self, name: str) -> None:
        """The question of Rspamd's vault client (lualib/rspamadm/vault.lua)."""
        entry = PEOPLE.all["domain"].get(PEOPLE.domain(name) or "", {})
        key = entry.get("dkim_key")
        selectors = [{"domain": name, "selector": "dkim", "key": key}] if key else []
        self.answer(200, json.dumps({"data": {"selectors": selectors}}), {"Content-Type": "application/json"})

    def answer(self, code: int, text: str, headers: dict[str, str] | None = None) -> None:
        # nginx's mail module wants 200 and reads Auth-Status; the Lua script reads the code.
        nginx = "nginx" in self.headers.get("Auth-Asker", "")
        body = text.encode()
        self.send_response(200 if nginx else code)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        if not self.path.startswith(("/ping", "/lab/mailbox")):
            print("admin:", self.headers.get("Client-IP", self.client_address[0]), format % arguments, flush=True)


class Maps(socketserver.StreamRequestHandler):
    """socketmap_table(5): netstrings, `name key` in, `OK value` or `NOTFOUND ` out."""

    def handle(self) -> None:
        while length := self._length():
            map_name, _, key = self.rfile.read(length).decode("utf-8", "replace").partition(" ")
            self.rfile.read(1)
            found = lookup(map_name, key)
            reply = b"NOTFOUND " if found is None else b"OK " + found.encode()
            self.wfile.write(b"%d:%s," % (len(reply), reply))

    def _length(self) -> int:
        digits = b""
        while (byte := self.rfile.read(1)) not in (b":", b""):
            digits += byte
        return int(digits or 0)


def lookup(map_name: str, key: str) -> str | None:
    """The value of `key` in one of Postfix's maps."""
    is_address = "@" in key.strip("@")
    if map_name == "domain":
        return key if PEOPLE.domain(key) else None
    if map_name == "relay":
        return key if key.lower() in PEOPLE.all["relay"] else None
    if map_name == "transport":
        entry = PEOPLE.all["relay"].get(key.rpartition("@")[2].lower())
        return f"smtp:{_bracketed(entry['smtp'])}" if entry else None
    if map_name == "alias" and is_address:
        return _listed(PEOPLE.destinations(key))
    if map_name == "sender" and is_address:
        return _listed(PEOPLE.owners(key))
    if map_name == "mailbox" and is_address:
        fields = PEOPLE.mailbox(key)
        return fields["user"] if fields else None
    return None


def _listed(names: list[str] | None) -> str | None:
    return ",".join(names) if names else None


def _bracketed(host: str) -> str:
    """A next hop that is not looked up as a mail domain."""
    if host.startswith("["):
        return host
    name, colon, port = host.partition(":")
    return f"[{name}]{colon}{port}"


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


class WebServer(ThreadingHTTPServer):
    request_queue_size = 128


def main() -> None:
    maps = Server(("", 9000), Maps)
    threading.Thread(target=maps.serve_forever, daemon=True).start()
    print("admin: ready", file=sys.stderr, flush=True)
    WebServer(("", 8080), Web).serve_forever()


if __name__ == "__main__":
    main()
