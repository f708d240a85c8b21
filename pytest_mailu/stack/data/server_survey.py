"""Looks at accounts in a copy of the user's PostgreSQL, MariaDB or MySQL, with the server's own client, reading only.

What is asked is what `survey_script` asks of SQLite. Widths and references are left out: these servers keep to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_mailu.core.databases import POSTGRESQL, Database
from pytest_mailu.core.text import whole_number
from pytest_mailu.stack.data.survey_script import COUNTS, DOMAIN_LIMIT, DOMAINS, NAME_LIMIT, NAMED, questions

SECONDS = 60
"""How long one question may take."""
_VARIABLE = "PYTEST_MAILU_PASSWORD"
_LOGIN = {
    "postgresql": (
        'PGPASSWORD="$PYTEST_MAILU_PASSWORD" psql -X -q -A -t -F "$(printf \'\\t\')" -h 127.0.0.1 -U "$2" -d "$3"'
    ),
    "mysql": (
        'MYSQL_PWD="$PYTEST_MAILU_PASSWORD" "$(command -v mariadb || command -v mysql)" -N -B --force -h 127.0.0.1 '
        '-u "$2" "$3"'
    ),
}


def command(database: Database) -> tuple[str, ...]:
    """The command in the server's container; its environment is `environment`."""
    line = f'printf %s "$1" | {_LOGIN[database.server.flavour]}'
    return ("sh", "-c", line, "sh", "\n".join(_statements(database)), database.user, database.name)


def environment(password: str) -> dict[str, str]:
    """Where the command finds the password."""
    return {_VARIABLE: password}


def _statements(database: Database) -> Iterator[str]:
    postgresql = database.server is POSTGRESQL
    if postgresql:
        yield "set default_transaction_read_only = on;"
        yield f"set statement_timeout = '{SECONDS}s';"
    else:
        yield "set session transaction read only;"
        yield f"set max_statement_time = {SECONDS};"

    def asked(text: str) -> str:
        if postgresql:
            return text.replace("from user", 'from "user"').replace("from fetch", 'from "fetch"')
        return text.replace("from fetch", "from `fetch`").replace(
            "email <> lower(email)", "cast(email as binary) <> cast(lower(email) as binary)"
        )

    yield "select 'schema', version_num from alembic_version limit 5;"
    for name, question in COUNTS.items():
        yield asked(question.replace("select ", f"select 'count', '{name}', ", 1)) + ";"
    for table in ("domain", "alternative", "relay"):
        yield f"select 'domain', substr(name, 1, {DOMAIN_LIMIT}) from {table} limit {DOMAINS};"  # noqa: S608 - ours
    for what, table, column, condition in questions():
        if what.startswith(("long-", "points-to-")):
            continue
        found = f"from {table} where {condition}"
        yield asked(f"select 'rows', '{what}', '{table}', count(*) {found};")
        yield asked(
            f"select 'named', '{what}', '{table}', substr({column}, 1, {NAME_LIMIT}) {found} order by 4 limit {NAMED};"
        )


def answered(text: str) -> dict[str, Any]:
    """What the command printed, in the form of `survey_script.accounts`; lines of another form are left out."""
    counts: dict[str, int] = {}
    schema, domains = list[str](), list[str]()
    problems: dict[tuple[str, str], dict[str, Any]] = {}
    for line in text.splitlines():
        match line.split("\t"):
            case ["schema", version]:
                schema.append(version[:40])
            case ["count", name, digits] if name in COUNTS and (number := whole_number(digits)) is not None:
                counts[name] = number
            case ["domain", name] if name and len(domains) < DOMAINS:
                domains.append(name)
            case ["rows", what, table, digits] if number := whole_number(digits):
                problems[what, table] = {
                    "what": what,
                    "table": table,
                    "rows": number,
                    "named": [],
                    "numbers": [],
                }
            case ["named", what, table, name] if (what, table) in problems:
                problems[what, table]["named"].append(name)
            case _:
                pass
    return {
        "schema": schema,
        "mailu": {"users", "domains", "aliases"} <= counts.keys(),
        "counts": counts,
        "domains": domains,
        "problems": list(problems.values()),
    }
