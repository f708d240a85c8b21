"""Calendars and address books at a small WebDAV server: what is kept, found and closed, whatever its statuses say."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import webdav
from pytest_mailu.core.model import Observation, Outcome
from pytest_mailu.probe.dav import hrefs, lines, types
from pytest_mailu.probe.markup import xml
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from tests.behaviours.fake_site import FakeSite, Manner
from tests.behaviours.local_stack import LocalStack


class Fault(StrEnum):
    NONE = "none"
    OPEN = "no login is needed"
    ANY_PASSWORD = "any password will do"
    TRUSTS_HEADERS = "a header of the program is believed"
    SHARED = "everybody may read everything"
    WRITES_AND_SAYS_NO = "others' entries are changed, and the status says that they are not"
    FORGETS = "what is put is not kept"
    CHANGES = "what is put is changed"
    KEEPS = "what is deleted stays"
    FINDS_NOTHING = "a search finds nothing"
    NO_WELL_KNOWN = "the well-known addresses are not there"
    ASTRAY = "the addresses in its answers lead past it"
    OFF = "there are no calendars"
    READ_ONLY = "nobody may write, the owner neither"


@dataclass
class FakeDav(FakeSite):
    """As much of Radicale behind Mailu's `front` as behaviours use."""

    manner: Manner = Manner.SAVES
    fault: Fault = Fault.NONE
    places: dict[str, str] = field(default_factory=dict)
    """Path → the content, or the type of a collection."""

    def answer(self, method: str, path: str, data: dict[str, str]) -> tuple[int, str, str]:
        if path.startswith("/.well-known/"):
            return (404, "", "") if self.fault is Fault.NO_WELL_KNOWN else (301, "/webdav/", "")
        if self.fault is Fault.OFF:
            return 404, "", ""
        path = path.removeprefix("/webdav").replace("%40", "@")
        user = self._user()
        if not user:
            return 401, "", ""
        owner = path.split("/")[1]
        if owner not in ("", user) and self.fault not in (Fault.SHARED, Fault.OPEN):
            if self.fault is Fault.WRITES_AND_SAYS_NO and method == "PUT":
                self.places[path] = "BEGIN:VCALENDAR\r\nSUMMARY:other\r\n"
            return 403, "", ""
        return self._do(method, path, user)

    def _user(self) -> str:
        if self.fault is Fault.TRUSTS_HEADERS and (named := self.headers.get("x-remote-user")):
            return named
        if self.fault is Fault.OPEN:
            return "somebody"
        secret = self.headers.get("authorization", "").removeprefix("Basic ")
        name, _, password = b64decode(secret).decode().partition(":")
        wrong = password == "wrong-password" and self.fault is not Fault.ANY_PASSWORD
        return "" if wrong else name

    def _do(self, method: str, path: str, user: str) -> tuple[int, str, str]:
        item = path.rpartition("/")[2]
        match method:
            case "MKCOL" | "MKCALENDAR":
                self.places[path] = "calendar"
                return 201, "", ""
            case "PUT" if self.fault is Fault.READ_ONLY:
                return 403, "", ""
            case "PUT":
                if self.fault is not Fault.FORGETS:
                    self.places[path] = self.body.replace("Gr", "X") if self.fault is Fault.CHANGES else self.body
                return 201, "", ""
            case "GET":
                return (200, "", self.places[path]) if path in self.places else (404, "", "")
            case "DELETE":
                if self.fault is not Fault.KEEPS:
                    self.places.pop(path, None)
                return 204, "", ""
            case "REPORT" if self.fault is Fault.FINDS_NOTHING:
                return 207, "", document([])
        found = [place for place in self.places if place.startswith(path)] or [f"/{user}/"]
        root = "" if self.fault is Fault.ASTRAY else "/webdav"
        return 207, "", document(found, "" if item else "<C:calendar/>", root)


def document(places: list[str], kinds: str = "", root: str = "/webdav") -> str:
    """An answer of several resources (RFC 4918 section 13)."""
    rows = "".join(
        f"<response><href>{root}{place}</href><propstat><prop><resourcetype>{kinds}</resourcetype></prop></propstat>"
        "</response>"
        for place in places
    )
    return f'<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{rows}</multistatus>'


async def _asked(site: FakeDav, tmp_path: Path, ask: Callable[[Probe], Awaitable[Observation]]) -> Observation:
    async with site.serving(tmp_path):
        probe = Probe(LocalStack({443: site.port}), time.time())  # type: ignore[arg-type]
        try:
            return await ask(probe)
        except NotServed as end:
            return probe.not_served(end)


@pytest.mark.parametrize(
    ("behaviour", "given", "fault", "expected"),
    [
        (webdav.well_known, ("caldav",), Fault.NONE, Outcome.ACCEPTED),
        (webdav.well_known, ("carddav",), Fault.NO_WELL_KNOWN, Outcome.NOT_OFFERED),
        (webdav.principal, (), Fault.NONE, Outcome.ACCEPTED),
        (webdav.principal, (), Fault.OFF, Outcome.NOT_OFFERED),
        (webdav.principal, (), Fault.ASTRAY, Outcome.LOST),
        (webdav.make, ("calendar",), Fault.NONE, Outcome.ACCEPTED),
        (webdav.mkcalendar, (), Fault.NONE, Outcome.ACCEPTED),
        (webdav.put_and_get, ("calendar",), Fault.NONE, Outcome.ACCEPTED),
        (webdav.put_and_get, ("contacts",), Fault.NONE, Outcome.ACCEPTED),
        (webdav.put_and_get, ("calendar",), Fault.CHANGES, Outcome.ALTERED),
        (webdav.put_and_get, ("calendar",), Fault.FORGETS, Outcome.NOT_OFFERED),
        (webdav.report, ("calendar",), Fault.NONE, Outcome.ACCEPTED),
        (webdav.report, ("contacts",), Fault.FINDS_NOTHING, Outcome.LOST),
        (webdav.report, ("contacts",), Fault.ASTRAY, Outcome.LOST),
        (webdav.delete, ("contacts",), Fault.NONE, Outcome.ACCEPTED),
        (webdav.delete, ("calendar",), Fault.KEEPS, Outcome.REFUSED),
        (webdav.without_login, (), Fault.NONE, Outcome.REFUSED),
        (webdav.without_login, (), Fault.OPEN, Outcome.ACCEPTED),
        (webdav.wrong_password, (), Fault.NONE, Outcome.REFUSED),
        (webdav.wrong_password, (), Fault.ANY_PASSWORD, Outcome.ACCEPTED),
        (webdav.forged_header, (), Fault.NONE, Outcome.REFUSED),
        (webdav.forged_header, (), Fault.TRUSTS_HEADERS, Outcome.ACCEPTED),
        (webdav.others, ("read",), Fault.NONE, Outcome.REFUSED),
        (webdav.others, ("read",), Fault.SHARED, Outcome.ACCEPTED),
        (webdav.others, ("list",), Fault.SHARED, Outcome.ACCEPTED),
        (webdav.others, ("delete",), Fault.NONE, Outcome.REFUSED),
        (webdav.others, ("delete",), Fault.SHARED, Outcome.ACCEPTED),
        (webdav.others, ("write",), Fault.WRITES_AND_SAYS_NO, Outcome.ACCEPTED),
        (webdav.others, ("write",), Fault.READ_ONLY, Outcome.NOT_OFFERED),
    ],
)
def test_a_server_is_judged_by_what_it_does(
    tmp_path: Path, behaviour: Any, given: tuple[str, ...], fault: Fault, expected: Outcome
) -> None:
    seen = asyncio.run(_asked(FakeDav(fault=fault), tmp_path, lambda probe: behaviour(probe, *given)))
    assert seen.outcome is expected


def test_addresses_and_types_are_read_from_an_answer() -> None:
    answer = xml(document(["/a%40b/x/", "/a%40b/x/"], "<collection/><C:calendar/>"))
    assert (hrefs(answer), types(answer)) == (["/a@b/x/"], ["calendar", "collection"])
    assert hrefs(xml(document(["/a/"], root="/webdavs"))) == ["/../webdavs/a/"]


def test_items_are_the_same_however_they_are_folded_and_ordered() -> None:
    assert lines("BEGIN:VCARD\r\nFN:a long\r\n  name\r\nUID:1\r\nEND:VCARD\r\n") == ["FN:a long name", "UID:1"]
    assert lines("UID:1\nFN:a long name\nPRODID:x\n") == ["FN:a long name", "UID:1"]
    with pytest.raises(CannotAsk):
        lines(" \n")
