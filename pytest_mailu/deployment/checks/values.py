"""How values are written: set twice, blanks and quotation marks, secrets that are short or still the example's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import Kind
from pytest_mailu.deployment.model import Setting
from pytest_mailu.deployment.note import About, Edit, Note, is_secret, shown
from pytest_mailu.deployment.subject import Subject

SHORTEST_SECRET = 16
"""Characters of SECRET_KEY: Mailu's own set-up page writes 16 (setup/flavors/compose/mailu.env, `secret(16)`)."""
EXAMPLES = frozenset(("changeme", "ChangeMeChangeMe", "changeMe", "secret", "password", "mysecret", "test"))
_RATE = re.compile(r"\s*\d+\s*(?:/|per)\s*\d*\s*(?:second|minute|hour|day|month|year)s?\s*", re.IGNORECASE)
_SPLIT_WITHOUT_STRIP = ("PORTS", "PROXY_PROTOCOL", "TLS")
_BOOLEANS = frozenset(("true", "yes", "false", "no", ""))


def check(subject: Subject) -> Iterator[Note]:
    """Notes on settings whose value is not read as it looks."""
    for setting in subject.after.settings.values():
        if setting.earlier and any(given.value != setting.value for given in setting.earlier):
            yield _twice(setting)
        if setting.name in ("SECRET_KEY", "API_TOKEN"):
            yield from _secret(subject, setting)
        yield from _blanks(subject, setting)
        yield from _form(subject, setting)


def _twice(setting: Setting) -> Note:
    before = ", ".join(str(given.place) for given in setting.earlier)
    return About(
        id=f"env/{setting.name}/twice",
        title=f"{setting.name} is set more than once, with different values",
        breaks=f"Only the last line counts; the value in {before} has no effect.",
        source="Compose specification, env_file: the last value wins",
        severity=Severity.MINOR,
        place=setting.place,
        remedy=f"Keep one line. The others: {before}.",
        write="" if is_secret(setting.name) else f"{setting.name}={setting.raw}",
        edits=tuple(Edit.at(given.place, None) for given in setting.earlier),
    ).broken(Outcome.ALTERED)


def _secret(subject: Subject, setting: Setting) -> Iterator[Note]:
    value = setting.value
    if setting.name == "API_TOKEN" and (not value or subject.after.value("API") in (None, "false", "False")):
        return
    example = value.lower() in {word.lower() for word in EXAMPLES}
    if not example and len(value) >= SHORTEST_SECRET:
        return
    words = "is still the example's" if example else f"has {len(value)} characters"
    yield About(
        id=f"env/{setting.name}/strength",
        title=f"{setting.name} {words}",
        breaks="Who guesses it can forge sessions and internal logins, or use the REST interface.",
        source="setup/flavors/compose/mailu.env: 16 random characters",
        severity=Severity.MAJOR,
        place=setting.place,
        remedy="Put in a random text of at least 16 characters; sessions end, passwords stay valid.",
        write=f"{setting.name}=$(openssl rand -hex 16)",
    ).broken(Outcome.ALTERED)


def _blanks(subject: Subject, setting: Setting) -> Iterator[Note]:
    if setting.name not in _SPLIT_WITHOUT_STRIP or not subject.new.since("2024.06"):
        return
    words = setting.value.split(",")
    if all(word == word.strip() for word in words):
        return
    line = f"{setting.name}={','.join(word.strip() for word in words)}"
    old = subject.catalogue.setting(setting.name)
    note = About(
        id=f"env/{setting.name}/blanks",
        title=f"{setting.name} has blanks between its values",
        breaks="front reads a value with a blank as another value, and ignores it: that port is not served as meant.",
        source="core/base/libs/socrate/socrate/system.py (2024.06.57): split(',') without strip()",
        severity=Severity.CRITICAL,
        place=setting.place,
        remedy="Write the list without blanks.",
        write=line,
        edits=(Edit.of(setting, line),),
        facts={"value": shown(setting.name, setting.value)},
    )
    read_before = old is not None and old.at(subject.old) is not None
    yield note.broken(Outcome.ALTERED) if read_before else note.lost(Outcome.ALTERED)


def _form(subject: Subject, setting: Setting) -> Iterator[Note]:
    """Values that no release reads as their kind: numbers with units, rates without, words for yes and no."""
    known = subject.catalogue.setting(setting.name)
    state = known.at(subject.new) if known else None
    if (
        known is None
        or known.changes
        or state is None
        or state.kind is None
        or not setting.value
        or _fits(state.kind, setting.value)
    ):
        return
    wanted = {
        Kind.INT: "a whole number",
        Kind.SIZE: "a number of bytes",
        Kind.RATE: "a rate such as 5/hour",
        Kind.BOOL: "true or false",
    }[state.kind]
    yield About(
        id=f"env/{setting.name}/form",
        title=f"{setting.name}={shown(setting.name, setting.value)} is not {wanted}",
        breaks=state.meaning or "The service refuses the value, or reads it as something else.",
        source=str(state.source),
        severity=Severity.MAJOR,
        place=setting.place,
        remedy=f"Write {wanted}.",
        facts={"value": shown(setting.name, setting.value)},
    ).broken(Outcome.ALTERED)


def _fits(kind: Kind, value: str) -> bool:
    match kind:
        case Kind.INT | Kind.SIZE:
            return value.strip().lstrip("-").isdecimal()
        case Kind.RATE:
            return all(_RATE.fullmatch(part) for part in re.split(r"[;,|]", value))
        case Kind.BOOL:
            return value.lower() in _BOOLEANS
        case _:
            return True
