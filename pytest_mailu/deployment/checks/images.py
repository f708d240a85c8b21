"""Services and images of the compose file: moved, gone, renamed, missing, of several tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.model import Place, Service
from pytest_mailu.deployment.note import About, Edit, Note
from pytest_mailu.deployment.subject import HOMES, IMAGE_NAMES, Subject, is_on

CHOSEN_BY = {
    "webmail": ("WEBMAIL", "The web mail"),
    "webdav": ("WEBDAV", "Calendars and contacts (WebDAV)"),
    "antivirus": ("ANTIVIRUS", "The virus scanner"),
    "oletools": ("SCAN_MACROS", "The scanner of Office macros"),
    "fts_attachments": ("FULL_TEXT_SEARCH_ATTACHMENTS", "Search in attachments"),
}
"""Service → the setting that says that it is there."""
_OFFICIAL = "ghcr.io/mailu"


def check(subject: Subject) -> Iterator[Note]:
    """A note for each service of Mailu, for each that a setting wants and is missing, and for differing tags."""
    found = [_image(subject, role, service) for role, service in subject.mailu_services(subject.after) if service.image]
    yield from _together(found)
    if subject.after.services:
        for role, (name, what) in CHOSEN_BY.items():
            yield from _missing(subject, role, name, what)
        yield from _tags(subject)
        yield from _unset(subject)
        yield from _left_out(subject)
        yield from _postgresql(subject)


def _together(notes: list[Note]) -> Iterator[Note]:
    """The notes; those on images that all moved to one place share their cause and the list of lines."""
    for note in notes:
        alike = [other for other in notes if other.root == note.root and other.place and other.remedy]
        if len(alike) < 2:
            yield note
            continue
        lines = ", ".join(
            f"{place} ({name})" for name, place in ((each.id.split("/")[2], each.place) for each in alike)
        )
        paste = "\n".join(dict.fromkeys(each.write for each in alike))
        yield replace(note, shared=(f"{note.root}.", f"Change the image of each service: {lines}.", paste))


def _image(subject: Subject, role: str, service: Service) -> Note:
    assert service.image is not None  # noqa: S101 - see check
    known = subject.catalogue.service(role)
    state = known.at(subject.new) if known else None
    made = {
        "id": f"compose/{service.name}/image",
        "place": service.image.place,
        "source": str(state.source) if state else "setup/flavors/compose/docker-compose.yml",
    }
    facts = {"image": service.repository}
    if state is None:
        successor = known.successor if known else ""
        return About(
            **made,  # type: ignore[arg-type]
            title=f"{subject.new} has no service {role}",
            breaks=f"There is no image of {role} with the tag {subject.new}; nothing starts until it is removed.",
            severity=Severity.CRITICAL,
            remedy=f"Remove the service {service.name}." + (f" {successor} takes its place." if successor else ""),
            facts=facts,
        ).lost(Outcome.REFUSED)
    wanted = wanted_image(subject, service, state.image)
    if wanted == service.repository:
        return About(
            **made,  # type: ignore[arg-type]
            title=f"The image of {service.name} exists for {subject.new}",
            breaks="The service does not start.",
            facts=facts,
        ).same()
    tag = state.tag or f"${{MAILU_VERSION:-{subject.new}}}"
    line = f"image: {_with_variables(service, wanted)}:{tag}"
    moved = service.repository.rpartition("/")[2] != wanted.rpartition("/")[2]
    return About(
        **made,  # type: ignore[arg-type]
        title=f"The image {service.repository} is not there for {subject.new}",
        breaks=f"Compose cannot pull it: {service.name} does not start"
        + (" (the service uses another program now)." if moved else "."),
        severity=Severity.CRITICAL,
        cause=f"From {state.since} on, the image of {role} is {wanted}.",
        remedy="Change the line.",
        write=line,
        edits=(Edit.at(service.image.place, line),),
        root="" if moved else f"Mailu's images are at {wanted.rpartition('/')[0]} now",
        facts=facts,
    ).lost(Outcome.REFUSED)


def _postgresql(subject: Subject) -> Iterator[Note]:
    """Mailu's own image of PostgreSQL, which no release since 1.9 has."""
    notice = subject.catalogue.notice("compose/postgresql-image")
    for service in subject.after.services.values():
        organisation, _, image = service.repository.rpartition("/")
        if service.image is None or image != "postgresql" or organisation not in HOMES or subject.new not in notice:
            continue
        # Where it runs, it is an image of 1.8 or older, without updates.
        yield about(
            notice,
            id=f"compose/{service.name}/image",
            title=f"There is no image {service.repository} for {subject.new}",
            place=service.image.place,
        ).broken(Outcome.ALTERED)


def wanted_image(subject: Subject, service: Service, image: str) -> str:
    """The image that a service needs for the new release. An organisation of the user's own keeps its name."""
    organisation, _, name = service.repository.rpartition("/")
    wanted_home, _, wanted = image.rpartition("/")
    wanted = wanted.replace("{WEBMAIL}", subject.after.value("WEBMAIL") or "webmail")
    if wanted_home not in HOMES:
        # Somebody else's program (ClamAV, Tika, Redis): another tag or mirror of it is the user's choice.
        return service.repository if name.startswith(wanted.partition("-")[0]) and organisation not in HOMES else image
    if organisation in HOMES or (not organisation and name in IMAGE_NAMES):
        return f"{wanted_home}/{wanted}"
    prefix = name.removesuffix(next((known for known in IMAGE_NAMES if name.endswith(known)), ""))
    return f"{organisation}/{prefix}{wanted}" if name.endswith(tuple(IMAGE_NAMES)) else service.repository


def _with_variables(service: Service, image: str) -> str:
    """The image as Mailu's own compose file writes it, where the user's does so too."""
    if "${DOCKER_ORG" in service.written and image.startswith(f"{_OFFICIAL}/"):
        return f"${{DOCKER_ORG:-{_OFFICIAL}}}/${{DOCKER_PREFIX:-}}{image.removeprefix(f'{_OFFICIAL}/')}"
    return image


def _missing(subject: Subject, role: str, name: str, what: str) -> Iterator[Note]:
    setting = subject.after.settings.get(name)
    if setting is None or not is_on(setting.value) or subject.service(subject.after, role) is not None:
        return
    service = subject.catalogue.service(role)
    if service is None or service.at(subject.new) is None:
        return
    state = service.at(subject.new)
    made = About(
        id=f"compose/{role}/missing",
        title=f"{name}={setting.value} wants the service {role}, which the compose file does not have",
        breaks=f"{what} is not there, and what asks for it waits or fails.",
        source=str(state.source) if state else "",
        severity=Severity.MAJOR,
        place=setting.place,
        remedy=f"Add the service {role} from the compose file of Mailu's set-up page, or change the line.",
        write=f"{name}={'false' if name in ('SCAN_MACROS', 'FULL_TEXT_SEARCH_ATTACHMENTS') else 'none'}",
    )
    yield made.broken()


def _left_out(subject: Subject) -> Iterator[Note]:
    """Services that the compose file of today has, and the one for the new release does not."""
    if not subject.has_new_compose_file:
        return
    for service in subject.before.services.values():
        role = subject.role(service)
        known = subject.catalogue.service(role) if role else None
        if known is not None:
            state = known.at(subject.new)
            if state is None or subject.service(subject.after, role) is not None:
                continue
        elif service.name in subject.after.services:
            continue
        made = About(
            id=f"compose/{role or service.name}/missing",
            title=f"The new compose file has no service {service.name}, and today's has one",
            breaks=f"{CHOSEN_BY[role][1]} is not there." if role in CHOSEN_BY else f"{service.name} does not start.",
            source="the two compose files",
            severity=Severity.CRITICAL if role in CORE_SERVICES else Severity.MAJOR if role else Severity.MINOR,
            place=service.place,
            remedy=f"Add the service {service.name} to the new file, unless you mean to do without it.",
        )
        yield made.lost() if role else made.changed({"service": True}, {"service": False})


def _tags(subject: Subject) -> Iterator[Note]:
    """Images of Mailu's own with the release in their tag: they have to change together."""
    tagged = {
        service.name: service
        for role, service in subject.mailu_services(subject.after)
        if service.repository.rpartition("/")[2] in IMAGE_NAMES and (service.tag or service.image)
    }
    if not tagged:
        return
    counts = Counter(service.tag for service in tagged.values())
    usual = counts.most_common(1)[0][0]
    for name, service in sorted(tagged.items()):
        assert service.image is not None  # noqa: S101 - see above
        if service.tag == usual:
            continue
        yield About(
            id=f"compose/{name}/tag",
            title=f"{name} has the tag {service.tag or 'latest'}, the other services have {usual}",
            breaks="Services of different releases do not understand each other: logins and deliveries fail.",
            source="docs/compose/setup.rst: all images of one release",
            severity=Severity.MAJOR,
            place=service.image.place,
            remedy="Use one tag for all of Mailu's images.",
            write=f"image: {service.repository}:${{MAILU_VERSION:-{subject.new}}}",
            facts={"tag": service.tag},
        ).broken(Outcome.ALTERED)


def _unset(subject: Subject) -> Iterator[Note]:
    dot_env = str(Path(subject.after.compose_files[0].shown).with_name(".env"))
    for name, place in sorted(subject.after.unset.items()):
        yield About(
            id=f"compose/variable/{name}",
            title=f"The compose file uses ${name}, which has no value",
            breaks="Compose puts nothing in its place: the name of an image or a folder is cut short.",
            source="Compose specification, Interpolation",
            severity=Severity.MAJOR,
            place=Place(dot_env, 1) if name == "MAILU_VERSION" else place,
            remedy="Write the value into the file .env beside the compose file.",
            write=f"{name}={subject.new}" if name == "MAILU_VERSION" else f"{name}=",
        ).broken(Outcome.ALTERED)
