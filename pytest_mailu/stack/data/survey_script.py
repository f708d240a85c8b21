"""Looks at the data of a Mailu before an upgrade, inside a container; imports nothing of ours (Python 3.9 or later).

`python3 survey_script.py '{"database": "/from/data/main.db", "mail": "/from/mail", …}'`: counts accounts and mail, and
looks for rows that a migration cannot take. Works on a copy of the database. The last line of output is a JSON object
of limited size. Addresses are in it under `named` and `domains` alone.

Sources: core/admin/mailu/models.py and core/admin/migrations of 1.9.50, 2.0.43, 2024.06.24 and master.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

LONGEST = 4 << 30
"""Bytes of a database that is looked at."""
SECONDS = 120.0
"""How long one look at the database may take."""
NAMED, NAME_LIMIT = 5, 255
"""How many rows of a kind are named, and characters of each name."""
DOMAINS, DOMAIN_LIMIT = 500, 300
"""How many domains are told, and bytes of JSON that each may take: the whole answer has to fit into a log."""
DEEPEST = 60
"""Folders below each other that are looked into."""
WIDTHS = {
    "domain": {"name": 80, "comment": 255},
    "alternative": {"name": 80, "domain_name": 80},
    "relay": {"name": 80, "smtp": 80},
    "user": {
        **{"localpart": 80, "domain_name": 80, "email": 255, "password": 255, "displayed_name": 160},
        **{"forward_destination": 4096, "reply_subject": 255, "comment": 255},
    },
    "alias": {"localpart": 80, "domain_name": 80, "email": 255, "destination": 4096, "comment": 255},
    "token": {"user_email": 255, "password": 255, "ip": 4096},
    "fetch": {"user_email": 255, "host": 255, "username": 255, "password": 255},
}
"""How many characters the models of Mailu declare; SQLite keeps longer values, PostgreSQL and MySQL refuse them."""
POINTS = (
    *(("user", "domain_name", "domain", "name"), ("alias", "domain_name", "domain", "name")),
    *(("alternative", "domain_name", "domain", "name"), ("token", "user_email", "user", "email")),
    *(("fetch", "user_email", "user", "email"), ("manager", "user_email", "user", "email")),
    ("manager", "domain_name", "domain", "name"),
)
"""Table, column, and the row that has to be there for it."""
COUNTS = {
    "domains": "select count(*) from domain",
    "alternative domains": "select count(*) from alternative",
    "relayed domains": "select count(*) from relay",
    "users": "select count(*) from user",
    "disabled users": "select count(*) from user where not enabled",
    "administrators": "select count(*) from user where global_admin",
    "managers": "select count(*) from manager",
    "users with a forward": "select count(*) from user where forward_enabled",
    "users with an automatic reply": "select count(*) from user where reply_enabled",
    "aliases": "select count(*) from alias",
    "wildcard aliases": "select count(*) from alias where wildcard",
    "tokens": "select count(*) from token",
    "fetched accounts": "select count(*) from fetch",
}


ROUNDCUBE = {"users": "users", "contacts": "contacts", "identities": "identities"}
"""Tables of Roundcube (SQL/sqlite.initial.sql, 1.4 to 1.6) whose rows are counted, and what they are called."""
_KEPT = {"contacts": "del <> 1", "identities": "del <> 1"}


class Look:
    """One look at a database; what cannot be asked is left out, for tables differ from release to release."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.until = time.monotonic() + SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > self.until, 10_000)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """At most `NAMED` rows."""
        try:
            return self.connection.execute(question).fetchmany(NAMED)
        except sqlite3.OperationalError:
            if time.monotonic() > self.until:
                raise
            return []

    def tables(self) -> set[str]:
        """The names of all tables."""
        return {str(row[0]) for row in self.connection.execute("select name from sqlite_master where type = 'table'")}

    def number(self, question: str) -> int | None:
        """The number that a question has for an answer."""
        found = self.rows(question)
        return int(found[0][0]) if found and isinstance(found[0][0], int) else None

    def problem(self, what: str, table: str, column: str, condition: str) -> dict[str, Any] | None:
        """The rows of a table that meet a condition: how many, and the first of them by name and by number (rowid)."""
        many = self.number(f"select count(*) from {table} where {condition}")  # noqa: S608 - all parts are ours
        if not many:
            return None
        rows = self.rows(f"select substr({column}, 1, {NAME_LIMIT}), rowid from {table} where {condition} order by 1")  # noqa: S608
        numbers = [row[1] for row in rows if isinstance(row[1], int)]
        return {"what": what, "table": table, "rows": many, "named": [str(row[0]) for row in rows], "numbers": numbers}


def database(path: str, ask: Callable[[Look], dict[str, Any]]) -> dict[str, Any]:
    """What the SQLite database at `path` says to `ask`; with `error` where it cannot be read."""
    try:
        size = os.lstat(path)
    except OSError as error:
        return {"error": "there is none" if isinstance(error, FileNotFoundError) else str(error.strerror)}
    if not stat.S_ISREG(size.st_mode):
        return {"error": "it is no file"}
    sizes = {suffix: regular_size(path + suffix) for suffix in ("", "-journal", "-wal")}
    if sum(sizes.values()) > LONGEST:
        return {"error": f"it and its journals have more than {LONGEST >> 30} GB", "bytes": size.st_size}
    folder = tempfile.mkdtemp()
    try:
        copy = os.path.join(folder, "main.db")
        for suffix in [suffix for suffix in sizes if sizes[suffix] >= 0]:
            shutil.copyfile(path + suffix, copy + suffix, follow_symlinks=False)
        connection = sqlite3.connect(copy)
        try:
            connection.execute("pragma query_only = on")
            connection.execute("pragma trusted_schema = off")
            return {"bytes": size.st_size, **ask(Look(connection))}
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        return {"error": str(error)[:200], "bytes": size.st_size}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def regular_size(path: str) -> int:
    """Bytes of a file; -1 where there is none, or something else, such as a link."""
    try:
        seen = os.lstat(path)
    except OSError:
        return -1
    return seen.st_size if stat.S_ISREG(seen.st_mode) else -1


def accounts(look: Look) -> dict[str, Any]:
    """Counts, problems and the version of the schema of `admin`'s database."""
    broken = [str(row[0])[:200] for row in look.rows("pragma integrity_check(5)") if row[0] != "ok"]
    tables = look.tables()
    found = [look.problem(*each) for each in questions() if each[1] in tables]
    left = sorted(name[:80] for name in tables if name.startswith("_alembic_tmp_"))
    versions = [str(row[0])[:40] for row in look.rows("select version_num from alembic_version")]
    domains = [
        str(row[0])
        for table in ("domain", "alternative", "relay")
        if table in tables
        for row in look.connection.execute(f"select substr(name, 1, {DOMAIN_LIMIT}) from {table} limit {DOMAINS}")  # noqa: S608 - ours
    ]
    return {
        "schema": versions,
        "mailu": {"user", "domain", "alias"} <= tables,
        "broken": broken,
        "left": left[:NAMED],
        "counts": {name: number for name, ask in COUNTS.items() if (number := look.number(ask)) is not None},
        "problems": [problem for problem in found if problem is not None],
        "domains": [name for name in domains if len(json.dumps(name)) <= DOMAIN_LIMIT][:DOMAINS],
    }


def web_mail(look: Look) -> dict[str, Any]:
    """Counts of Roundcube's database, and what of its tables is missing or was left behind."""
    tables = look.tables()
    return {
        "missing": [name for name in ROUNDCUBE if name not in tables],
        "left": sorted(name[:80] for name in tables if name.startswith("old_"))[:NAMED],
        "counts": {
            f"{words} of web mail": number
            for table, words in ROUNDCUBE.items()
            if (number := look.number(f"select count(*) from {table} where {_KEPT.get(table, '1')}")) is not None  # noqa: S608
        },
    }


def questions() -> list[tuple[str, str, str, str]]:
    """What to look for: a name, the table, what names a row, and the condition for a row that is told."""
    found = []
    for table in ("user", "alias"):
        twins = f"select lower(email) from {table} group by 1 having count(*) > 1"  # noqa: S608 - ours
        found.append(("case", table, "email", f"lower(email) in ({twins})"))
        found.append(("upper", table, "email", "email <> lower(email)"))
        found.append(("odd", table, "email", "email not like '%_@_%' or email like '%@%@%'"))
    found.append(("both", "alias", "email", "lower(email) in (select lower(email) from user)"))
    found.append(("served-twice", "alternative", "name", "lower(name) in (select lower(name) from domain)"))
    found.append(("served-twice", "relay", "name", "lower(name) in (select lower(name) from domain)"))
    for table, column, target, key in POINTS:
        found.append(
            (
                f"points-to-{target}",
                table,
                column,
                f"{column} is not null and {column} not in (select {key} from {target})",  # noqa: S608 - ours
            )
        )
    for table, widths in WIDTHS.items():
        name = next(each for each in ("email", "name", "user_email") if each in widths)
        for column, width in widths.items():
            found.append((f"long-{column}", table, name, f"length({column}) > {width}"))
    return found


class Mail:
    """The mailboxes in a folder: counted, never read."""

    def __init__(self) -> None:
        self.counts = {"mailboxes": 0, "mail folders": 0, "messages": 0, "filters": 0}
        self.bytes = self.old_indexes = self.old_index_bytes = 0

    def look(self, folder: str) -> None:
        """Count what is in `folder`, which has one folder for each mailbox."""
        for entry in entries(folder):
            if entry.is_dir(follow_symlinks=False):
                self.counts["mailboxes"] += 1
                self.folder(entry.path, 0)

    def folder(self, path: str, depth: int) -> None:
        """One folder of a mailbox, and those below it."""
        for entry in entries(path):
            if not entry.is_dir(follow_symlinks=False):
                self.counts["filters"] += entry.name == ".dovecot.sieve"
            elif entry.name in ("cur", "new"):
                self.messages(entry.path)
                self.counts["mail folders"] += entry.name == "cur"
            elif entry.name == "xapian-indexes":
                self.old_indexes += 1
                self.old_index_bytes += sum(map(bytes_of, files_below(entry.path)))
            elif depth < DEEPEST and entry.name not in ("tmp", "fts-flatcurve"):
                self.folder(entry.path, depth + 1)

    def messages(self, path: str) -> None:
        """The files of messages in one folder."""
        for entry in entries(path):
            if entry.is_file(follow_symlinks=False):
                self.counts["messages"] += 1
                self.bytes += bytes_of(entry)


def entries(path: str) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, one after the other; nothing where it cannot be read."""
    try:
        with os.scandir(path) as found:
            yield from found
    except OSError:
        return


def bytes_of(entry: os.DirEntry[str]) -> int:
    """The size of a file; 0 where it has gone meanwhile."""
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def files_below(path: str, depth: int = 0) -> Iterator[os.DirEntry[str]]:
    """What is no folder, below a folder. Links are not followed."""
    for entry in entries(path):
        if not entry.is_dir(follow_symlinks=False):
            yield entry
        elif depth < DEEPEST:
            yield from files_below(entry.path, depth + 1)


def number_below(path: str, ends: tuple[str, ...] = ("",)) -> int:
    """How many files there are below a folder whose names end so."""
    return sum(entry.name.endswith(ends) for entry in files_below(path))


def main(text: str) -> dict[str, Any]:
    """What the order in `text` came to."""
    order = json.loads(text)
    mail, mail_database = Mail(), dict[str, Any]()
    if order.get("mail"):
        mail.look(order["mail"])
    counts = {name: number for name, number in mail.counts.items() if order.get("mail")}
    if order.get("queue"):
        places = ("active", "deferred", "incoming", "hold", "maildrop")
        counts["messages in the queue"] = sum(number_below(os.path.join(order["queue"], place)) for place in places)
    if order.get("webmail"):
        mail_database = database(os.path.join(order["webmail"], "roundcube.db"), web_mail)
        counts.update(mail_database.get("counts", {}))
    if order.get("dav"):
        counts["contacts"] = number_below(order["dav"], (".vcf",))
        counts["calendar entries"] = number_below(order["dav"], (".ics",))
    found = database(order["database"], accounts) if order.get("database") else {"error": "there is none"}
    place = os.path.dirname(order.get("database", ""))
    room = shutil.disk_usage(place).free if os.path.isdir(place) else 0
    return {
        "counts": counts,
        "mail_bytes": mail.bytes,
        "old_indexes": mail.old_indexes,
        "old_index_bytes": mail.old_index_bytes,
        "database": found,
        "webmail": mail_database,
        "free": room,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
