"""Each setting of mailu.env: removed, renamed, read otherwise, unknown; and defaults that change while unset."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.core.releases import Release
from pytest_mailu.core.secrets import is_credential
from pytest_mailu.deployment.catalogue import ChangeKind, Difference, SettingState
from pytest_mailu.deployment.catalogue import Setting as Known
from pytest_mailu.deployment.model import Setting
from pytest_mailu.deployment.note import About, Edit, Note, is_secret, shown
from pytest_mailu.deployment.subject import Subject

COMPOSE_OWN = ("COMPOSE_", "DOCKER_ORG", "DOCKER_PREFIX", "MAILU_VERSION", "DOCKER_SOCKET")
"""Names that Compose reads, not Mailu's services."""
HARMLESS = frozenset(("LOG_DRIVER", "QUOTA_STORAGE_URL", "POSTFIX_LOG_SYSLOG", "RAINLOOP_INCLUDE_AS_API"))
"""Settings whose removal takes nothing from anybody: what they chose is chosen elsewhere, or gone."""
MILD = (("TLS_FLAVOR", "*"), ("ANTIVIRUS_ACTION", "*"), ("PROXY_PROTOCOL", "mail"), ("PROXY_PROTOCOL", "all"))
"""Values that go on working with another meaning, so that by itself nothing is lost; ports have notes of their own."""
FATAL = (
    ("PROXY_PROTOCOL", "http", Release.parse("2024.06.10")),
    ("SQLALCHEMY_DATABASE_URI", "mysql:*", Release.parse("2.0.0")),
    ("SQLALCHEMY_DATABASE_URI", "mysql+mysqldb:*", Release.parse("2.0.0")),
)
"""Values with which services do not start, from this release on.

core/base/libs/socrate/socrate/system.py, `clean_env`; core/admin/mailu/configuration.py.
"""
_INTERNAL = ("_ADDRESS", "STATS_ENDPOINT", "MAILU_VERSION", "DOCKER_ORG", "INSTANCE_ID_PATH", "ROUNDCUBE_DB_FLAVOR")
_HANDLED_BY_PORTS = frozenset(("PORTS", "TLS"))


def check(subject: Subject) -> Iterator[Note]:
    """A note for every setting that is set, and for every default that changes while it is not."""
    differences = subject.differences()
    # A line that is left out for the new release is left out on purpose.
    names = subject.after.settings
    for name in sorted(names):
        yield _setting(subject, names[name], differences.get(name, []))
    for name, found in sorted(differences.items()):
        if name not in names and name not in _HANDLED_BY_PORTS:
            yield from _unset(subject, name, found)


def _setting(subject: Subject, setting: Setting, differences: list[Difference]) -> Note:
    name, value = setting.name, setting.value
    known = subject.catalogue.setting(name)
    if known is None:
        return _unknown(subject, setting)
    before, after = known.at(subject.old), known.at(subject.new)
    if before is None or after is None:
        return _one_sided(subject, setting, known, differences)
    redefined = [d for d in differences if d.change is ChangeKind.REDEFINED and _concerned(subject, d, value)]
    if redefined:
        return _redefined(subject, setting, redefined[0])
    if after.allowed and before.allowed and _refused(after.allowed, value) and not _refused(before.allowed, value):
        return _not_allowed(subject, setting, after)
    return About(
        id=f"env/{name}",
        title=f"{name} means the same in {subject.old} and {subject.new}",
        breaks="The setting loses its effect.",
        source=str(after.source),
        place=setting.place,
        facts={"value": shown(name, value)},
    ).same()


def _redefined(subject: Subject, setting: Setting, difference: Difference) -> Note:
    """The same value with another meaning. Without `values`, the meaning changes a little for everybody: no loss."""
    advice = difference.advice
    assert advice is not None  # noqa: S101 - see _setting
    name, value = setting.name, setting.value
    same_name = advice.write.startswith(f"{name}=")
    mild = any(name == known and fnmatchcase(value, glob) for known, glob in MILD)
    lost = bool(difference.values) and not mild
    fatal = any(name == known and fnmatchcase(value, bad) and subject.new >= since for known, bad, since in FATAL)
    line = _with_own_address(setting, advice.write)
    made = About(
        id=f"env/{name}",
        title=f"{subject.new} reads {name}={shown(name, value)} otherwise than {subject.old}",
        breaks=advice.cause,
        source=str(advice.source),
        severity=Severity.CRITICAL if fatal else Severity.MAJOR,
        place=setting.place,
        cause=advice.cause,
        remedy=advice.remedy,
        write=advice.write if lost else "",
        edits=(Edit.of(setting, line),) if same_name and lost else (),
        facts={"value": shown(name, value)},
    )
    if lost:
        return made.lost(Outcome.ALTERED)
    return made.changed({"read as": str(subject.old)}, {"read as": str(subject.new)})


def _with_own_address(setting: Setting, example: str) -> str:
    """The line to write; of a database's address only the driver changes, and the rest stays as it is."""
    driver, separator, _ = example.partition("=")[2].partition("://")
    _, known, rest = setting.value.partition("://")
    return f"{setting.name}={driver}://{rest}" if separator and known and is_secret(setting.name) else example


def _one_sided(subject: Subject, setting: Setting, known: Known, differences: list[Difference]) -> Note:
    """A setting that only one of the two releases reads, or neither."""
    name = setting.name
    before, after = known.at(subject.old), known.at(subject.new)
    facts = {"value": shown(name, setting.value)}
    if before is not None:
        return _removed(subject, setting, differences, before)
    if after is not None:
        return About(
            id=f"env/{name}",
            title=f"{name} is set and takes effect from {subject.new} on",
            breaks=f"{subject.old} does not read {name}.",
            source=str(after.source),
            severity=Severity.INFO,
            place=setting.place,
            facts=facts,
        ).gained()
    return About(
        id=f"env/{name}",
        title=f"{name} is set, and neither {subject.old} nor {subject.new} reads it",
        breaks="The setting has no effect.",
        source=str(known.history[-1].source),
        severity=Severity.MINOR,
        place=setting.place,
        remedy="Remove the line.",
        edits=(_remove(setting),),
        facts=facts,
    ).broken()


def _not_allowed(subject: Subject, setting: Setting, state: SettingState) -> Note:
    words = ", ".join(state.allowed)
    value = shown(setting.name, setting.value)
    return About(
        id=f"env/{setting.name}",
        title=f"{subject.new} does not know {setting.name}={value}",
        breaks=state.meaning or f"{setting.name} takes one of {words}.",
        source=str(state.source),
        severity=Severity.MAJOR,
        place=setting.place,
        remedy=f"Choose one of {words}.",
        facts={"value": value},
    ).lost(Outcome.REFUSED)


def _removed(subject: Subject, setting: Setting, differences: list[Difference], before: SettingState) -> Note:
    name, value = setting.name, setting.value
    change = next((d for d in differences if d.change in (ChangeKind.REMOVED, ChangeKind.RENAMED)), None)
    advice = change.advice if change else None
    to = change.to if change and change.change is ChangeKind.RENAMED else ""
    harmless = value in ("", before.default) or name in HARMLESS
    line = (
        f"{to}={change.renamed(value)}" if change and to and not harmless and to not in subject.after.settings else ""
    )
    if harmless:
        remedy = "Remove the line; nothing changes."
    else:
        remedy = advice.remedy if advice else f"Find another way to what {name} does, then remove the line."
    made = About(
        id=f"env/{name}",
        title=f"{subject.new} ignores {name}" + (f"; the new name is {to}" if to else ""),
        breaks=advice.cause if advice else f"{subject.new} does not read {name}: what it was set for no longer holds.",
        source=str(advice.source if advice else before.source),
        severity=Severity.MAJOR,
        place=setting.place,
        cause=advice.cause if advice else f"No service of {subject.new} reads {name}.",
        remedy=remedy,
        write="" if is_secret(name) else line,
        edits=(Edit.of(setting, line),) if line else (_remove(setting),),
        facts={"value": shown(name, value)},
    )
    return made.ignored() if harmless else made.lost()


def _unknown(subject: Subject, setting: Setting) -> Note:
    name = setting.name
    similar = subject.catalogue.similar(name, subject.new) or subject.catalogue.similar(name, subject.old)
    foreign = any(service.env_files and not subject.role(service) for service in subject.after.services.values())
    facts = {"value": shown(name, setting.value)}
    legacy = subject.catalogue.legacy(name)
    if legacy and not legacy.compose:
        return About(
            id=f"env/{name}",
            title=f"{name} belongs to Mailu {legacy.last}; neither {subject.old} nor {subject.new} reads it",
            breaks="The setting has no effect.",
            source=str(legacy.advice.source),
            severity=Severity.MINOR,
            place=setting.place,
            cause=legacy.advice.cause,
            remedy=legacy.advice.remedy,
            edits=(_remove(setting),),
            facts=facts,
        ).broken()
    from_file = subject.catalogue.file_variant(name, subject.new) is not None
    if legacy or from_file or name.startswith(COMPOSE_OWN) or (foreign and not similar):
        return About(
            id=f"env/{name}",
            title=f"{name} is not for Mailu's services",
            breaks="The setting loses its effect.",
            place=setting.place,
            facts=facts,
        ).same()
    line = f"{similar}={setting.value}" if similar and similar not in subject.after.settings else ""
    return About(
        id=f"env/{name}",
        title=f"No release of Mailu reads {name}" + (f": did you mean {similar}?" if similar else ""),
        breaks="The setting has no effect.",
        source="core/admin/mailu/configuration.py and the start scripts of every release since 1.9.0",
        severity=Severity.MINOR,
        place=setting.place,
        remedy=f"Write {similar}, or remove the line." if similar else "Check the name, or remove the line.",
        write="" if is_credential(name) or is_secret(similar) else line,
        edits=(Edit.of(setting, line),) if line else (),
        facts=facts,
    ).broken()


def _unset(subject: Subject, name: str, differences: list[Difference]) -> Iterator[Note]:
    for difference in differences:
        before, after = difference.old, difference.new
        if not difference.unset or after is None or difference.change not in (ChangeKind.DEFAULT, ChangeKind.ADDED):
            continue
        if name.endswith(_INTERNAL) or not after.documented:
            continue
        old = before.default if before else None
        advice = difference.advice
        if difference.when and not subject.holds(difference.when):
            continue
        if advice is None and (old is None or after.default is None):
            continue
        yield About(
            id=f"env/{name}",
            title=f"The default of {name} changes: {_word(old)} → {_word(after.default)}",
            breaks=advice.cause if advice else f"{name} is not set, so {subject.new} takes its new default.",
            source=str(advice.source if advice else after.source),
            severity=Severity.MINOR,
            cause=advice.cause if advice else f"{name} is not set, so the default holds, and it changes.",
            remedy=advice.remedy if advice else "To keep the old value, add the line to mailu.env.",
            write=(advice.write if advice else "") or (f"{name}={old}" if old else ""),
            facts={"unset": True},
        ).changed({"in force": _word(old)}, {"in force": _word(after.default)})
        return


def _word(value: str | None) -> str:
    return value if value else ("empty" if value == "" else "none")


def _concerned(subject: Subject, difference: Difference, value: str) -> bool:
    """Whether a change with advice is about this value, with what else is set."""
    if difference.when and not subject.holds(difference.when):
        return False
    fits = not difference.values or any(fnmatchcase(value, glob) for glob in difference.values)
    return fits and difference.advice is not None


def _refused(allowed: tuple[str, ...], value: str) -> bool:
    words = [word.strip().lower() for word in value.split(",")]
    return bool(value) and not all(any(fnmatchcase(word, glob.lower()) for glob in allowed) for word in words)


def _remove(setting: Setting) -> Edit:
    return Edit.of(setting, None)
