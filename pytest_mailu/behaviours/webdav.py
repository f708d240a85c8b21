"""Calendars and address books (WebDAV, Radicale): made, filled, found, and closed to everybody else."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.admin_site import SECONDS, browser, local
from pytest_mailu.probe.dav import KINDS, ROOT, Dav, home, hrefs, lines, types
from pytest_mailu.probe.markup import xml
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed

USER = own_mailbox("dav-user")
OTHER = own_mailbox("dav-other")
NEEDED = WEB | {"webdav"}
WELL_KNOWN = ("caldav", "carddav")
NOT_THEIRS = {"list": "PROPFIND", "read": "GET", "write": "PUT", "delete": "DELETE"}
"""What somebody tries with another user's collection → the method."""
ITEM = "item"


@behaviour(
    "webdav/well-known/{name}",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"leads_to": Direction.FIXED},
    severity=Severity.MAJOR,
    each={"name": WELL_KNOWN},
    timeout=SECONDS,
)
async def well_known(probe: Probe, name: str) -> Observation:
    """Well-known address of {name} leads to the calendars and address books

    Phones and programs that know only the server's name do not find them.

    RFC 6764 section 5; core/nginx/conf/nginx.conf, 1.9 to master
    """
    async with browser(probe) as http:
        reply = await http.get(f"/.well-known/{name}", follow=False)
    where = local(probe, reply.header("location"))
    good = reply.status in (301, 302, 303, 307, 308) and urlsplit(where).path.rstrip("/") == ROOT
    return probe.seen(
        Outcome.ACCEPTED if good else Outcome.NOT_OFFERED, Stage.COMMAND, Reply(str(reply.status)), leads_to=where
    )


@behaviour(
    "webdav/principal",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"principal": Direction.FIXED, "homes": Direction.KEPT},
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def principal(probe: Probe) -> Observation:
    """Program finds the user's own place, where calendars and address books are

    Phones and programs cannot be set up, or show nothing.

    RFC 5397; RFC 4791 section 6.2.1; RFC 6352 section 7.1.1
    """
    async with Dav.open(probe, USER) as dav:
        found = hrefs(await dav.properties("/", "<current-user-principal/>"))
        own = next((path for path in found if path != "/"), "/")
        homes = await dav.properties(own, "<C:calendar-home-set/><A:addressbook-home-set/>")
    outcome = Outcome.ACCEPTED if own == home(USER) else Outcome.LOST
    return probe.seen(outcome, Stage.COMMAND, principal=own, homes=hrefs(homes))


@behaviour(
    "webdav/{kind}/make",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"types": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"kind": KINDS},
    timeout=SECONDS,
)
async def make(probe: Probe, kind: str) -> Observation:
    """User makes a new collection ({kind}), and programs find it

    Users cannot add a calendar or an address book.

    RFC 5689; RFC 4918 section 9.1
    """
    name = probe.unique_word()
    place = f"{home(USER)}{name}/"
    async with Dav.open(probe, USER) as dav:
        reply = await dav.make(place, KINDS[kind], name)
        listed = await dav.properties(home(USER), "<resourcetype/>", depth="1")
        its_types = types(await dav.properties(place, "<resourcetype/>"))
    there = place in hrefs(listed)
    return probe.seen(
        Outcome.ACCEPTED if there else Outcome.LOST, Stage.COMMAND, Reply(str(reply.status)), types=its_types
    )


@behaviour(
    "webdav/calendar/mkcalendar",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    timeout=SECONDS,
)
async def mkcalendar(probe: Probe) -> Observation:
    """User makes a new calendar by MKCALENDAR

    Users of older programs cannot add a calendar.

    RFC 4791 section 5.3.1
    """
    place = f"{home(USER)}{probe.unique_word()}/"
    async with Dav.open(probe, USER) as dav:
        reply = await dav.done("MKCALENDAR", place)
        its_types = types(await dav.properties(place, "<resourcetype/>"))
    made = "calendar" in its_types
    return probe.seen(Outcome.ACCEPTED if made else Outcome.LOST, Stage.COMMAND, Reply(str(reply.status)))


async def _filled(probe: Probe, dav: Dav, kind: str) -> tuple[str, str]:
    """A new collection of the user's with one item: its path, and what was put there."""
    word, made = probe.unique_word(), KINDS[kind]
    place = f"{home(USER)}{word}/"
    await dav.make(place, made, word)
    content = made.item.format(uid=word, text=f"Grüße {word}")
    await dav.done("PUT", f"{place}{ITEM}.{made.suffix}", content, kind=made.content_type)
    return place, content


@behaviour(
    "webdav/{kind}/put-and-get",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"etag": Direction.TRUE},
    severity=Severity.CRITICAL,
    each={"kind": KINDS},
    timeout=SECONDS,
)
async def put_and_get(probe: Probe, kind: str) -> Observation:
    """Entry ({kind}) is kept, and is the same when it is read

    Users lose appointments or addresses, or parts of them.

    RFC 4791 section 5.3.2; RFC 6352 section 5.3.4
    """
    async with Dav.open(probe, USER) as dav:
        place, content = await _filled(probe, dav, kind)
        reply = await dav.done("GET", f"{place}{ITEM}.{KINDS[kind].suffix}")
    same = lines(reply.text) == lines(content)
    return probe.seen(
        Outcome.ACCEPTED if same else Outcome.ALTERED,
        Stage.COMMAND,
        Reply(str(reply.status)),
        type=reply.header("content-type").partition(";")[0],
        etag=bool(reply.header("etag")),
    )


@behaviour(
    "webdav/{kind}/report",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": KINDS},
    timeout=SECONDS,
)
async def report(probe: Probe, kind: str) -> Observation:
    """Program searches the entries of a collection ({kind})

    Programs show an empty calendar or address book.

    RFC 4791 section 7.8; RFC 6352 section 8.6
    """
    async with Dav.open(probe, USER) as dav:
        place, _ = await _filled(probe, dav, kind)
        reply = await dav.done("REPORT", place, KINDS[kind].query, Depth="1")
    found = f"{place}{ITEM}.{KINDS[kind].suffix}" in hrefs(xml(reply.text))
    return probe.seen(Outcome.ACCEPTED if found else Outcome.LOST, Stage.COMMAND, Reply(str(reply.status)))


@behaviour(
    "webdav/{kind}/delete",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": KINDS},
    timeout=SECONDS,
)
async def delete(probe: Probe, kind: str) -> Observation:
    """User deletes an entry ({kind}), and then the collection

    What users delete comes back.

    RFC 4918 section 9.6
    """
    async with Dav.open(probe, USER) as dav:
        place, _ = await _filled(probe, dav, kind)
        item = f"{place}{ITEM}.{KINDS[kind].suffix}"
        reply = await dav.done("DELETE", item)
        left = (await dav.ask("GET", item)).status
        await dav.done("DELETE", place)
        listed = hrefs(await dav.properties(home(USER), "<resourcetype/>", depth="1"))
    gone = left in (404, 410) and place not in listed
    return probe.seen(Outcome.ACCEPTED if gone else Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status)))


def _refusal(probe: Probe, reply: HttpReply) -> Observation:
    """Whether who may not do something is kept from it. A redirect to a login page opens nothing either."""
    outcome = Outcome.ACCEPTED if reply.status < 300 else Outcome.REFUSED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status)))


@behaviour(
    "webdav/login/none",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    better={"asks": Direction.TRUE},
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def without_login(probe: Probe) -> Observation:
    """Calendars and address books are closed without a login, and programs are asked for one

    Strangers read appointments and addresses; or programs never ask for the password.

    RFC 7617; core/nginx/conf/nginx.conf (`auth_request /internal/auth/basic`), 1.9 to master
    """
    async with Dav.open(probe, None) as dav:
        reply = await dav.ask("PROPFIND", home(USER), Depth="1")
    asks = reply.header("www-authenticate").lower().startswith("basic")
    return probe.with_facts(_refusal(probe, reply), asks=asks)


@behaviour(
    "webdav/login/wrong-password",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def wrong_password(probe: Probe) -> Observation:
    """Calendars and address books are closed with a wrong password

    Strangers read appointments and addresses.

    core/admin/mailu/internal/views/auth.py (basic_authentication), 1.9 to master
    """
    async with Dav.open(probe, USER, "wrong-password") as dav:
        return _refusal(probe, await dav.ask("PROPFIND", home(USER), Depth="1"))


@behaviour(
    "webdav/login/forged-header",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def forged_header(probe: Probe) -> Observation:
    """Headers that name another user do not open that user's calendars

    Every user reads everybody's appointments and addresses.

    core/nginx/conf/nginx.conf (`proxy_set_header X-Remote-User`), 1.9 to master; CWE-290
    """
    forged = {"X_Remote_User": USER.address, "X_User": USER.address}
    async with Dav.open(probe, OTHER) as dav:
        return _refusal(probe, await dav.ask("PROPFIND", home(USER), Depth="1", **forged))


@behaviour(
    "webdav/others/{what}",
    needs=NEEDED,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"what": NOT_THEIRS},
    timeout=SECONDS,
)
async def others(probe: Probe, what: str) -> Observation:
    """Another user's calendar is closed to a user: {what}

    Every user reads, changes or deletes everybody's appointments.

    optional/radicale/radicale.conf (`owner_only`), 1.9 to master
    """
    async with Dav.open(probe, USER) as own:
        try:
            place, content = await _filled(probe, own, "calendar")
        except NotServed as end:
            # Where the owner may not write either, nothing is there to be kept from others: no refusal is shown.
            raise NotServed(Outcome.NOT_OFFERED, end.stage, end.reply) from end
        item = f"{place}{ITEM}.{KINDS['calendar'].suffix}"
        async with Dav.open(probe, OTHER) as dav:
            path = place if what == "list" else item
            body = content.replace("Grüße", "Changed") if what == "write" else ""
            reply = await dav.ask(NOT_THEIRS[what], path, body, kind=KINDS["calendar"].content_type)
        # The status says little: what counts is what the owner finds.
        left = await own.ask("GET", item)
        kept = left.status == 200 and lines(left.text) == lines(content)
    seen = _refusal(probe, reply)
    return seen if kept else probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply(str(reply.status)), kept=False)
