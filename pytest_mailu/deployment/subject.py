"""What the checks look at: a deployment as it is under the old release, and as it would be under the new one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import Catalogue, Difference
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.model import Deployment, Service

IMAGE_NAMES = {
    "nginx": "front",
    "admin": "admin",
    "dovecot": "imap",
    "postfix": "smtp",
    "rspamd": "antispam",
    "webmail": "webmail",
    "roundcube": "webmail",
    "rainloop": "webmail",
    "snappymail": "webmail",
    "unbound": "resolver",
    "radicale": "webdav",
    "fetchmail": "fetchmail",
    "clamav": "antivirus",
    "oletools": "oletools",
}
"""The last part of an image's name → the service of Mailu that it is."""
HOMES = ("mailu", "docker.io/mailu", "ghcr.io/mailu")
"""Where Mailu publishes its images."""
_FALSE = frozenset(("", "none", "false", "no", "off"))


@dataclass(frozen=True, slots=True)
class Subject:
    """Both releases, the deployment today (`before`) and with the changes meant for the new release (`after`).

    `host` is None where nothing is known of the machine that it runs on.
    """

    old: Release
    new: Release
    before: Deployment
    after: Deployment
    catalogue: Catalogue
    host: Host | None = None

    @property
    def has_new_compose_file(self) -> bool:
        """Whether the new release has a compose file of its own."""
        return self.before.compose_files != self.after.compose_files

    def differences(self) -> dict[str, list[Difference]]:
        """What the catalogue knows of settings between the two releases, by name."""
        found: dict[str, list[Difference]] = {}
        for difference in self.catalogue.changes(self.old, self.new):
            if not difference.when or self.holds(difference.when):
                found.setdefault(difference.setting, []).append(difference)
        return found

    def holds(self, condition: str) -> bool:
        """Whether a setting has a value in the new release; `NAME=glob`."""
        name, _, glob = condition.partition("=")
        return fnmatchcase(self.effective(self.after, self.new, name) or "", glob)

    def mailu_services(self, deployment: Deployment) -> Iterator[tuple[str, Service]]:
        """The services that are Mailu's own, each with the name that Mailu gives it."""
        for service in deployment.services.values():
            if role := self.role(service):
                yield role, service

    def role(self, service: Service) -> str:
        """Which of Mailu's services this is, by its image or its name; "" for somebody else's."""
        organisation, _, image = service.repository.rpartition("/")
        if image in IMAGE_NAMES and (organisation in HOMES or service.name == IMAGE_NAMES[image]):
            return IMAGE_NAMES[image]
        return service.name if self.catalogue.service(service.name) else ""

    def service(self, deployment: Deployment, role: str) -> Service | None:
        """The service that plays a role of Mailu's."""
        return next((service for name, service in self.mailu_services(deployment) if name == role), None)

    def effective(self, deployment: Deployment, release: Release, name: str) -> str | None:
        """The value in force in a release: what is set, else the default; None where there is neither."""
        value = deployment.value(name)
        if value is not None:
            return value
        setting = self.catalogue.setting(name)
        state = setting.at(release) if setting else None
        return state.default if state else None


def is_on(value: str | None) -> bool:
    """Whether a value chooses something: neither empty nor one of Mailu's words for off."""
    return value is not None and value.strip().lower() not in _FALSE
