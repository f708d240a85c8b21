"""The databases of a stack in its compose model: services that the run brings, and those of the user made anew."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

from pytest_mailu.core.databases import ADMIN, MARIADB, Database, DatabaseServer
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.optional_services import WEBMAIL
from pytest_mailu.stack.compose.command import Model
from pytest_mailu.stack.compose.seal import sealed_defaults

_FIRST = "/docker-entrypoint-initdb.d/pytest-mailu.sql"
"""What the images of both kinds run, where there is no data yet."""
_AT_START = "/pytest-mailu/start.sql"
"""What a server of MySQL's kind runs at each start on a copy of the user's data."""


def with_databases(core: Model, databases: Collection[Database], password: str) -> Model:
    """`core` with the servers of these databases, sealed in as the services beside Mailu's core are.

    Raises UsageError where the user's compose file has a service of the name that the run needs.
    """
    model: Model = deepcopy(core)
    for service in dict.fromkeys(each.service for each in databases):
        several = [each for each in databases if each.service == service]
        first = several[0]
        if first.brought:
            if service in model["services"]:
                raise UsageError(
                    f"your compose file has a service {service}, which is not the one that your settings name as the "
                    "database",
                    f"Name the service in DB_HOST, or give it another name than {service}.",
                )
            model["services"][service] = {"image": first.image, **sealed_defaults({})}
        entry = model["services"][service]
        entry["environment"] = _environment(entry.get("environment") or {}, first, password)
        _keep_data(model, service, entry, first.server)
        if first.kept and first.server is MARIADB:
            entry["command"] = _with_first_statements(entry.get("command"))
        if any(each.whose != ADMIN for each in several) and first.brought:
            _join_web_mail(model, entry)
    return model


def _with_first_statements(command: Any) -> Any:
    """The command of a server of MySQL's kind with statements that it runs when it starts (`init_file`)."""
    option = f"--init-file={_AT_START}"
    return f"{command} {option}" if isinstance(command, str) else [*(command or ()), option]


def without_database(core: Model, service: str) -> Model:
    """`core` without a service of the user's in whose place the run brings one."""
    model: Model = deepcopy(core)
    model["services"].pop(service, None)
    return model


def first_statements(databases: Collection[Database], password: str) -> dict[str, dict[str, bytes]]:
    """Service → files that make a second database at a server which makes only one by itself."""
    files: dict[str, dict[str, bytes]] = {}
    for service in dict.fromkeys(each.service for each in databases):
        _, *others = (each for each in databases if each.service == service)
        if others:
            text = "".join(_statements(each, password) for each in others)
            files[service] = {_FIRST: text.encode()}
    for each in databases:
        if each.kept and each.server is MARIADB:
            files[each.service] = {_AT_START: _access(each, password).encode()}
    return files


def _access(database: Database, password: str) -> str:
    """What lets the run's user in to a copy of the user's data, in MySQL's kind: nobody's password is known there."""
    user, name = f"'{database.user}'@'%'", database.name.replace("`", "``")
    return (
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{password}';\n"
        f"ALTER USER {user} IDENTIFIED BY '{password}';\n"
        f"GRANT ALL PRIVILEGES ON `{name}`.* TO {user};\n"
    )


def new_password(database: Database, password: str) -> tuple[str, ...]:
    """The command in PostgreSQL's container that gives the user of kept data this password: images trust its socket."""
    role = database.user.replace('"', '""')
    words = ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", database.user, "-d", database.name)
    return (*words, "-c", f"ALTER ROLE \"{role}\" PASSWORD '{password}'")


def _statements(database: Database, password: str) -> str:
    name = database.name
    if database.server.flavour == "postgresql":
        return f"CREATE USER {name} PASSWORD '{password}';\nCREATE DATABASE {name} OWNER {name};\n"
    return (
        f"CREATE DATABASE {name};\nCREATE USER '{name}'@'%' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL PRIVILEGES ON {name}.* TO '{name}'@'%';\n"
    )


def _environment(given: Mapping[str, str], database: Database, password: str) -> dict[str, str]:
    """The environment of a server: the user's, but for what makes users and databases."""
    family = "|".join(database.server.family)
    made = re.compile(rf"({family}).*(USER|PASSWORD|PASSWORD_HASH|DB|DATABASE)(_FILE)?")
    kept = {name: value for name, value in given.items() if not made.fullmatch(name)}
    return kept | database.server.environment(database.user, password, database.name)


def _keep_data(model: Model, service: str, entry: dict[str, Any], server: DatabaseServer) -> None:
    """Sees to it that the data is in a volume with a name, so that an upgrade in place carries it over."""
    mounts = list(entry.get("volumes") or ())
    places = [PurePosixPath(str(mount).partition(":")[2].partition(":")[0]) for mount in mounts]
    wanted = PurePosixPath(server.data)
    if any(place == wanted or place in wanted.parents or wanted in place.parents for place in places):
        return
    entry["volumes"] = [*mounts, f"{service}:{server.data}"]
    model["volumes"] = {**(model.get("volumes") or {}), service: {}}


def _join_web_mail(model: Model, entry: dict[str, Any]) -> None:
    """Since 2.0, web mail has a network of its own: the server joins it."""
    networks = model["services"].get(WEBMAIL, {}).get("networks") or {}
    entry["networks"] = {**entry["networks"], **{name: {} for name in networks if name != "default"}}
