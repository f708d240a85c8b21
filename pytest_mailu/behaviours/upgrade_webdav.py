"""Calendars and address books before and after an upgrade in place (WebDAV, Radicale): put there, and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.upgrade_mail import digest
from pytest_mailu.behaviours.webdav import NEEDED
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.dav import CALENDAR, CONTACTS, Dav, Kind, home, hrefs, lines, texts
from pytest_mailu.probe.probe import Probe

PLANNER = own_mailbox("lived-in-dav")


@dataclass(frozen=True, slots=True)
class Collection:
    """What somebody has kept for years: the name that programs show, and entries by the name of their file."""

    kind: Kind
    shown: str
    entries: Mapping[str, str]

    def path(self, name: str) -> str:
        """Where an entry is, or with an empty name the collection itself; below the root."""
        place = f"{home(PLANNER)}{self.shown.split(' ')[0].lower()}/"
        return f"{place}{name}.{self.kind.suffix}" if name else place


def _calendar(uid: str, *more: str, component: str = "VEVENT") -> str:
    inner = (f"UID:{uid}", "DTSTAMP:20190602T100000Z", *more)
    parts = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//a program//EN", f"BEGIN:{component}", *inner)
    return "\r\n".join((*parts, f"END:{component}", "END:VCALENDAR", ""))


def _card(uid: str, name: str, *more: str) -> str:
    inner = (f"UID:{uid}", f"FN:{name}", f"N:{';'.join(reversed(name.split(' ', 1)))};;;", *more)
    return "\r\n".join(("BEGIN:VCARD", "VERSION:3.0", *inner, "END:VCARD", ""))


COLLECTIONS: Mapping[str, tuple[Collection, ...]] = {
    "calendar": (
        Collection(
            CALENDAR,
            "Family of ours",
            {
                "birthday": _calendar(
                    "birthday-2016", "DTSTART;VALUE=DATE:20160301", "RRULE:FREQ=YEARLY", "SUMMARY:Zoës Geburtstag"
                ),
                "meeting": _calendar(
                    "meeting-2019",
                    "DTSTART:20190603T100000Z",
                    "DTEND:20190603T110000Z",
                    "SUMMARY:Встреча",
                    "RRULE:FREQ=WEEKLY;COUNT=10",
                    "EXDATE:20190610T100000Z",
                    "ATTENDEE;CN=Bob:mailto:bob@post.example",
                ),
            },
        ),
        Collection(
            CALENDAR,
            "Tasks",
            {"to-do": _calendar("task-1", "SUMMARY:Pay the rent", "DUE:20190701T000000Z", component="VTODO")},
        ),
    ),
    "contacts": (
        Collection(
            CONTACTS,
            "People",
            {
                "zoe": _card("card-zoe", "Zoë O'Hara", "EMAIL;TYPE=HOME:zoe@elsewhere.example", "TEL:+49 30 1234"),
                "olga": _card("card-olga", "Ольга Иванова", "EMAIL:olga@elsewhere.example", "NOTE:Two\\nlines"),
            },
        ),
    ),
}
"""Kind → what is there before the upgrade."""


async def _plan(probe: Probe) -> None:
    async with Dav.open(probe, PLANNER) as dav:
        for collections in COLLECTIONS.values():
            for collection in collections:
                await dav.make(collection.path(""), collection.kind, collection.shown)
                for name, content in collection.entries.items():
                    await dav.done("PUT", collection.path(name), content, kind=collection.kind.content_type)


@behaviour(
    "upgrade/webdav/{kind}",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={**FUNCTION, "entries*": Direction.FIXED, "names*": Direction.FIXED},
    severity=Severity.CRITICAL,
    each={"kind": COLLECTIONS},
    in_place=True,
    live=_plan,
    timeout=SECONDS,
)
async def kept(probe: Probe, kind: str) -> Observation:
    """Entries from before the upgrade ({kind}), with their UIDs and everything in them

    Appointments, tasks or addresses that people have kept for years are gone or altered.

    RFC 4791 section 4.1; RFC 6352 section 5.1; optional/radicale (its folder `dav`), 1.9 to master
    """
    entries: dict[str, Any] = {}
    raw: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    async with Dav.open(probe, PLANNER) as dav:
        for collection in COLLECTIONS[kind]:
            place = collection.path("")
            names[collection.shown] = texts(await dav.properties(place, "<displayname/>"), "displayname")
            listed = hrefs(await dav.properties(place, "<getetag/>", depth="1"))
            for path in (path for path in listed if path != place):
                content = (await dav.done("GET", path)).text
                said = lines(content)
                uids = [line.partition(":")[2] for line in said if line.startswith("UID")]
                entries[path.removeprefix(home(PLANNER))] = {"uid": uids, "content": digest(said)}
                raw[path.removeprefix(home(PLANNER))] = digest([content])
    wanted = sum(len(collection.entries) for collection in COLLECTIONS[kind])
    outcome = Outcome.LOST if len(entries) < wanted else Outcome.ACCEPTED
    # A server may order and fold lines as it likes: that is told, and is no loss.
    return probe.seen(outcome, Stage.COMMAND, Reply("207"), entries=entries, names=names, bytes=raw)
