"""What a look at the user's own data found, in sentences: what stops an upgrade, and what stays behind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pytest_mailu.core.releases import Release

_NAMED = 5
_ALL_TABLES = 3
"""Of Roundcube's that are looked for: a database without any of them is new, and is filled at the start."""


def sentences(
    answer: Mapping[str, Any],
    releases: Sequence[Release],
    *,
    names: bool,
    started: Collection[str] = (),
    server: str = "",
    carried: bool = False,
) -> Iterator[str]:
    """What `survey_script` answered, for an upgrade through `releases`, old first. Rows are named with `names` only.

    `started` are the optional services that the rehearsal starts on the data; `server` is the database server that has
    the accounts, where that is not SQLite, `carried` with its data.
    """
    if server and not carried:
        yield (
            f"--mailu-data: the accounts are in {server}, and are not carried over: rows that a migration cannot take "
            "were not looked at. The rehearsal has your mail, and the accounts of the test alone. To carry them over, "
            "name your compose file (--mailu-compose, --mailu-deployment), with the database as a service of the image "
            "postgres, mariadb or mysql, and its folder in the folder of Mailu."
        )
    elif not server:
        yield from _database(answer["database"], releases, names=names)
    yield from _around(answer, releases, started)


def server_sentences(
    found: Mapping[str, Any], releases: Sequence[Release], *, names: bool, server: str
) -> Iterator[str]:
    """What a look at the copy of the user's own database server found."""
    yield f"Your accounts are in {server}: its data was taken over with the rest, and the rows were read on the copy."
    if not found["mailu"]:
        yield "That database has no tables of Mailu: is it the one that your settings name?"
        return
    yield from _rows(found, releases, names=names)


def _database(database: Mapping[str, Any], releases: Sequence[Release], *, names: bool) -> Iterator[str]:
    if "error" in database or not database.get("mailu"):
        why = database.get("error", "it has no tables of Mailu")
        yield (
            f"The database data/main.db cannot be looked at: {why}. Where DB_FLAVOR is postgresql or mysql, the "
            "accounts are elsewhere, and this rehearsal has none of them."
        )
        return
    if database["broken"]:
        yield f"The database is damaged (PRAGMA integrity_check): {database['broken'][0]}. Mend it before the upgrade."
    if database["left"]:
        yield (
            f"A migration that was broken off has left the table {', '.join(database['left'])} behind. The next one "
            "fails with `table already exists`: drop it before the upgrade, after a look at what is in it."
        )
    yield from _rows(database, releases, names=names)


def _rows(database: Mapping[str, Any], releases: Sequence[Release], *, names: bool) -> Iterator[str]:
    """What the version of the schema means, and rows that a migration cannot take."""
    yield from _schema(database["schema"], releases)
    for problem in database["problems"]:
        if meaning := _meaning(problem["what"], releases):
            rows = problem["rows"]
            yield (
                f"{rows} row{'' if rows == 1 else 's'} of the table {problem['table']} {meaning} "
                f"{_listed(problem['named'][:_NAMED], rows) if names else _numbered(problem['numbers'][:_NAMED], rows)}"
            )


HEADS = {
    "3b7eee912b41": ("1.9", 0),
    "7ac252f2bbbf": ("2.0", 1),
    "0ba45693748d": ("2024.06", 2),
    "9a5866105f5a": ("master", 3),
}
"""The last migration of each series, and their order (core/admin/migrations/versions)."""
_ORDER_OF = dict(HEADS.values())


def _schema(versions: Sequence[str], releases: Sequence[Release]) -> Iterator[str]:
    if len(versions) != 1:
        yield f"The database says {len(versions)} versions of its schema instead of one (table alembic_version)."
        return
    known = HEADS.get(versions[0])
    old = releases[0]
    if known is None or known[0] == old.series or old.series not in _ORDER_OF:
        return
    if known[1] > _ORDER_OF[old.series]:
        yield (
            f"The database was migrated by Mailu {known[0]} already, and is newer than {old}, the release to upgrade "
            f"from. {old} cannot take it back."
        )
    else:
        yield f"The database is that of Mailu {known[0]}: {old} has not run on this data yet, and migrates it first."


MEANINGS = {
    "odd": "have an address that is none.",
    "both": "have the address of a user: only one of the two gets the mail.",
    "served-twice": "name a domain that is in the table domain as well.",
}


def _meaning(what: str, releases: Sequence[Release]) -> str:
    """What a kind of row means for the upgrade; empty where it means nothing."""
    lowered = any(release.lowers_addresses for release in releases[1:])
    if what == "upper":
        return "have upper case in the address; the new release writes them in lower case." if lowered else ""
    if what == "case":
        stops = "The migration to the new release ends with an error" if lowered else "A later release will not migrate"
        return f"differ from another one in upper and lower case only. {stops} because of them: rename one of each."
    if target := what.partition("points-to-")[2]:
        return (
            f"name a {target} that is not there. Databases other than SQLite refuse that, and `config-import` stumbles "
            "over it."
        )
    return MEANINGS.get(what) or f"have a longer {what.removeprefix('long-')} than Mailu allows."


def _listed(names: Sequence[str], rows: int) -> str:
    more = f" and {rows - len(names)} more" if rows > len(names) else ""
    return f"({', '.join(names)}{more})"


def _numbered(numbers: Sequence[int], rows: int) -> str:
    """Rows by their number (rowid), which names nobody."""
    if not numbers:
        return "(--mailu-data-names names them.)"
    more = f" and {rows - len(numbers)} more" if rows > len(numbers) else ""
    return f"(rowid {', '.join(map(str, numbers))}{more}; --mailu-data-names names them.)"


def _around(answer: Mapping[str, Any], releases: Sequence[Release], started: Collection[str]) -> Iterator[str]:
    database = int(answer["database"].get("bytes", 0))
    # SQLite's ALTER TABLE by Alembic's batch mode writes a table anew beside the old one, and a journal of both.
    if answer["free"] < 3 * database:
        yield (
            f"{_megabytes(answer['free'])} are free where the database is; a migration of {_megabytes(database)} "
            f"needs up to {_megabytes(3 * database)}."
        )
    leaves = releases[0].series in ("1.9", "2.0") and releases[-1].series not in ("1.9", "2.0")
    if answer["old_indexes"] and leaves:
        number = answer["old_indexes"]
        yield (
            f"{number} search {'index' if number == 1 else 'indexes'} of the old release "
            f"({_megabytes(answer['old_index_bytes'])}) stay behind, and nothing uses them any more: remove the "
            "folders `xapian-indexes` after the upgrade. New indexes are made at the first search of each person."
        )
    counts = answer["counts"]
    if number := counts.get("messages in the queue", 0):
        yield (
            f"{number} {'message waits' if number == 1 else 'messages wait'} in the queue. The rehearsal left them "
            "out; see that the queue is empty before the upgrade."
        )
    yield from _web_mail(answer.get("webmail", {}))
    not_taken = [name for name in NOT_STARTED if counts.get(name) and NOT_STARTED[name] not in started]
    if not_taken:
        needed = sorted({NOT_STARTED[name] for name in not_taken})
        yield (
            f"{', '.join(f'{name} ({counts[name]})' for name in not_taken).capitalize()} were counted only: "
            f"--mailu-with {','.join(needed)} starts what keeps them, and compares them."
        )


NOT_STARTED = {
    "contacts of web mail": "webmail",
    "identities of web mail": "webmail",
    "contacts": "webdav",
    "calendar entries": "webdav",
}
"""What is counted → the optional service that keeps it."""


def _web_mail(database: Mapping[str, Any]) -> Iterator[str]:
    """Roundcube's own migration ends where a table is not there, and web mail with it (Mailu #3419, #3726)."""
    if database.get("error") not in (None, "there is none"):
        yield f"Web mail's database webmail/roundcube.db cannot be looked at: {database['error']}."
    missing = database.get("missing", ())
    if missing and len(missing) < _ALL_TABLES:
        left = database.get("left", ())
        behind = f" An earlier migration that was broken off left {', '.join(left)} behind." if left else ""
        yield (
            f"Web mail's database webmail/roundcube.db has no table {', '.join(missing)}: its migration fails, and web "
            f"mail does not start.{behind} Put the table back, or move the file aside; then contacts and identities "
            "start from nothing."
        )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
