"""Names of Mailu releases, and what each can do. No other module compares version strings.

Sources: the tags of github.com/Mailu/Mailu, and the files named beside each property.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import total_ordering
from importlib.resources import files
from pathlib import Path

from packaging.version import Version

from pytest_mailu.core.errors import UsageError

MASTER = "master"
SERIES = ("1.9", "2.0", "2024.06", MASTER)
"""Every known series, oldest first. A new one is one entry here; where it differs, a property of `Release` says how."""

IMAGES: Mapping[str, str] = {
    "front": "nginx",
    "admin": "admin",
    "imap": "dovecot",
    "smtp": "postfix",
    "antispam": "rspamd",
    "webmail": "webmail",
}
"""Service → image, as Mailu's setup/flavors/compose/docker-compose.yml names them."""
REDIS_IMAGE = "redis:alpine"
CLAMAV_TAGS: Mapping[tuple[str, int], str] = {
    ("2024.06", 0): "1.2.0-6",
    ("2024.06", 8): "1.2.3-45",
    ("2024.06", 33): "1.4",
    (MASTER, 0): "1.4_base",
}
TIKA_TAGS: Mapping[tuple[str, int], str] = {("2024.06", 0): "2.9.2.1-full", ("2024.06", 42): "latest-full"}
"""From which release on Mailu's docker-compose.yml has which tag of clamav/clamav-debian, and of apache/tika."""
CORE_SERVICES = ("front", "admin", "imap", "smtp", "antispam", "redis")

_EXAMPLES = "2.0 (the latest of a series), 2024.06.24 (one release) or master"


@total_ordering
@dataclass(frozen=True, slots=True)
class Release:
    """One release as a person names it. `patch` is None where the tag moves (`2.0`, `master`)."""

    series: str
    patch: int | None = None

    @classmethod
    def parse(cls, text: str) -> Release:
        """The release that `text` names, in any spelling of the same version (PEP 440).

        Raises UsageError for an unknown series, and for text that is not a version.
        """
        wanted = text.strip()
        if wanted.lower() == MASTER:
            return cls(MASTER)
        try:
            version = Version(wanted)
        except ValueError:  # InvalidVersion is one; a number of thousands of digits is another
            raise UsageError(f"{text[:60]!r} is not a Mailu release", f"Name a release such as {_EXAMPLES}.") from None
        series = next((s for s in SERIES[:-1] if Version(s).release == version.release[:2]), None)
        if series is None:
            raise UsageError(
                f"pytest-mailu does not know the series of Mailu {wanted}",
                f"Known series: {', '.join(SERIES)}. A newer pytest-mailu may know more.",
            )
        if version.public != version.base_version or version.local or version.epoch or len(version.release) > 3:
            raise UsageError(f"{text!r} is not the name of a Mailu release", f"Name a release such as {_EXAMPLES}.")
        return cls(series, version.release[2] if len(version.release) == 3 else None)

    def __str__(self) -> str:
        return self.tag

    def __lt__(self, other: Release) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, float]:
        return SERIES.index(self.series), float("inf") if self.patch is None else self.patch

    @property
    def tag(self) -> str:
        """The image tag: `2024.06.24` however it was spelled."""
        return self.series if self.patch is None else f"{self.series}.{self.patch}"

    @property
    def moving(self) -> bool:
        """Whether the tag moves: it stands for the latest release of the series."""
        return self.patch is None

    def since(self, series: str) -> bool:
        """Whether this release belongs to `series` or a later one."""
        return SERIES.index(self.series) >= SERIES.index(series)

    @property
    def mailboxes_want_proxy_protocol(self) -> bool:
        """Whether `imap` expects a PROXY line on 143 and 110 (2.0.43: `haproxy = yes` in dovecot.conf)."""
        return self.series == "2.0"

    @property
    def reads_proxy_protocol(self) -> bool:
        """Whether `front` knows PROXY_PROTOCOL (2.0: core/nginx/conf/nginx.conf)."""
        return self.since("2.0")

    @property
    def has_api(self) -> bool:
        """Whether `admin` has a REST interface (2.0: `API` in core/admin/mailu/configuration.py)."""
        return self.since("2.0")

    @property
    def stops_spoofing_in_rspamd(self) -> bool:
        """Whether Rspamd needs the list of domains to stop spoofing (2.0: core/rspamd/conf/multimap.conf)."""
        return self.since("2.0")

    @property
    def lets_users_spoof(self) -> bool:
        """Whether a user has the flag `allow_spoofing` (2.0: core/admin/mailu/models.py)."""
        return self.since("2.0")

    @property
    def leaves_spam_unread(self) -> bool:
        """Whether a user has the flag `spam_mark_as_read` (2.0: core/admin/mailu/models.py)."""
        return self.since("2.0")

    @property
    def lowers_addresses(self) -> bool:
        """Whether its migrations write addresses in lower case, and end where two then are the same.

        (master: core/admin/migrations/versions/9a5866105f5a_.py.)
        """
        return self.since("master")

    @property
    def admin_port(self) -> int:
        """Where `admin` listens inside (core/admin/start.py; it moved in 2.0.22)."""
        return 8080 if self >= Release("2.0", 22) else 80

    @property
    def admin_ready_path(self) -> str:
        """What `admin` answers without a login (2.0: core/admin/mailu/__init__.py; 1.9: its own health check)."""
        return "/ping" if self.since("2.0") else "/sso/login"

    @property
    def admin_user(self) -> str:
        """Who runs the web application in `admin` (2.0: core/admin/start.py drops privileges)."""
        return "mailu" if self.since("2.0") else "root"

    @property
    def keeps_services_apart(self) -> bool:
        """Whether web mail and calendars share a network of their own with `front` (2.0: its docker-compose.yml)."""
        return self.since("2.0")

    def web_mail_image(self, kind: str) -> str:
        """The name of the image of a web mail: one for all since 2.0 (webmails/Dockerfile), before that one of each."""
        return IMAGES["webmail"] if self.since("2.0") else kind

    @property
    def has_own_antivirus(self) -> bool:
        """Whether the image of the antivirus is Mailu's own (to 2.0: optional/clamav), and its data /data."""
        return not self.since("2024.06")

    def antivirus_image(self, environ: Mapping[str, str] = os.environ) -> str:
        """The image of the antivirus in Mailu's docker-compose.yml of the release."""
        if self.has_own_antivirus:
            return f"{self.image_prefix(environ)}clamav:{self.tag}"
        return f"clamav/clamav-debian:{self._latest(CLAMAV_TAGS)}"

    @property
    def tika_image(self) -> str:
        """The image that reads attachments in Mailu's docker-compose.yml of the release; none before 2024.06."""
        return f"apache/tika:{self._latest(TIKA_TAGS)}" if self.since("2024.06") else ""

    def _latest(self, tags: Mapping[tuple[str, int], str]) -> str:
        """The tag of the last of these releases up to this one."""
        here = {(SERIES.index(series), patch): tag for (series, patch), tag in tags.items()}
        return here[max(place for place in here if place <= self._order)]

    @property
    def addresses_are_resolved_at_start(self) -> bool:
        """Whether services look each other up once, when they start (1.9: socrate's `resolve_address`)."""
        return not self.since("2.0")

    def image(self, service: str, environ: Mapping[str, str] = os.environ) -> str:
        """The image of a core service, with `DOCKER_ORG` and `DOCKER_PREFIX` as in Mailu's own compose file."""
        if service == "redis":
            return REDIS_IMAGE
        return f"{self.image_prefix(environ)}{IMAGES[service]}:{self.tag}"

    @property
    def registry(self) -> str:
        """Where the official images of the series are (2.0: ghcr.io; before that Docker Hub)."""
        return "ghcr.io/mailu" if self.since("2.0") else "mailu"

    def image_prefix(self, environ: Mapping[str, str] = os.environ) -> str:
        """What the names of all Mailu images of this release begin with, such as `ghcr.io/mailu/`."""
        return f"{environ.get('DOCKER_ORG') or self.registry}/{environ.get('DOCKER_PREFIX', '')}"


def compose_folder() -> Path:
    """Where the compose files are: in the wheel inside the package, in a checkout at its top."""
    package = Path(str(files("pytest_mailu")))
    shipped = package / "_compose"
    return shipped if shipped.is_dir() else package.parent / "compose"


def check_pair(old: Release, new: Release) -> None:
    """Raise UsageError where Mailu itself cannot go from `old` to `new`."""
    if SERIES.index(new.series) < SERIES.index(old.series):
        raise UsageError(
            f"Mailu cannot go from {old} back to {new}: the database migrations between series are one-way",
            f"Compare them the other way round: --mailu-from {new} --mailu-to {old}. "
            "Within one series, an earlier release is allowed.",
        )


def check_names(old: str, new: str) -> None:
    """The same for the names that two recordings have for their releases; other names have no order."""
    try:
        releases = Release.parse(old), Release.parse(new)
    except UsageError:
        return
    check_pair(*releases)
