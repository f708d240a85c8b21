"""Each setting of mailu.env: removed, renamed, read otherwise, unknown; and defaults that change while unset."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import ChangeKind, Difference
from pytest_mailu.deployment.model import Place, Setting
from pytest_mailu.deployment.note import About, Edit, Note, shown
from pytest_mailu.deployment.subject import Subject

COMPOSE_OWN = ("COMPOSE_", "DOCKER_ORG", "DOCKER_PREFIX", "MAILU_VERSION", "DOCKER_SOCKET")
"""Names that Compose reads, not Mailu's services."""
HARMLESS = frozenset(("LOG_DRIVER", "QUOTA_STORAGE_URL", "POSTFIX_LOG_SYSLOG", "LMTP_ADDRESS"))
"""Settings whose removal takes nothing from anybody: what they chose is chosen elsewhere."""
_INTERNAL = ("_ADDRESS", "STATS_ENDPOINT", "MAILU_VERSION", "DOCKER_ORG", "INSTANCE_ID_PATH", "ROUNDCUBE_DB_FLAVOR")
_HANDLED_BY_PORTS = frozenset(("PORTS", "TLS"))


def check(subject: Subject) -> Iterator[Note]:
    """A note for every setting that is set, and for every default that changes while it is not."""
    differences = subject.differences()
    names = {**subject.before.settings, **subject.after.settings}
    for name in sorted(names):
        yield _setting(subject, names[name], differences.get(name, []))
    for name, found in sorted(differences.items()):
        if name not in names and name not in _HANDLED_BY_PORTS:
            yield from _unset(subject, name, found)


def about(setting: Setting, *, scope: str = "env") -> dict[str, object]:
    """What every note on a setting begins with."""
    return {
        "id": f"{scope}/{setting.name}",
        "place": setting.place,
        "facts": {"value": shown(setting.name, setting.value)},
    }


def _setting(subject: Subject, setting: Setting, differences: list[Difference]) -> Note:
    name, value = setting.name, setting.value
    known = subject.catalogue.setting(name)
    facts = {"value": shown(name, value)}
    if known is None:
        return _unknown(subject, setting)
    before, after = known.at(subject.old), known.at(subject.new)
    source = str((after or before or known.history[-1]).source)
    if before is None and after is None:
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
        ).broken(Outcome.REFUSED)
    if before is None:
        return About(
            id=f"env/{name}",
            title=f"{name} is set and takes effect from {subject.new} on",
            breaks=f"{subject.old} does not read {name}.",
            source=source,
            severity=Severity.INFO,
            place=setting.place,
            facts=facts,
        ).gained()
    if after is None:
        return _removed(subject, setting, differences, before.default, str(before.source))
    for difference in differences:
        if difference.change is ChangeKind.REDEFINED and difference.advice and _concerned(difference, value):
            advice = difference.advice
            return About(
                id=f"env/{name}",
                title=f"{subject.new} reads {name}={shown(name, value)} otherwise than {subject.old}",
                breaks=advice.cause,
                source=str(advice.source),
                severity=Severity.MAJOR,
                place=setting.place,
                cause=advice.cause,
                remedy=advice.remedy,
                write=advice.write,
                edits=(Edit(advice.write, line=setting.place.line),) if advice.write else (),
                facts=facts,
            ).lost(Outcome.ALTERED)
    if after.allowed and before.allowed and _refused(after.allowed, value) and not _refused(before.allowed, value):
        words = ", ".join(after.allowed)
        return About(
            id=f"env/{name}",
            title=f"{subject.new} does not know {name}={shown(name, value)}",
            breaks=after.meaning or f"{name} takes one of {words}.",
            source=source,
            severity=Severity.MAJOR,
            place=setting.place,
            remedy=f"Choose one of {words}.",
            facts=facts,
        ).lost(Outcome.REFUSED)
    return About(
        id=f"env/{name}",
        title=f"{name} is read alike",
        breaks="The setting loses its effect.",
        source=source,
        place=setting.place,
        facts=facts,
    ).same()


def _removed(
    subject: Subject, setting: Setting, differences: list[Difference], default: str | None, source: str
) -> Note:
    name, value = setting.name, setting.value
    change = next((d for d in differences if d.change in (ChangeKind.REMOVED, ChangeKind.RENAMED)), None)
    advice = change.advice if change else None
    to = change.to if change and change.change is ChangeKind.RENAMED else ""
    line = f"{to}={value}" if to else ""
    harmless = value in ("", default) or name in HARMLESS
    made = About(
        id=f"env/{name}",
        title=f"{subject.new} ignores {name}" + (f"; the new name is {to}" if to else ""),
        breaks=(
            advice.cause if advice else f"{subject.new} does not read {name}; what it was set for no longer holds."
        ),
        source=str(advice.source) if advice else source,
        severity=Severity.MAJOR,
        place=setting.place,
        cause=advice.cause if advice else f"No service of {subject.new} reads {name}.",
        remedy=_remedy(name, to, harmless=harmless, advised=advice.remedy if advice else ""),
        write=line if not harmless else "",
        edits=(Edit(line, line=setting.place.line, last=setting.place.line),)
        if line and not harmless
        else (_remove(setting),),
        facts={"value": shown(name, value)},
    )
    return made.ignored() if harmless else made.lost()


def _remedy(name: str, to: str, *, harmless: bool, advised: str) -> str:
    if harmless:
        return "Remove the line; nothing changes."
    if to:
        return "Write the new name."
    return advised or f"Find another way to what {name} does, then remove the line."


def _unknown(subject: Subject, setting: Setting) -> Note:
    name = setting.name
    facts = {"value": shown(name, setting.value)}
    similar = subject.catalogue.similar(name, subject.new) or subject.catalogue.similar(name, subject.old)
    used = any(service.env_files and not subject.role(service) for service in subject.after.services.values())
    if name.startswith(COMPOSE_OWN) or (used and not similar):
        return About(
            id=f"env/{name}",
            title=f"{name} is not for Mailu's services",
            breaks="The setting loses its effect.",
            place=setting.place,
            facts=facts,
        ).same()
    line = f"{similar}={setting.value}" if similar else ""
    if similar in subject.after.settings:
        line = ""
    return About(
        id=f"env/{name}",
        title=f"No release of Mailu reads {name}" + (f": did you mean {similar}?" if similar else ""),
        breaks="The setting has no effect.",
        source="core/admin/mailu/configuration.py and the start scripts of every release since 1.9.0",
        severity=Severity.MINOR,
        place=setting.place,
        remedy=f"Write {similar}, or remove the line." if similar else "Remove the line, or check the name.",
        write=line if similar and shown(name, "x") == "x" else "",
        edits=(Edit(line, line=setting.place.line, last=setting.place.line),) if line else (),
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
        if advice is None and (old is None or after.default is None):
            continue
        line = (advice.write if advice else "") or (f"{name}={old}" if old else "")
        yield About(
            id=f"env/{name}",
            title=f"The default of {name} changes: {_word(old)} → {_word(after.default)}",
            breaks=advice.cause if advice else f"{name} is not set, so {subject.new} takes its new default.",
            source=str(advice.source if advice else after.source),
            severity=Severity.MINOR,
            place=None,
            cause=advice.cause if advice else f"{name} is not set, so the default holds, and it changes.",
            remedy=(advice.remedy if advice else "To keep the old value, add the line to mailu.env."),
            write=line,
            facts={"unset": True},
        ).changed({"in force": _word(old)}, {"in force": _word(after.default)})
        return


def _word(value: str | None) -> str:
    return value if value else ("empty" if value == "" else "none")


def _concerned(difference: Difference, value: str) -> bool:
    return not difference.values or any(fnmatchcase(value, glob) for glob in difference.values)


def _refused(allowed: tuple[str, ...], value: str) -> bool:
    words = [word.strip().lower() for word in value.split(",")]
    return bool(value) and not all(any(fnmatchcase(word, glob.lower()) for glob in allowed) for word in words)


def _remove(setting: Setting) -> Edit:
    return Edit(None, line=setting.place.line, last=setting.place.line)


__all__ = ["Place", "check"]
