"""The user's own accounts and mailboxes before and after an upgrade in place (`--mailu-data`): counted, never read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL
from pytest_mailu.behaviours.webdav import NEEDED
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ALTERNATIVE, DOMAIN, INTERNATIONAL, RELAYED
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk

OWN = "own"
"""In the memory of an upgrade in place: whether people may be named, where there is own data."""
NAMED = "named"
OURS = (DOMAIN, INTERNATIONAL, ALTERNATIVE, RELAYED, "münchen.example")
AT_A_TIME = 100
"""Mailboxes that one command looks at."""
ASKED_OF_DOVECOT = 200
"""Mailboxes about which Dovecot is asked as well, spread over all of them."""
SHOWN = 20
_NOT_KNOWN = "nothing is known of your data from before the upgrade"
SECONDS = 1800.0


def _script() -> str:
    return files("pytest_mailu.behaviours").joinpath("own_script.py").read_text("utf-8")


async def _run(probe: Probe, service: str, *words: str, export: bool = False) -> Any:
    """What the script prints in a service's container. Raises CannotAsk where it fails."""
    line = 'exec python3 -c "$@"'
    if export:
        line = f"flask mailu config-export --json --secrets --full 2>/dev/null | {line.removeprefix('exec ')}"
    ran = await probe.services.exec(service, "sh", "-c", line, "sh", _script(), *words)
    try:
        return json.loads(ran.output)
    except ValueError:
        # The last lines of a trace-back name what it was about: only its kind is told.
        why = ran.errors.strip().rpartition("\n")[2].partition(":")[0]
        raise CannotAsk(f"your data could not be looked at in {service} (status {ran.code}) {why}".strip()) from None


@behaviour(
    "upgrade/own/accounts",
    wanted=Outcome.ACCEPTED,
    better={"lost": Direction.FIXED, "changed": Direction.FIXED, "kept.*": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    option="data",
    timeout=600.0,
)
async def accounts(probe: Probe) -> Observation:
    """Your own domains, users, aliases and relays, with passwords, tokens, forwards and everything that is set

    Somebody of yours cannot log in any more, or mail to somebody goes elsewhere.

    core/admin/mailu/schemas.py (config-export), 1.9 to master
    """
    now = await _run(probe, "admin", "accounts", *OURS, export=True)
    if not probe.stack.upgraded:
        probe.memory["own accounts"] = json.dumps(now)
    before = _remembered(probe, "own accounts")
    lost = {kind: sorted(_lost(before[kind]["entries"], now[kind]["entries"])) for kind in before}
    changed = {kind: _changed(before[kind], now[kind]) for kind in before}
    fields = Counter(f"{kind}.{field}" for kind, all_ in changed.items() for each in all_.values() for field in each)
    wrong = [*(key for keys in lost.values() for key in keys), *(key for all_ in changed.values() for key in all_)]
    gone = sum(map(len, lost.values()))
    return probe.seen(
        Outcome.LOST if gone else Outcome.ALTERED if fields else Outcome.ACCEPTED,
        Stage.SETTINGS,
        kept={kind: sum(1 for _ in _lines(before[kind]["entries"])) - len(lost[kind]) for kind in before},
        lost={kind: len(keys) for kind, keys in lost.items() if keys},
        changed=dict(sorted(fields.items())),
        **await _named(probe, "admin", "names", wrong, before_lost=gone, export=True),
    )


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[str]]:
    """By key the fields that are not as before, of those that both releases have."""
    places = {field: place for place, field in enumerate(now["fields"])}
    pairs = [(field, place, places[field]) for place, field in enumerate(before["fields"]) if field in places]
    found = {}
    for key, was, became in _merged(before["entries"], now["entries"]):
        if became is not None and became != was:
            fields = [field for field, old, new in pairs if _part(was, old) != _part(became, new)]
            if fields:
                found[key] = fields
    return found


def _lost(before: str, now: str) -> Iterator[str]:
    return (key for key, _, became in _merged(before, now) if became is None)


def _merged(before: str, now: str) -> Iterator[tuple[str, str, str | None]]:
    """Of two texts of sorted lines, each key of the first, what it had, and what it has now; None where it is gone."""
    rest = _lines(now)
    key_now, is_ = next(rest, ("", ""))
    for key, was in _lines(before):
        while key_now and key_now < key:
            key_now, is_ = next(rest, ("", ""))
        yield key, was, is_ if key_now == key else None


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Key and value of each line, one after the other: a list of many would take its time in memory."""
    place = 0
    while place < len(text):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        key, _, value = text[place:end].partition(" ")
        yield key, value
        place = end + 1


def _part(text: str, place: int) -> str:
    return text[4 * place : 4 * place + 4]


@behaviour(
    "upgrade/own/mail",
    wanted=Outcome.ACCEPTED,
    better={"lost": Direction.FIXED, "fewer": Direction.FIXED, "messages": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    option="data",
    timeout=SECONDS,
)
async def mail(probe: Probe) -> Observation:
    """Your own mailboxes: folders, messages, flags and numbers

    Mail of yours is gone, doubled or unread again, or every program downloads all of it once more.

    RFC 9051 sections 2.3.1.1 and 2.3.2
    """
    now = await _mailboxes(probe)
    if not probe.stack.upgraded:
        probe.memory["own mail"] = now
    if (before := probe.memory.get("own mail")) is None:
        raise CannotAsk(_NOT_KNOWN)
    lost, fewer, other, renumbered = list[str](), list[str](), list[str](), list[str]()
    mailboxes = folders = messages = asked = 0
    for key, text, text_now in _merged(before, now):
        if text_now is None:
            lost.append(key)
            continue
        was, is_ = json.loads(text), json.loads(text_now)
        mailboxes, folders, messages = mailboxes + 1, folders + is_[0], messages + is_[1]
        if is_[1] < was[1]:
            fewer.append(key)
        elif is_[:3] != was[:3]:
            other.append(key)
        if len(was) > 3 and len(is_) > 3:
            asked += bool(is_[3])
            if was[3] and was[3] != is_[3]:
                renumbered.append(key)
    outcome = Outcome.LOST if lost or fewer else Outcome.ALTERED if other or renumbered else Outcome.ACCEPTED
    return probe.seen(
        outcome,
        Stage.COMMAND,
        mailboxes=mailboxes,
        folders=folders,
        messages=messages,
        asked_of_dovecot=asked,
        lost=len(lost),
        fewer=len(fewer),
        other_files=len(other),
        served_otherwise=len(renumbered),
        **await _named(probe, "imap", "boxes", [*lost, *fewer, *other, *renumbered], before_lost=len(lost)),
    )


@behaviour(
    "upgrade/own/web-mail",
    needs=WEB_MAIL,
    of_setup=(Feature.ROUNDCUBE,),
    wanted=Outcome.ACCEPTED,
    better={"lost": Direction.FIXED, "changed": Direction.FIXED, "entries": Direction.MORE},
    severity=Severity.CRITICAL,
    in_place=True,
    option="data",
    timeout=600.0,
)
async def web_mail(probe: Probe) -> Observation:
    """Your users' contacts and identities in web mail

    Addresses that somebody of yours has collected, or names and signatures, are gone or altered.

    Roundcube, SQL/sqlite.initial.sql; webmails/start.py (roundcube.db in the folder `webmail`), since 2.0
    """
    return await _kept(probe, "webmail", "web-mail")


@behaviour(
    "upgrade/own/calendars",
    needs=NEEDED,
    wanted=Outcome.ACCEPTED,
    better={"lost": Direction.FIXED, "changed": Direction.FIXED, "entries": Direction.MORE},
    severity=Severity.CRITICAL,
    in_place=True,
    option="data",
    timeout=600.0,
)
async def calendars(probe: Probe) -> Observation:
    """Your users' calendars and address books (WebDAV)

    Appointments or addresses of somebody of yours are gone or altered.

    optional/radicale/radicale.conf (files in the folder `dav`), 1.9 to master
    """
    return await _kept(probe, "webdav", "calendars")


async def _kept(probe: Probe, service: str, what: str) -> Observation:
    """What a service keeps in its own files, by the fingerprint of each owner: how much, and a fingerprint of it."""
    now: Mapping[str, list[Any]] = await _run(probe, service, what, *OURS)
    if not probe.stack.upgraded:
        probe.memory[f"own {what}"] = json.dumps(now)
    before = _remembered(probe, f"own {what}")
    lost = [key for key, was in before.items() if now.get(key, [0])[0] < was[0]]
    changed = [key for key, was in before.items() if key not in lost and now[key] != was]
    gone = [key for key in lost if key not in now]
    wrong = [*gone, *(key for key in lost if key in now), *changed]
    return probe.seen(
        Outcome.LOST if lost else Outcome.ALTERED if changed else Outcome.ACCEPTED,
        Stage.SETTINGS,
        number=len(before),
        entries=sum(now[key][0] for key in before if key in now),
        lost=len(lost),
        changed=len(changed),
        **await _named(probe, service, "people", wrong, before_lost=len(gone)),
    )


async def _mailboxes(probe: Probe) -> str:
    """A line for each mailbox, sorted: the fingerprint of its name, and what it is as JSON."""
    found: list[str] = []
    first, everything = 0, 1
    if "own every" not in probe.memory:
        everything = (await _run(probe, "imap", "mail", "0", "0", "1", *OURS))["all"]
        probe.memory["own every"] = str(-(-everything // ASKED_OF_DOVECOT) or 1)
    while first < everything:
        part = await _run(probe, "imap", "mail", str(first), str(AT_A_TIME), probe.memory["own every"], *OURS)
        found += (f"{key} {json.dumps(seen)}" for key, seen in part["found"].items())
        everything = part["all"]
        first += AT_A_TIME
    return "\n".join(sorted(found))


def _remembered(probe: Probe, what: str) -> Any:
    if (text := probe.memory.get(what)) is None:
        raise CannotAsk(_NOT_KNOWN)
    return json.loads(text)


async def _named(
    probe: Probe, service: str, what: str, keys: Iterable[str], *, before_lost: int, export: bool = False
) -> dict[str, Any]:
    """Who it is about, where people may be named; those that are gone have no name any more."""
    wrong = list(keys)[before_lost:][:SHOWN]
    if not wrong or probe.memory.get(OWN) != NAMED:
        return {}
    return {"named": await _run(probe, service, what, *wrong, export=export)}
