"""Calendars and address books as programs use them (WebDAV, RFC 4918; CalDAV, RFC 4791; CardDAV, RFC 6352)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.population import User
from pytest_mailu.probe.admin_site import browser
from pytest_mailu.probe.markup import xml
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

ROOT = "/webdav"
"""Where `front` has it (core/nginx/conf/nginx.conf, 1.9 to master)."""
_DAV, _CAL, _CARD = "DAV:", "urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"
_NAMES = f'xmlns="{_DAV}" xmlns:C="{_CAL}" xmlns:A="{_CARD}"'


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of collection: how it is made, what lies in it, and how it is searched."""

    resource: str
    content_type: str
    suffix: str
    item: str
    query: str


CALENDAR = Kind(
    "C:calendar",
    "text/calendar; charset=utf-8",
    "ics",
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//pytest-mailu//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
    "DTSTAMP:20250602T100000Z\r\nDTSTART:20250603T100000Z\r\nDTEND:20250603T110000Z\r\nSUMMARY:{text}\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n",
    f'<C:calendar-query {_NAMES}><prop><getetag/><C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR">'
    '<C:comp-filter name="VEVENT"><C:time-range start="20250603T000000Z" end="20250604T000000Z"/></C:comp-filter>'
    "</C:comp-filter></C:filter></C:calendar-query>",
)
CONTACTS = Kind(
    "A:addressbook",
    "text/vcard; charset=utf-8",
    "vcf",
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{text}\r\nN:{text};;;;\r\nEMAIL:somebody@elsewhere.example\r\n"
    "END:VCARD\r\n",
    f"<A:addressbook-query {_NAMES}><prop><getetag/><A:address-data/></prop><A:filter>"
    '<A:prop-filter name="EMAIL"><A:text-match>somebody@elsewhere.example</A:text-match></A:prop-filter>'
    "</A:filter></A:addressbook-query>",
)
KINDS: Mapping[str, Kind] = {"calendar": CALENDAR, "contacts": CONTACTS}


class Dav:
    """A program that uses calendars and address books; with `user`, it logs in as one."""

    def __init__(self, http: HttpSession, user: User | None, password: str | None = None) -> None:
        self._http = http
        self._headers: dict[str, str] = {}
        if user is not None:
            secret = b64encode(f"{user.address}:{user.password if password is None else password}".encode()).decode()
            http.transcript.hide(secret)
            self._headers = {"Authorization": f"Basic {secret}"}

    @classmethod
    @asynccontextmanager
    async def open(cls, probe: Probe, user: User | None, password: str | None = None) -> AsyncIterator[Dav]:
        """A program on HTTPS; nothing is connected before the first request."""
        async with browser(probe) as http:
            yield cls(http, user, password)

    async def ask(
        self, method: str, path: str, body: str = "", kind: str = "application/xml; charset=utf-8", **headers: str
    ) -> HttpReply:
        """One request below the root; the answer of any status is data."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**self._headers, **more, **({"Content-Type": kind} if body else {})}
        return await self._http.request(
            method, ROOT + path, content=body.encode() if body else None, headers=sent, follow=False
        )

    async def done(self, method: str, path: str, body: str = "", **more: str) -> HttpReply:
        """The same for what has to succeed. Raises NotServed for a status of 400 and above."""
        reply = await self.ask(method, path, body, **more)
        if reply.status >= 400:
            raise refused(reply)
        return reply

    async def properties(self, path: str, names: str, depth: str = "0") -> ElementTree.Element:
        """PROPFIND: the answer, parsed. Raises NotServed where it is refused, and CannotAsk where it is no XML."""
        body = f"<propfind {_NAMES}><prop>{names}</prop></propfind>"
        reply = await self.done("PROPFIND", path, body, Depth=depth)
        return xml(reply.text)

    async def make(self, path: str, kind: Kind, name: str) -> HttpReply:
        """Make a collection by extended MKCOL (RFC 5689). Raises NotServed where it is refused."""
        body = (
            f"<mkcol {_NAMES}><set><prop><resourcetype><collection/><{kind.resource}/></resourcetype>"
            f"<displayname>{name}</displayname></prop></set></mkcol>"
        )
        return await self.done("MKCOL", path, body)


def home(user: User) -> str:
    """Where a user's collections are, below the root."""
    return f"/{user.address}/"


def hrefs(document: ElementTree.Element) -> list[str]:
    """The addresses in an answer, as paths below the root; one that is not below it begins with `/..`."""
    found = (unquote((one.text or "").strip()) for one in document.iter(f"{{{_DAV}}}href"))
    return sorted({path.removeprefix(ROOT) if f"{path}/".startswith(f"{ROOT}/") else f"/..{path}" for path in found})


def texts(document: ElementTree.Element, name: str) -> list[str]:
    """What a property of DAV says in an answer."""
    return sorted(filter(None, ((one.text or "").strip() for one in document.iter(f"{{{_DAV}}}{name}"))))


def types(document: ElementTree.Element) -> list[str]:
    """The types of the resources in an answer."""
    kinds = (kind.tag.rpartition("}")[2] for box in document.iter(f"{{{_DAV}}}resourcetype") for kind in box)
    return sorted(set(kinds))


def refused(reply: HttpReply) -> NotServed:
    """A status of 400 and above as the end of what was asked."""
    outcome, stage = Outcome.REFUSED, Stage.COMMAND
    if reply.status == 401:
        outcome, stage = Outcome.AUTH_FAILED, Stage.AUTH
    elif reply.status in (404, 405, 501):
        outcome = Outcome.NOT_OFFERED
    elif reply.status >= 500:
        outcome = Outcome.UNANSWERED
    return NotServed(outcome, stage, Reply(str(reply.status)))


def lines(content: str) -> list[str]:
    """The lines of an item that say something, sorted: servers fold and order them as they like (RFC 5545, 6350)."""
    unfolded = content.replace("\r\n", "\n").replace("\n ", "")
    if not unfolded.strip():
        raise CannotAsk("an item without any lines")
    ignored = ("PRODID", "VERSION", "BEGIN", "END")
    return sorted(line for line in unfolded.split("\n") if line and not line.startswith(ignored))
