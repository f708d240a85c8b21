"""The catalogue as one value, and the questions it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from itertools import pairwise

from packaging.version import Version

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import SERIES, Release
from pytest_mailu.deployment.catalogue import reader
from pytest_mailu.deployment.catalogue.schema import (
    ChangeKind,
    ComposeFact,
    Connection,
    Difference,
    Directive,
    DnsRecord,
    Effect,
    HostRequirement,
    Knowledge,
    KnownSeries,
    Legacy,
    ListeningPort,
    LogFormat,
    Mount,
    Network,
    Notice,
    Override,
    Period,
    ProgramVersion,
    PublishedPort,
    RequiredStop,
    Service,
    Setting,
    SettingChange,
    SettingState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All facts. Every question is answered from these values alone."""

    settings: tuple[Setting, ...]
    legacies: tuple[Legacy, ...]
    services: tuple[Service, ...]
    mounts: tuple[Mount, ...]
    published_ports: tuple[PublishedPort, ...]
    listening_ports: tuple[ListeningPort, ...]
    connections: tuple[Connection, ...]
    networks: tuple[Network, ...]
    compose_facts: tuple[ComposeFact, ...]
    overrides: tuple[Override, ...]
    programs: tuple[ProgramVersion, ...]
    directives: tuple[Directive, ...]
    stops: tuple[RequiredStop, ...]
    dns_records: tuple[DnsRecord, ...]
    log_formats: tuple[LogFormat, ...]
    hosts: tuple[HostRequirement, ...]
    notices: tuple[Notice, ...]
    series: tuple[KnownSeries, ...]

    def setting(self, name: str) -> Setting | None:
        """The setting of this name in any release; None where no release ever read it."""
        return next((setting for setting in self.settings if setting.name == name), None)

    def legacy(self, name: str) -> Legacy | None:
        """What is known of a name that releases before the first known one read; None for any other name."""
        return next((entry for entry in self.legacies if entry.name == name), None)

    def file_variant(self, name: str, release: Release) -> Setting | None:
        """The setting whose value the file holds that `NAME_FILE` names; None where the release reads no such file.

        admin reads every setting of its own in this way, the other services only `SECRET_KEY` (socrate/system.py).
        """
        setting = self.setting(name.removesuffix("_FILE")) if name.endswith("_FILE") else None
        state = setting.at(release) if setting else None
        return setting if state and "admin" in state.services else None

    def known(self, release: Release) -> tuple[Setting, ...]:
        """The settings that some service of the release reads."""
        return tuple(setting for setting in self.settings if setting.at(release))

    def similar(self, name: str, release: Release) -> str:
        """The setting of the release whose name is closest to an unknown name; "" where none is close."""
        return next(iter(get_close_matches(name, [setting.name for setting in self.known(release)], 1, 0.8)), "")

    def changes(self, old: Release, new: Release) -> tuple[Difference, ...]:
        """What differs for settings between two releases, by name. A setting can be redefined and get a new default."""
        return tuple(difference for setting in self.settings for difference in _differences(setting, old, new))

    def service(self, name: str) -> Service | None:
        """The service of this name in any release's set-up template."""
        return next((service for service in self.services if service.name == name), None)

    def notice(self, id_: str) -> Notice:
        """What is known under an id; KeyError where there is none (a mistake in the code that asks)."""
        return next((notice for notice in self.notices if notice.id == id_), None) or _missing(id_)

    def notices_for(self, old: Release, new: Release) -> tuple[Notice, ...]:
        """What is known about a move from `old` to `new`, as far as the releases decide; in the order of the files."""
        return tuple(notice for notice in self.notices if notice.concerns(old, new))

    def entered(self, old: Release, new: Release) -> tuple[RequiredStop, ...]:
        """The series that a move enters, the one of `new` included: what to do before, during and after each."""
        below, above = SERIES.index(old.series), SERIES.index(new.series)
        return tuple(stop for stop in self.stops if below < SERIES.index(stop.series) <= above)

    def version(self, service: str, program: str, release: Release) -> str:
        """The version of a program in a service's image; "" where it is not known, or the program not there."""
        found = [
            entry.version
            for entry in self.programs
            if entry.program == program and entry.service in (service, "every") and release in entry
        ]
        return found[0] if found else ""

    def override(self, path: str, release: Release) -> Override | None:
        """Who reads a file below the folder of overrides, and how; None where no service of the release does.

        With the effect `breaks`, the service fails because of the file.
        """
        found = next((entry for entry in self.overrides if release in entry and entry.fits(path)), None)
        return None if found is None or found.effect is Effect.IGNORED else found

    def lost_directives(self, service: str, program: str, old: Release, new: Release) -> tuple[Directive, ...]:
        """The directives that the program of a service knows in `old` and not in `new`."""
        before, after = self.version(service, program, old), self.version(service, program, new)

        def lost(directive: Directive) -> bool:
            if directive.release is not None:
                return old < directive.release <= new
            return bool(before and after) and Version(before) < Version(directive.removed) <= Version(after)

        return tuple(entry for entry in self.directives if entry.program == program and lost(entry))

    def stops_between(self, old: Release, new: Release) -> tuple[RequiredStop, ...]:
        """The series between two releases, in order, where an upgrade has to stop (or is advised to)."""
        below, above = SERIES.index(old.series), SERIES.index(new.series)
        return tuple(stop for stop in self.stops if below < SERIES.index(stop.series) < above)


def _missing(id_: str) -> Notice:
    raise KeyError(id_)


def _differences(setting: Setting, old: Release, new: Release) -> Iterator[Difference]:
    before, after = setting.at(old), setting.at(new)
    written = [change for change in setting.changes if old < change.at <= new]

    def difference(change: SettingChange) -> Difference:
        return Difference(
            setting=setting.name,
            change=change.change,
            at=change.at,
            old=before,
            new=after,
            to=change.to,
            values=change.values,
            unset=change.unset,
            when=change.when,
            advice=change.advice,
        )

    def of(*kinds: ChangeKind) -> Iterator[Difference]:
        found = [change for change in written if change.change in kinds]
        if found:
            yield from map(difference, found)
        else:
            state = after or before
            at = new if after is None or state is None else max(after.since, old)
            yield Difference(setting=setting.name, change=kinds[0], at=at, old=before, new=after, unset=True)

    if before is None and after is not None:
        yield from of(ChangeKind.ADDED)
    elif before is not None and after is None:
        yield from of(ChangeKind.REMOVED, ChangeKind.RENAMED)
    elif before is not None and after is not None:
        yield from (difference(change) for change in written if change.change is ChangeKind.REDEFINED)
        kinds = {change.change for change in written}
        if before.default != after.default and (ChangeKind.DEFAULT in kinds or ChangeKind.SAME not in kinds):
            yield from of(ChangeKind.DEFAULT)


def assemble(tables: reader.Tables) -> Catalogue:
    """The catalogue from the entries of its files. Raises UsageError where entries contradict each other."""
    knowledge: dict[str, Knowledge] = {}
    for entry in tables["knowledge"]:
        if entry.name in knowledge:
            raise UsageError(f"the setting {entry.name} has knowledge twice", reader.REMEDY)
        knowledge[entry.name] = entry
    settings = tuple(_joined(setting, knowledge.pop(setting.name, None)) for setting in tables["setting"])
    for name in knowledge:
        raise UsageError(f"there is knowledge of {name}, which no release reads", reader.REMEDY)
    for kind, names in (
        ("setting", [setting.name for setting in settings]),
        ("service", [service.name for service in tables["service"]]),
        ("notice", [notice.id for notice in tables["notice"]]),
        ("name", [entry.name for entry in (*tables["setting"], *tables["legacy"])]),
    ):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"the {kind} {twice[0]} stands in the files twice", reader.REMEDY)
    for name, history in [
        *((setting.name, setting.history) for setting in settings),
        *((service.name, service.history) for service in tables["service"]),
    ]:
        _check_order(name, history)
    return Catalogue(
        settings=tuple(sorted(settings, key=lambda setting: setting.name)),
        legacies=tables["legacy"],
        services=tables["service"],
        mounts=tables["mount"],
        published_ports=tables["published_port"],
        listening_ports=tables["listening_port"],
        connections=tables["connection"],
        networks=tables["network"],
        compose_facts=tables["compose_fact"],
        overrides=tables["override"],
        programs=tables["program"],
        directives=tables["directive"],
        stops=tuple(sorted(tables["stop"], key=lambda stop: SERIES.index(stop.series))),
        dns_records=tables["dns_record"],
        log_formats=tables["log_format"],
        hosts=tables["host"],
        notices=tables["notice"],
        series=tables["release_series"],
    )


@cache
def load() -> Catalogue:
    """The catalogue that comes with the package; read once."""
    return assemble(reader.read_all())


def _check_order(name: str, history: tuple[Period, ...]) -> None:
    for earlier, later in pairwise(history):
        if earlier.until is None or later.since < earlier.until:
            raise UsageError(f"the periods of {name} overlap at {later.since}, or are not in order", reader.REMEDY)


def _joined(setting: Setting, knowledge: Knowledge | None) -> Setting:
    """A setting with its states cut where people wrote that its value is read otherwise."""
    if knowledge is None:
        return setting
    _check_order(setting.name, knowledge.reading)
    states: list[SettingState] = []
    for state in setting.history:
        cuts = {state.since}
        for reading in knowledge.reading:
            cuts |= {cut for cut in (reading.since, reading.until) if cut is not None and cut in state}
        ends = [*sorted(cuts)[1:], state.until]
        for since, until in zip(sorted(cuts), ends, strict=True):
            reading_ = next((reading for reading in knowledge.reading if since in reading), None)
            part = replace(state, since=since, until=until)
            if reading_:
                part = replace(
                    part,
                    kind=reading_.kind,
                    allowed=reading_.allowed,
                    required=reading_.required,
                    meaning=reading_.meaning,
                )
            states.append(part)
    return replace(setting, history=tuple(states), changes=knowledge.change)
