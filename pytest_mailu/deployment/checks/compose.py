"""The rest of the compose file: mounts, health checks, labels, restart policies, environment, `version:`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.model import Given, Mount, Place, Service
from pytest_mailu.deployment.note import About, Edit, Note, shown
from pytest_mailu.deployment.subject import Subject

_ADMIN_PORT = re.compile(r"(?<![\w.-])(?P<host>admin|localhost|127\.0\.0\.1)(:80)?(?=[/\s'\"]|$)")
IMAGES_OWN = (
    *("/conf/", "/start.py", "/config.py", "/app/", "/defaults/", "/var/www/", "/unbound.conf"),
    *("/etc/nginx/", "/etc/dovecot/", "/etc/postfix/", "/etc/rspamd/", "/etc/unbound/"),
)
"""Where the images keep what belongs to their release: templates, start scripts, programs."""
USERS_OWN = ("/etc/rspamd/override.d/", "/etc/rspamd/local.d/maps")
"""Folders below these that are there for the user."""
_PORT_LABEL = re.compile(r"(?:^|\.)port$", re.IGNORECASE)


def check(subject: Subject) -> Iterator[Note]:
    """Notes on each service, Mailu's own and those beside it."""
    for role, service in subject.mailu_services(subject.after):
        for mount in service.mounts:
            yield from _mount(subject, role, service, mount)
        yield from _restart(service)
        yield from _hostname(subject, role, service)
        yield from _environment(subject, role, service)
        yield from _health(subject, role, service)
        yield from _labels(subject, role, service)
    yield from _proxies(subject)
    yield from _version(subject)


def _mount(subject: Subject, role: str, service: Service, mount: Mount) -> Iterator[Note]:
    """A folder that the new release looks for elsewhere in the container."""
    known = [entry for entry in subject.catalogue.mounts if entry.service == role]
    before = next((entry for entry in known if subject.old in entry and entry.container == mount.target), None)
    if before is None:
        yield from _masked(subject, service, mount)
        return
    id_ = f"compose/{service.name}/mount{mount.target}"
    if any(entry.container == mount.target for entry in known if subject.new in entry):
        yield About(
            id=id_,
            title=f"{service.name} finds {mount.target} where {subject.new} looks for it",
            breaks="The service does not see its data.",
            source=str(before.source),
            place=mount.place,
        ).same()
        return
    same_host = [entry for entry in known if subject.new in entry and entry.host == before.host]
    after = next(iter(same_host or [entry for entry in known if subject.new in entry]), None)
    if after is None:
        return
    moved = "" if after.host == before.host else f" Mailu's own file uses ./{after.host} now."
    line = f'- "{mount.source if not moved else _sibling(mount.source, before.host, after.host)}:{after.container}'
    line += ':ro"' if mount.read_only or after.read_only else '"'
    overrides = before.host.startswith("overrides/")
    made = About(
        id=id_,
        title=f"{service.name} of {subject.new} looks for {before.host} at {after.container}, not at {mount.target}",
        breaks="Your overrides are not read: the service runs with Mailu's own configuration."
        if overrides
        else "The service does not find its data and begins with an empty folder.",
        source=str(after.source),
        # The scanner loads its signatures anew; nothing of the user's is in its folder.
        severity=Severity.MINOR if role == "antivirus" else Severity.MAJOR,
        place=mount.place,
        cause=f"From {after.since} on, {service.name} reads {after.container}.{moved}",
        remedy="Change the line.",
        write=line,
        edits=(Edit.at(mount.place, line),),
    )
    folder = before.host.removeprefix("overrides/")
    if overrides and not any(path.startswith(f"{folder}/") for path in subject.after.overrides):
        # An empty folder may be mounted anywhere.
        yield made.changed({"mounted at": before.container}, {"mounted at": after.container})
    else:
        yield made.lost()


def _masked(subject: Subject, service: Service, mount: Mount) -> Iterator[Note]:
    """A file in the place of one that comes with the image: it stays as it is when the image changes."""
    if not mount.is_folder or not mount.target.startswith(IMAGES_OWN) or mount.target.startswith(USERS_OWN):
        return
    notice = subject.catalogue.notice("compose/masked-file")
    made = about(
        notice,
        id=f"compose/{service.name}/mount{mount.target}",
        title=f"{mount.source} takes the place of {mount.target} of {service.name}",
        place=mount.place,
    )
    other = subject.old.series != subject.new.series
    yield made.changed({"of": subject.old.series if other else ""}, {"of": subject.new.series if other else ""})


def _sibling(source: str, before: str, after: str) -> str:
    return source.removesuffix(before) + after if source.endswith(before) else source


def _restart(service: Service) -> Iterator[Note]:
    if service.restart is None:
        place, word = service.place, "no restart policy"
    elif service.restart.value == "no":
        place, word = service.restart.place, 'restart: "no"'
    else:
        return
    yield About(
        id=f"compose/{service.name}/restart",
        title=f"{service.name} has {word}",
        breaks="The service stays down after a crash or a restart of the host.",
        source="setup/flavors/compose/docker-compose.yml: restart: always",
        severity=Severity.MINOR,
        place=place,
        remedy="Add the line to the service." if service.restart is None else "Change the line.",
        write="restart: always",
    ).broken(Outcome.ALTERED)


def _hostname(subject: Subject, role: str, service: Service) -> Iterator[Note]:
    """Rspamd's memory belongs to the host name, which Docker otherwise makes up anew for each container."""
    notice = subject.catalogue.notice("compose/antispam-hostname")
    if role == "antispam" and not service.hostname and subject.new in notice:
        yield about(
            notice,
            id=f"compose/{service.name}/hostname",
            title=f"{service.name} has no fixed host name",
            place=service.place,
            severity=Severity.MINOR,
        ).broken(Outcome.ALTERED)


def _environment(subject: Subject, role: str, service: Service) -> Iterator[Note]:
    """A setting in `environment:` holds for this one service; mailu.env says otherwise to all the others."""
    for name, given in service.environment.items():
        known = subject.catalogue.setting(name)
        if known is None:
            continue
        shared = subject.after.settings.get(name)
        # What no env file has was taken from `environment:`; the check of settings looks at it.
        alone = shared is not None and subject.after.in_compose(shared.place)
        others = "the other services" if alone else "mailu.env"
        id_ = f"compose/{service.name}/environment/{name}"
        if known.at(subject.new) is None and known.at(subject.old) is not None and not alone:
            yield About(
                id=id_,
                title=f"{subject.new} ignores {name} in the environment of {service.name}",
                breaks=f"{subject.new} does not read {name}.",
                source=str(known.history[-1].source),
                severity=Severity.MAJOR,
                place=given.place,
                remedy="Remove the line, or find the setting that replaces it in docs/configuration.rst.",
                facts={"value": shown(name, given.value)},
            ).lost()
        elif shared is not None and shared.value != given.value and (service.env_files or alone):
            yield About(
                id=id_,
                title=f"{service.name} has a {name} of its own, other than {others}",
                breaks=f"Only {service.name} goes by it; the other services go by {shared.place}.",
                source="Compose specification: environment wins over env_file",
                severity=Severity.MINOR,
                place=given.place,
                remedy=f"Give every service the same {name}."
                if alone
                else f"Set {name} in mailu.env alone, and remove the line here.",
                facts={"value": shown(name, given.value)},
            ).broken(Outcome.ALTERED)


def _health(subject: Subject, role: str, service: Service) -> Iterator[Note]:
    """A health check of the user's own that asks a port which moved."""
    check_ = service.healthcheck
    if role == "admin" and check_ is not None and _moved(subject) and _ADMIN_PORT.search(check_.value):
        yield _admin_port(subject, f"compose/{service.name}/healthcheck", check_, "The health check of admin")


def _labels(subject: Subject, role: str, service: Service) -> Iterator[Note]:
    if role == "admin":
        yield from _published(subject, service)
    if role != "admin" or not _moved(subject):
        return
    for name, given in service.labels.items():
        if _PORT_LABEL.search(name) and given.value.strip() == "80":
            yield _admin_port(
                subject, f"compose/{service.name}/label/{name}", given, f"The label {name}", f"{name}=8080"
            )


def _published(subject: Subject, service: Service) -> Iterator[Note]:
    """A published port that leads to port 80 of admin, as the set-up page writes it for who has no admin site."""
    for port in service.ports:
        if port.target != 80 or subject.new.admin_port == 80:
            continue
        address = f"{port.host}:" if port.host else ""
        given = Given(f'- "{address}{port.published}:8080"', port.place)
        what = f"The published port {port.published} of {service.name}"
        made = _admin_port(subject, f"compose/{service.name}/port/{port.published}", given, what, given.value)
        # Who has lived without it since 2.0.22 is told, and not stopped.
        failing = replace(made.new, outcome=Outcome.REFUSED)
        yield made if _moved(subject) else replace(made, old=failing, new=failing)


def _proxies(subject: Subject) -> Iterator[Note]:
    """Services beside Mailu's whose environment points to admin's old port."""
    if not _moved(subject):
        return
    for service in subject.after.services.values():
        if subject.role(service):
            continue
        for name, given in {**service.environment, **service.labels}.items():
            if re.search(r"(?<![\w.-])admin(:80)?(/|$)", given.value):
                yield _admin_port(subject, f"compose/{service.name}/{name}", given, f"{name} of {service.name}")


def _moved(subject: Subject) -> bool:
    """Whether `admin` listens on 80 in old and on 8080 in new (core/admin/start.py, 2.0.22)."""
    ports = [entry for entry in subject.catalogue.listening_ports if entry.service == "admin"]
    if ports:
        before = {entry.port for entry in ports if subject.old in entry}
        after = {entry.port for entry in ports if subject.new in entry}
        return 80 in before and 80 not in after
    return subject.old.admin_port == 80 and subject.new.admin_port != 80


def _admin_port(subject: Subject, id_: str, given: Given, what: str, line: str = "") -> Note:
    return About(
        id=id_,
        title=f"{what} points to port 80 of admin",
        breaks="Nothing listens there any more: the proxy answers 502, or the container counts as unhealthy.",
        source="core/admin/start.py (2.0.22)",
        severity=Severity.MAJOR,
        place=given.place,
        cause="From 2.0.22 on, admin listens on port 8080 instead of 80.",
        remedy="Change the port to 8080.",
        write=line or shown("WEBSITE", _ADMIN_PORT.sub(r"\g<host>:8080", given.value)),
    ).lost(Outcome.UNREACHABLE)


def _version(subject: Subject) -> Iterator[Note]:
    place: Place | None = subject.after.version_key
    if place is None or subject.old.since("2024.06") or not subject.new.since("2024.06"):
        return
    yield About(
        id="compose/version",
        title="The compose file has a line `version:`",
        breaks="Docker Compose 2.25 and later prints a warning at every command, and ignores the line.",
        source="setup/flavors/compose/docker-compose.yml (2024.06.0)",
        severity=Severity.INFO,
        place=place,
        remedy="Remove the line.",
        edits=(Edit.at(place, None),),
    ).changed({"in the template": True}, {"in the template": False})
