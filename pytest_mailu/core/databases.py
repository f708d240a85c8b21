"""The database servers that a Mailu may have beside `admin`, as data, and how its settings name one.

Sources: core/admin/mailu/configuration.py and docs/database.rst of 1.9.50, 2.0.43, 2024.06.24 and 2024.06.57;
webmails/start.py for Roundcube's; the README of the images postgres and mariadb on Docker Hub for their variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """One kind. `flavour` is what DB_FLAVOR calls it, `words` are for people.

    A run that brings one starts `image`, which keeps its data in `data`, takes connections on `port`, and makes a user,
    a password and a database by its `variables` (in this order). `root` is the one for the password of the
    administrator, where the image wants it. `schemes` are what URLs of it begin with, before a `+` and a driver;
    `images` the names that images of it have.
    """

    flavour: str
    words: str
    image: str
    port: int
    data: str
    variables: tuple[str, str, str]
    root: str
    schemes: tuple[str, ...]
    images: tuple[str, ...]

    def environment(self, user: str, password: str, name: str) -> dict[str, str]:
        """What its image reads to make a user and a database of these names, where it has no data yet."""
        made = dict(zip(self.variables, (user, password, name), strict=True))
        return made | ({self.root: password} if self.root else {})

    @property
    def family(self) -> tuple[str, ...]:
        """What the names of all variables begin with that its images read."""
        return ("POSTGRES_",) if self.flavour == "postgresql" else ("MYSQL_", "MARIADB_")


POSTGRESQL = DatabaseServer(
    "postgresql",
    "PostgreSQL",
    # Mailu's docs/database.rst names postgres:13, which is out of support.
    "postgres:15-alpine",
    5432,
    "/var/lib/postgresql/data",
    ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
    "",
    ("postgresql", "postgres", "pgsql"),
    ("postgres", "postgresql", "postgis", "timescaledb"),
)
MARIADB = DatabaseServer(
    "mysql",
    "MariaDB or MySQL",
    # Mailu's documents name no version; this one has long-term support, and all drivers of Mailu's know it.
    "mariadb:10.11",
    3306,
    "/var/lib/mysql",
    ("MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"),
    "MYSQL_ROOT_PASSWORD",
    ("mysql", "mariadb", "mysqli"),
    ("mariadb", "mysql", "percona"),
)
KNOWN_IMAGES = ("postgres", "mariadb", "mysql")
"""Images of Docker's own library, whose way to keep data and to let people in is known."""
SERVERS: Mapping[str, DatabaseServer] = {server.flavour: server for server in (POSTGRESQL, MARIADB)}
"""By DB_FLAVOR."""

ADMIN, ROUNDCUBE = "", "ROUNDCUBE_"
"""Whose database it is: what the names of its DB_ settings begin with."""
URI: Mapping[str, str] = {
    ADMIN: "SQLALCHEMY_DATABASE_URI",
    ROUNDCUBE: "SQLALCHEMY_DATABASE_URI_ROUNDCUBE",
}
"""The setting that names the whole database; where DB_FLAVOR is set, it is not read."""


NAMES: Mapping[str, str] = {ADMIN: "mailu", ROUNDCUBE: "roundcube"}
"""What the user and the database are called: Mailu's own defaults."""


@dataclass(frozen=True, slots=True)
class Database:
    """The database of `admin` (`whose` is ADMIN) or of Roundcube: of which kind, and at which service.

    `host` is how the settings name the service, with a port where the user's has one. It is `brought` where the run
    adds the service, of `image`; else it is one of the user's compose file. Where the user's own data is in it, `kept`
    has the names of the user who logs in and of the database, as they are in that data.
    """

    whose: str
    server: DatabaseServer
    service: str
    host: str
    brought: bool = True
    image: str = ""
    kept: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """The name of the database."""
        return self.kept[1] if self.kept else NAMES[self.whose]

    @property
    def user(self) -> str:
        """The name of the user who logs in."""
        return self.kept[0] if self.kept else NAMES[self.whose]


def server_in(settings: Mapping[str, str], whose: str = ADMIN) -> DatabaseServer | None:
    """The server that these settings name; None for SQLite, and for what Mailu does not know."""
    if flavour := settings.get(f"{whose}DB_FLAVOR"):
        return SERVERS.get(flavour)
    scheme = settings.get(URI[whose], "").strip().partition("://")[0].partition("+")[0].lower()
    return next((server for server in SERVERS.values() if scheme in server.schemes), None)


def server_among(images: Iterable[str]) -> DatabaseServer | None:
    """The first kind of server that one of these images is of, by its name."""
    for image in images:
        name = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
        for server in SERVERS.values():
            if any(name == own or name.startswith(f"{own}-") for own in server.images):
                return server
    return None
