"""What a database server beside `admin` adds to what can break: its schema, its own idea of characters, its restarts.

Everything else of the matrix is asked there as well. What is made here has unique names and goes with the stack.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from pytest_mailu.behaviours.admin_cli import command
from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import log_in
from pytest_mailu.behaviours.inbound_down import without
from pytest_mailu.behaviours.inbound_restarts import Journal, arrived, send_all
from pytest_mailu.core.database_schema import CURRENT_SCHEMA, is_newest_schema
from pytest_mailu.core.endpoints import IMAPS_993, SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import CAROL, DOMAIN, own_mailbox
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

NEEDS = (Feature.DATABASE,)
SECONDS = 120.0
READER = own_mailbox("database-reader")
DOWN = own_mailbox("database-down")
USER = own_mailbox("database-user")
MESSAGES, SENDERS = 40, 4
LOGINS = 10
"""How many logins are tried after a restart, one after the other."""
TEXTS: Mapping[str, str] = {
    "umlauts": "Grüße aus Ærø, señor ß",
    "cyrillic": "Привет, мир",
    "han": "電子郵件 한국어",
    # Four bytes in UTF-8, which MySQL's older `utf8` cannot store.
    "emoji": "📫 post 𝔘",
    "combined": "e\u0301 é Å Å",
    "quotes": 'O\'Brien "x" \\ %s {0} ; -- `a`',
    "longest": "ü" * 160,
}
"""Displayed names (160 characters at most: core/admin/mailu/models.py) and comments by what is special about them."""
CHANGED = " (changed)"
TOO_LONG = 300
"""Characters of a comment, for which the models declare 255."""


@behaviour(
    "database/schema/finished",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    needs=("admin",),
    timeout=SECONDS,
    of_setup=NEEDS,
)
async def schema(probe: Probe) -> Observation:
    """All migrations of the release have been made in the database

    Pages and programs that need the new columns fail, some of them much later.

    Mailu core/admin/start.py: `flask db upgrade` may fail, and admin starts all the same
    """
    ran = await probe.services.exec("admin", *CURRENT_SCHEMA)
    if ran.code:
        said = (ran.errors + ran.output).strip().splitlines()[-1:]
        raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(ran.code), "", "".join(said)))
    finished = is_newest_schema(ran.output)
    return probe.seen(Outcome.ACCEPTED if finished else Outcome.REFUSED, Stage.COMMAND, finished=finished)


@shared
async def stored(probe: Probe) -> Mapping[str, Mapping[str, Any]]:
    """By kind of text: the fields in which it is not what was written, in users that were made and then changed."""
    word = probe.unique_word()
    users = {kind: f"db-{kind}-{word}" for kind in TEXTS}

    def document(end: str) -> dict[str, Any]:
        return {
            "user": [
                {
                    "email": f"{name}@{DOMAIN}",
                    "password": "database-secret-1",
                    "hash_password": True,
                    "displayed_name": f"{TEXTS[kind]}{end}"[:160],
                    "comment": f"{TEXTS[kind]}{end}"[:255],
                    "reply_subject": f"{TEXTS[kind]}{end}",
                    "reply_body": f"{TEXTS[kind]}{end}\n" * 40,
                }
                for kind, name in users.items()
            ]
        }

    found: dict[str, dict[str, Any]] = {kind: {} for kind in TEXTS}
    for step, end in (("made", ""), ("changed", CHANGED)):
        await imported(probe, document(end))
        exported = await _users(probe)
        for wanted, kind in zip(document(end)["user"], users, strict=True):
            seen = exported.get(wanted["email"], {})
            fields = ("displayed_name", "comment", "reply_subject", "reply_body")
            found[kind][step] = sorted(name for name in fields if seen.get(name) != wanted[name])
    return found


@behaviour(
    "database/text/{kind}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": TEXTS},
    deep={"kind": [kind for kind in TEXTS if kind not in ("emoji", "longest")]},
    timeout=SECONDS * 2,
    of_setup=NEEDS,
)
async def text(probe: Probe, kind: str) -> Observation:
    """A user with {kind} in names, comments and automatic replies is made and changed

    Names and automatic replies arrive garbled, or users cannot be saved at all.

    Mailu core/admin/mailu/models.py (User); a database server has character sets and widths of its own
    """
    altered = (await stored(probe))[kind]
    kept = not any(altered.values())
    return probe.seen(Outcome.ACCEPTED if kept else Outcome.ALTERED, Stage.COMMAND, altered=altered)


@behaviour(
    "database/text/too-long",
    better=FUNCTION,
    severity=Severity.INFO,
    timeout=SECONDS,
    deep=True,
    of_setup=NEEDS,
)
async def too_long(probe: Probe) -> Observation:
    """A comment that is longer than its column

    Scripts that create users stop, or texts are cut.

    Mailu core/admin/mailu/models.py (comment, 255 characters): SQLite keeps longer ones, servers refuse them
    """
    address = f"db-long-{probe.unique_word()}@{DOMAIN}"
    entry = {"email": address, "password": "database-secret-1", "hash_password": True, "comment": "x" * TOO_LONG}
    try:
        await imported(probe, {"user": [entry]})
    except NotServed:
        return probe.seen(Outcome.REFUSED, Stage.COMMAND)
    length = len((await _users(probe)).get(address, {}).get("comment") or "")
    return probe.seen(Outcome.ACCEPTED if length == TOO_LONG else Outcome.ALTERED, Stage.COMMAND, characters=length)


CASES = {
    "alias": "an alias",
    "wildcard": "a wildcard alias",
    "mixed": "an alias that was made with capitals",
}


@behaviour(
    "database/lookup/{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"kind": CASES},
    timeout=SECONDS,
    of_setup=NEEDS,
)
async def lookup(probe: Probe, kind: str) -> Observation:
    """Mail to {kind} is taken, in whatever case the address is written, and none to an address that looks like it

    Mail is refused because somebody wrote a capital letter, or reaches somebody else.

    RFC 5321 section 2.4; Mailu core/admin/mailu/models.py (Alias.resolve): `=` and LIKE are those of the database
    """
    word = probe.unique_word()
    made = {"alias": f"db-{word}", "wildcard": f"db-{word}-%", "mixed": f"Db-{word}-Mixed"}[kind]
    wildcard = ("--wildcard",) if kind == "wildcard" else ()
    await command(probe, "alias", *wildcard, made, DOMAIN, CAROL.address)
    written = made.replace("%", "any")
    forms = {"written": written, "lower": written.lower(), "upper": written.upper()}
    others = {"longer": f"x{written}", "other_sign": written.replace("-", "_", 1)}
    found: dict[str, Any] = {name: await _taken(probe, local) for name, local in {**forms, **others}.items()}
    await command(probe, "alias-delete", f"{made.lower()}@{DOMAIN}")
    met = all(found[name] for name in forms) and not any(found[name] for name in others)
    return probe.seen(Outcome.ACCEPTED if met else Outcome.ALTERED, Stage.RCPT, **found)


@behaviour(
    "database/lookup/similar-addresses",
    better=FUNCTION,
    severity=Severity.INFO,
    timeout=SECONDS,
    deep=True,
    of_setup=NEEDS,
)
async def similar(probe: Probe) -> Observation:
    """Two users whose addresses differ in ß and ss only

    One of them cannot be made, or mail for one reaches the other.

    Unicode Technical Standard 10: collations that ignore accents take some characters for others; SQLite compares bytes
    """
    word = probe.unique_word()
    addresses = [f"db-{name}-{word}@{DOMAIN}" for name in ("strasse", "straße")]
    users = [{"email": each, "password": "database-secret-1", "hash_password": True} for each in addresses]
    try:
        for user in users:
            await imported(probe, {"user": [user]})
    except NotServed:
        return probe.seen(Outcome.REFUSED, Stage.COMMAND)
    there = (await _users(probe)).keys() & set(addresses)
    return probe.seen(Outcome.ACCEPTED if len(there) == len(addresses) else Outcome.ALTERED, Stage.COMMAND)


@behaviour(
    "database/restart/login",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    alone=True,
    deep=True,
    timeout=SECONDS * 2,
    volatile=("facts.failed",),
    of_setup=NEEDS,
)
async def login_after_restart(probe: Probe) -> Observation:
    """Users can log in again after the database server was restarted, without a restart of admin

    After an update of the database, nobody can log in until somebody restarts admin.

    SQLAlchemy, "Dealing with Disconnects": connections of before the restart fail once unless they are tested
    """
    await _start_again(probe, kill=False)
    answers: list[NotServed | None] = []
    for _ in range(LOGINS):
        try:
            await log_in(probe, IMAPS_993, USER.address, USER.password)
        except NotServed as end:
            answers.append(end)
        else:
            answers.append(None)
    failed = sum(answer is not None for answer in answers)
    if (last := answers[-1]) is not None:
        raise last
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, failed=failed)


@behaviour(
    "database/restart/{how}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    severity=Severity.CRITICAL,
    better={"missing": Direction.FEWER, "refused": Direction.FEWER},
    each={"how": ("stopped", "killed")},
    alone=True,
    deep=True,
    timeout=420.0,
    of_setup=NEEDS,
)
async def restart(probe: Probe, how: str) -> Observation:
    """Mail that comes in while the database server is {how} and started again is deferred or taken, and none is lost

    Mail is returned to its senders whenever the database is updated.

    RFC 5321 sections 4.2.5 and 6.1; Mailu core/admin/mailu/internal/views/postfix.py: an error of admin is no answer
    """
    journal = Journal()
    waiting = [probe.mail.compose(to=READER.address) for _ in range(MESSAGES)]
    tokens = {message.message_id for message in waiting}
    senders = [asyncio.create_task(send_all(probe, waiting, journal)) for _ in range(SENDERS)]
    try:
        await _start_again(probe, kill=how == "killed")
        await asyncio.gather(*senders)
    finally:
        for sender in senders:
            sender.cancel()
    found = await arrived(probe, READER, journal.accepted & tokens)
    missing = len(journal.accepted - set(found))
    reply = next(iter(journal.refused.values()), None)
    outcome = Outcome.LOST if missing else Outcome.REFUSED if journal.refused else Outcome.DELIVERED
    return probe.seen(outcome, Stage.DELIVERY, reply, missing=missing, refused=len(journal.refused))


@behaviour(
    "database/down/{how}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    severity=Severity.MAJOR,
    each={"how": ("held-still", "gone")},
    alone=True,
    deep=True,
    timeout=240.0,
    of_setup=NEEDS,
)
async def down(probe: Probe, how: str) -> Observation:
    """Message from outside while the database server is {how}

    Mail is lost or returned whenever the database is away.

    RFC 5321 sections 4.2.5 and 4.5.4
    """
    return await without(probe, _service(probe), DOWN, gone=how == "gone")


async def imported(probe: Probe, document: Mapping[str, Any]) -> None:
    """Bring objects in by `config-import --update`. Raises NotServed where it refuses them."""
    script = "cat > /tmp/database.json <<'END'\n" + json.dumps(document, ensure_ascii=False) + "\nEND\n"
    script += "flask mailu config-import --update --quiet /tmp/database.json"
    ran = await probe.services.exec("admin", "sh", "-c", script)
    if ran.code:
        said = (ran.errors + ran.output).strip().splitlines()[-1:]
        raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(ran.code), "", f"config-import: {''.join(said)}"))


async def _users(probe: Probe) -> Mapping[str, Mapping[str, Any]]:
    """All users by address, as `config-export` has them."""
    ran = await command(probe, "config-export", "--full", "--json", "user")
    try:
        users = json.loads(ran.output)["user"]
        return {user["email"]: user for user in users}
    except (ValueError, KeyError, TypeError) as error:
        raise CannotAsk(f"the export has no users: {error!r}") from error


async def _taken(probe: Probe, local: str) -> bool:
    """Whether a recipient is accepted. Raises what else may become of it."""
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        await smtp.mail(f"stranger@{CAROL.domain.replace('post', 'elsewhere')}")
        try:
            await smtp.rcpt(f"{local}@{DOMAIN}")
        except NotServed as end:
            if end.reply is not None and end.reply.code == "550":
                return False
            raise
    return True


def _service(probe: Probe) -> str:
    """The service with the database of `admin`."""
    if not probe.stack.databases:
        raise CannotAsk("the stack has no database server")
    return probe.stack.databases[0]


async def _start_again(probe: Probe, *, kill: bool) -> None:
    """Restart the database server; it has to come back by itself."""
    failure = await probe.services.start_again(_service(probe), kill=kill, seconds=90.0)
    if failure is not None:
        raise CannotAsk(failure.cause)
