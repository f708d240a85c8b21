"""The databases of a stack: which service runs each, and the settings that name it in the place of the user's own.

The user's database is never connected to. Where the service that their settings name is in their compose file, a new
one of the same image is used, with data, user and password of the run's own; otherwise the run brings a server. In an
upgrade in place, it may run on a copy of the user's data: then that has a password of the run's own.

Sources: core/admin/mailu/configuration.py (`DB_TEMPLATES`) and webmails/start.py of 1.9.50 to master.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pytest_mailu.core.databases import ADMIN, NAMES, POSTGRESQL, ROUNDCUBE, URI, Database, DatabaseServer, server_in
from pytest_mailu.core.optional_services import WEBMAIL
from pytest_mailu.core.secrets import shown

_PORT = re.compile(r"[0-9]{1,5}")
SERVICE = "database"
"""The service that the run brings for `admin`: the name that Mailu looks for where DB_HOST is not set."""
ROUNDCUBE_SERVICE = "webmail-database"
"""The one for Roundcube, where it cannot share that of `admin`."""
_HARMLESS = frozenset(("charset", "collation", "use_unicode", "client_encoding"))
"""What of a URL's query is kept: everything else may lead elsewhere, or wants certificates."""


def databases_of(
    settings: Mapping[str, str],
    services: Collection[str],
    aliases: Mapping[str, str] | None = None,
    *,
    brought: bool = False,
    kept: bool = False,
) -> tuple[Database, ...]:
    """The databases that settings ask for, in a stack of `services`; `aliases` are other names that these have.

    With `brought`, admin's is the run's own whatever the settings say; with `kept`, a copy of the user's data is in it.
    """
    found: list[Database] = []
    server = server_in(settings)
    if server is not None:
        theirs = None if brought else _theirs(settings, ADMIN, services, aliases or {})
        one = _database(ADMIN, server, theirs, SERVICE)
        found.append(replace(one, kept=_names(settings, server)) if kept and not one.brought else one)
    roundcube = server_in(settings, ROUNDCUBE)
    if roundcube is not None and WEBMAIL in services and settings.get("WEBMAIL") == "roundcube":
        theirs = _theirs(settings, ROUNDCUBE, services, aliases or {})
        shares = any(one.brought and one.server == roundcube for one in found)
        found.append(_database(ROUNDCUBE, roundcube, theirs, SERVICE if shares else ROUNDCUBE_SERVICE))
    return tuple(found)


def _database(whose: str, server: DatabaseServer, theirs: tuple[str, str] | None, own: str) -> Database:
    if theirs is None:
        return Database(whose, server, own, own, image=server.image)
    service, port = theirs
    return Database(whose, server, service, f"{service}:{port}" if port else service, brought=False)


def _names(settings: Mapping[str, str], server: DatabaseServer) -> tuple[str, str]:
    """Who logs in to the user's data, and the name of the database in it."""
    if settings.get("DB_FLAVOR"):
        user, name = settings.get("DB_USER") or NAMES[ADMIN], settings.get("DB_NAME") or NAMES[ADMIN]
    else:
        place = settings[URI[ADMIN]].strip().partition("://")[2].partition("?")[0]
        name = unquote(place.partition("/")[2])
        user = unquote(place.partition("/")[0].rpartition("@")[0].partition(":")[0])
    return (user if server is POSTGRESQL else OWN_USER), name


OWN_USER = "pytest_mailu"
"""A user of MySQL that is made beside those of the user's data; in PostgreSQL, tables belong to who made them."""


def _theirs(
    settings: Mapping[str, str], whose: str, services: Collection[str], aliases: Mapping[str, str]
) -> tuple[str, str] | None:
    """The service of the user's compose file that their settings name, and the port; None where there is none."""
    if settings.get(f"{whose}DB_FLAVOR"):
        host = settings.get(f"{whose}DB_HOST") or SERVICE
    else:
        host = _place(settings[URI[whose]])
    name, _, port = host.partition(":")
    name = aliases.get(name, name)
    return (name, port if _PORT.fullmatch(port) else "") if name in services else None


def service_of_theirs(settings: Mapping[str, str], services: Collection[str], aliases: Mapping[str, str]) -> str:
    """The service of the user's compose file that is the database of `admin`; empty where none is."""
    theirs = _theirs(settings, ADMIN, services, aliases) if server_in(settings) is not None else None
    return theirs[0] if theirs is not None else ""


def _place(url: str) -> str:
    """`host:port` of a URL."""
    return url.strip().partition("://")[2].partition("?")[0].partition("/")[0].rpartition("@")[2]


def password_of(secret_key: str) -> str:
    """The password of a run's databases: as long as the key of the stack is kept, so is the password of its data."""
    return hashlib.sha256(f"database {secret_key}".encode()).hexdigest()[:32]


def database_settings(databases: Collection[Database], password: str, user: Mapping[str, str]) -> dict[str, str]:
    """The settings that name these databases, in the form that the user's settings have."""
    found: dict[str, str] = {}
    for each in databases:
        prefix, uri = each.whose, URI[each.whose]
        if user.get(f"{prefix}DB_FLAVOR"):
            found |= {
                f"{prefix}DB_FLAVOR": each.server.flavour,
                f"{prefix}DB_HOST": each.host,
                f"{prefix}DB_USER": each.user,
                f"{prefix}DB_PW": password,
                f"{prefix}DB_NAME": each.name,
            }
            if appendix := user.get("DB_APPENDIX"):
                found["DB_APPENDIX"] = _query(appendix)
        else:
            given = user[uri].strip()
            scheme = given.partition("://")[0]
            found[uri] = (
                f"{scheme}://{quote(each.user, safe='')}:{password}@{each.host}/{quote(each.name, safe='')}"
                f"{_query(given)}"
            )
    return found


def _query(url: str) -> str:
    """The harmless part of a URL's query, with its question mark."""
    try:
        given = parse_qsl(urlsplit(url).query)
    except ValueError:
        return ""
    kept = [(name, value) for name, value in given if name in _HARMLESS]
    return f"?{urlencode(kept)}" if kept else ""


def why(databases: Collection[Database], name: str) -> str:
    """Why a setting was replaced by one of `database_settings`."""
    whose = ROUNDCUBE if name.startswith(ROUNDCUBE) or name == URI[ROUNDCUBE] else ADMIN
    for each in databases:
        if each.whose == whose:
            if each.kept:
                return f"a copy of your data in the service {each.service}, with a password of the run's own"
            if each.brought:
                return f"the run brings a database of its own, {each.image}, in the place of yours"
            return f"a new database of the service {each.service} of your compose file, with a user of the run's own"
    return "each test stack has its own database"


def shown_database(name: str, value: str) -> str:
    """A setting of `database_settings` as it may be shown: nothing in it is the user's."""
    return shown(name, value) if name.endswith("DB_PW") else shown("DB_FLAVOR", value)
