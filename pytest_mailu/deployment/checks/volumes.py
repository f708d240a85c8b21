"""Where the data is: names of volumes and of the project, and folders other than those of Mailu's set-up page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import Mount as KnownMount
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.host import Mounted
from pytest_mailu.deployment.model import Deployment, Mount, Place, Service
from pytest_mailu.deployment.note import About, Edit, Note
from pytest_mailu.deployment.subject import Subject

NOT_DATA = "overrides/"
"""What is below is the user's configuration, read anew at every start."""
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")


def check(subject: Subject) -> Iterator[Note]:
    """Notes on volumes that Compose refuses, on data that another name hides, and on names unlike the set-up page's."""
    yield from _undeclared(subject)
    yield from _project(subject)
    yield from _elsewhere(subject)
    yield from _left_behind(subject)
    yield from _unlike_set_up(subject)


def _undeclared(subject: Subject) -> Iterator[Note]:
    """A volume of a service that `volumes:` does not have: Compose refuses the whole file."""
    for service in subject.after.services.values():
        for mount in service.mounts:
            if mount.is_volume and mount.source not in subject.after.volumes:
                line = f'- "./{mount.source}:{mount.target}{":ro" if mount.read_only else ""}"'
                yield About(
                    id=f"compose/volume/{mount.source}",
                    title=f"{service.name} mounts the volume {mount.source}, which the compose file does not declare",
                    breaks="Docker Compose refuses the file; nothing starts.",
                    source="Compose specification: volumes",
                    severity=Severity.CRITICAL,
                    place=mount.place,
                    remedy=f"Write ./ before a folder's name, or add the volume {mount.source} to `volumes:`.",
                    write=line,
                    edits=(Edit.at(mount.place, line),),
                ).broken()


def _data(subject: Subject, deployment: Deployment) -> Iterator[tuple[Service, Mount, KnownMount]]:
    """The mounts of Mailu's services that the set-up page of the new release has at the same place in the container."""
    known = [entry for entry in subject.catalogue.mounts if subject.new in entry]
    for role, service in subject.mailu_services(deployment):
        for mount in service.mounts:
            for entry in known:
                if entry.service == role and entry.container == mount.target and _usable(deployment, mount):
                    yield service, mount, entry


def _usable(deployment: Deployment, mount: Mount) -> bool:
    return mount.is_folder or mount.source in deployment.volumes


def _named(subject: Subject) -> list[Mount]:
    """The mounts whose volume gets the project's name before its own."""
    volumes = subject.after.volumes
    return [
        mount for _, mount, _ in _data(subject, subject.after) if mount.is_volume and not volumes[mount.source].name
    ]


def _project(subject: Subject) -> Iterator[Note]:
    """A project's name in the files, other than the one that the containers have, or that mailu.env tells."""
    written = subject.after.project
    running = subject.host.project if subject.host else ""
    named = _named(subject)
    notice = subject.catalogue.notice("compose/project-name")
    if running and written is not None and written.value != running:
        made = about(
            notice,
            id="compose/project",
            title=f"The project is {written.value}, and its containers run under the name {running}",
            place=written.place,
            severity=Severity.CRITICAL if named else Severity.MAJOR,
        )
        if not named:
            text = "Docker Compose starts a second set of containers beside the first, and finds the ports taken."
            made = replace(made, breaks=text, cause=text, remedy="Give the project the name that it has.")
        yield replace(made, write=_line(written.place, running)).lost(Outcome.ALTERED)
        return
    setting = subject.after.settings.get("COMPOSE_PROJECT_NAME")
    if written is not None and setting is not None and named and not running and setting.value != written.value:
        yield replace(
            about(
                notice,
                id="compose/project",
                title=f"The project is {written.value} for Docker Compose, and {setting.value} in {setting.place.file}",
                place=setting.place,
                severity=Severity.MINOR,
            ),
            write=f"COMPOSE_PROJECT_NAME={written.value}",
            remedy="Docker Compose does not read this line. Write the name of the volumes in both places.",
        ).broken(Outcome.ALTERED)


def _line(place: Place, name: str) -> str:
    return f"COMPOSE_PROJECT_NAME={name}" if Path(place.file).name == ".env" else f"name: {name}"


def _elsewhere(subject: Subject) -> Iterator[Note]:
    """Data that the containers of today have mounted from another place than the one that the file names."""
    machine = subject.host
    if machine is None:
        return
    project = subject.after.project
    if project is not None and machine.project and project.value != machine.project:
        return  # told as the project's name
    running = {(mounted.service, mounted.target): mounted for mounted in machine.mounts}
    for service, mount, known in _data(subject, subject.after):
        now = running.get((service.name, mount.target))
        if now is None or known.host.startswith(NOT_DATA) or _ANONYMOUS.fullmatch(now.source):
            continue
        then = _source(subject.after, mount, machine.project)
        if then is None or _same(now, then):
            continue
        volume = subject.after.volumes.get(mount.source) if mount.is_volume and now.volume else None
        yield About(
            id=f"compose/{service.name}/data{mount.target}",
            title=f"{service.name} has {_words(now)} at {mount.target} today; the compose file names {_words(then)}",
            breaks=f"The new containers do not find the data of today: {known.host} is empty, or of another time.",
            source="docker inspect: Mounts",
            severity=Severity.CRITICAL,
            place=volume.place if volume else mount.place,
            remedy="Name the volume in `volumes:` as it is called today, or move the data."
            if volume
            else "Change the line back, or move the data.",
            write=f"name: {now.source}" if volume else "" if now.volume else f'- "{now.source}:{mount.target}"',
        ).lost(Outcome.ALTERED)


def _left_behind(subject: Subject) -> Iterator[Note]:
    """Data that the compose file of today mounts, and the one for the new release not, or from another place."""
    if not subject.has_new_compose_file:
        return
    running = {(mounted.service, mounted.target) for mounted in (subject.host.mounts if subject.host else ())}
    services = dict(subject.mailu_services(subject.after))
    for service, mount, known in _data(subject, subject.before):
        new = services.get(known.service)
        if new is None or not mount.source or known.host.startswith(NOT_DATA):
            continue
        there = next((other for other in new.mounts if other.target == mount.target and other.source), None)
        if there is not None and ((new.name, mount.target) in running or not _usable(subject.after, there)):
            continue  # told as data of the running containers, or as a volume that is not declared
        then = None if there is None else _source(subject.after, there, _project_name(subject, subject.after))
        now = _source(subject.before, mount, _project_name(subject, subject.before))
        if now is None or (there is not None and (then is None or _same(now, then))):
            continue
        yield About(
            id=f"compose/{new.name}/data{mount.target}",
            title=f"{service.name} has {_words(now)} at {mount.target} today; the new compose file names "
            + (_words(then) if then else "nothing there"),
            breaks=f"The new containers do not find the data of today: {known.host} is empty, or of another time.",
            source="the two compose files",
            severity=Severity.CRITICAL,
            place=there.place if there else new.place,
            remedy="Mount in the new file what is mounted today, or move the data.",
            write=f'- "{now.source}:{mount.target}"' if not now.volume else "",
        ).lost(Outcome.ALTERED)


def _project_name(subject: Subject, deployment: Deployment) -> str:
    """The name that Compose gives the project: it is running with it, or the folder of the compose file has it."""
    if subject.host is not None and subject.host.project:
        return subject.host.project
    return re.sub(r"[^a-z0-9_-]", "", deployment.root.name.lower()).lstrip("_-")


def _source(deployment: Deployment, mount: Mount, project: str) -> Mounted | None:
    """What the engine will be told to mount; None where the files do not tell."""
    if not mount.is_volume:
        if mount.source.startswith("~"):
            return None
        return Mounted("", mount.target, os.path.normpath(deployment.root / mount.source))
    volume = deployment.volumes[mount.source]
    project = deployment.project.value if deployment.project else project
    name = volume.name or (f"{project}_{volume.key}" if project else "")
    return Mounted("", mount.target, name, volume=True) if name else None


def _same(now: Mounted, then: Mounted) -> bool:
    if now.volume or then.volume:
        return (now.volume, now.source) == (then.volume, then.source)
    return os.path.normpath(now.source) == then.source or os.path.realpath(now.source) == os.path.realpath(then.source)


def _words(mounted: Mounted) -> str:
    return f"the volume {mounted.source}" if mounted.volume else mounted.source


def _unlike_set_up(subject: Subject) -> Iterator[Note]:
    """Data under another name than in the set-up page's file, which the documents advise to write anew."""
    if subject.old.series == subject.new.series:
        return
    webmail = subject.after.value("WEBMAIL") or ""
    found: dict[Place, str] = {}
    for service, mount, known in _data(subject, subject.after):
        host = known.host.replace("{WEBMAIL}", webmail)
        source = os.path.normpath(mount.source)
        if mount.is_volume or not (source == host or source.endswith(f"/{host}")):
            found.setdefault(mount.place, f"{mount.source}:{mount.target} of {service.name}, not {host}")
    if not found:
        return
    place = next(iter(found))
    listed = "; ".join(f"{at}: {text}" for at, text in list(found.items())[:10])
    notice = subject.catalogue.notice("compose/set-up-names")
    made = about(
        notice,
        id="compose/mounts",
        title="Data is kept under other names than in the set-up page's file",
        place=place,
        severity=Severity.INFO,
    )
    yield replace(made, remedy=f"{notice.advice.remedy} {listed}.").changed(
        {"set-up page of": str(subject.old.series)}, {"set-up page of": str(subject.new.series)}
    )
