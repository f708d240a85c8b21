"""The services that a Mailu may have beside the core ones, as data.

Source: setup/flavors/compose/docker-compose.yml and mailu.env of 1.9.50, 2.0.43 and 2024.06.24.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release


@dataclass(frozen=True, slots=True)
class OptionalService:
    """One service. `name` is that of docker-compose.yml, `words` are for people.

    `on` are the settings that bring it into use, and `off` those without it. It can be `started` where
    compose/services.yml has an entry for it; `port` is where it then listens, if anywhere. `images` are the names that
    its images have or had in Mailu's compose file. `partner` is the core service that asks it, in a network of their
    own where the series has one. `since` is the first series that has it.
    """

    name: str
    words: str
    on: Mapping[str, str] = field(default_factory=dict, hash=False)
    off: Mapping[str, str] = field(default_factory=dict, hash=False)
    started: bool = False
    port: int = 0
    images: tuple[str, ...] = ()
    partner: str = ""
    since: str = "1.9"


WEBMAIL = "webmail"
WEBDAV = "webdav"
FETCHMAIL = "fetchmail"
ANTIVIRUS = "antivirus"
OLETOOLS = "oletools"
TIKA = "fts_attachments"

OPTIONAL_SERVICES: Mapping[str, OptionalService] = {
    service.name: service
    for service in (
        OptionalService(
            WEBMAIL,
            "web mail",
            {"WEBMAIL": "roundcube"},
            {"WEBMAIL": "none"},
            started=True,
            port=80,
            images=("webmail", "roundcube", "rainloop"),
            partner="front",
        ),
        OptionalService(
            ANTIVIRUS,
            "antivirus",
            {"ANTIVIRUS": "clamav"},
            {"ANTIVIRUS": "none"},
            started=True,
            port=3310,
            images=("clamav", "clamav-debian"),
            partner="antispam",
        ),
        OptionalService(
            OLETOOLS,
            "the scanner of macros",
            {"SCAN_MACROS": "true"},
            {"SCAN_MACROS": "false"},
            started=True,
            port=11343,
            images=("oletools",),
            partner="antispam",
            since="2.0",
        ),
        OptionalService(
            FETCHMAIL,
            "fetchmail",
            {"FETCHMAIL_ENABLED": "True"},
            {"FETCHMAIL_ENABLED": "False"},
            started=True,
            images=("fetchmail",),
        ),
        OptionalService(
            WEBDAV,
            "WebDAV",
            {"WEBDAV": "radicale"},
            {"WEBDAV": "none"},
            started=True,
            port=5232,
            images=("radicale",),
            partner="front",
        ),
        OptionalService(
            TIKA,
            "search in attachments",
            {"FULL_TEXT_SEARCH_ATTACHMENTS": "true"},
            {"FULL_TEXT_SEARCH_ATTACHMENTS": "false"},
            started=True,
            port=9998,
            images=("tika",),
            partner="imap",
            since="2024.06",
        ),
    )
}
"""By name, in the order in which people miss them."""

STARTED = frozenset(name for name, service in OPTIONAL_SERVICES.items() if service.started)
"""The services that `--mailu-with` can start."""

ASKED_BY_OTHERS = frozenset(name for name, service in OPTIONAL_SERVICES.items() if service.partner not in ("", "front"))
"""The services that a core service other than `front` asks: they are to be there before it."""


def services_named(names: Iterable[str], option: str) -> frozenset[str]:
    """The services of these names. Raises UsageError for one that `option` cannot start or leave out."""
    wanted = frozenset(names)
    if unknown := sorted(wanted - STARTED):
        raise UsageError(
            f"{option}: there is no optional service {unknown[0]!r}", f"Name some of {', '.join(_in_order(STARTED))}."
        )
    return wanted


def check_offered(names: Iterable[str], releases: Iterable[Release], option: str) -> None:
    """Raises UsageError for a service that one of these releases does not have."""
    for release in releases:
        for name in sorted(frozenset(names) - offered(names, release)):
            service = OPTIONAL_SERVICES[name]
            raise UsageError(
                f"{option}: Mailu {release} has no service {name} ({service.words}, since {service.since})",
                f"Leave {name} out: what needs it cannot be compared with {release}.",
            )


def offered(names: Iterable[str], release: Release) -> frozenset[str]:
    """Those of these services that a release has."""
    return frozenset(name for name in names if release.since(OPTIONAL_SERVICES[name].since))


def has_mailu_image(name: str, image: str) -> bool:
    """Whether an optional service has the image of Mailu's compose file, by its name; registry and prefix do not
    matter."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return any(last == own or last.endswith(f"-{own}") for own in OPTIONAL_SERVICES[name].images)


def service_words(names: Iterable[str]) -> str:
    """Services for people, in one phrase: `web mail and WebDAV`."""
    return " and ".join(OPTIONAL_SERVICES[name].words for name in _in_order(names))


def _in_order(names: Iterable[str]) -> list[str]:
    wanted = frozenset(names)
    return [name for name in OPTIONAL_SERVICES if name in wanted]
