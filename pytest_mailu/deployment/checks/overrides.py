"""Overrides: files that a release no longer reads or reads otherwise, and lines that do not do what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import Advice, Effect, Override
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.files import Text
from pytest_mailu.deployment.model import Place
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject

EFFECTS = {
    Effect.APPENDED: "read after Mailu's own file",
    Effect.MERGED: "merged into Mailu's own file",
    Effect.REPLACES: "read instead of Mailu's own file",
    Effect.BREAKS: "in the way of the service",
    Effect.IGNORED: "ignored",
}
LINE_LIMIT = 5000
"""Lines of one file that are looked at."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that does something else than it says: where, what it matches, its notice, and what to write for it."""

    path: str
    pattern: str
    notice: str
    instead: str = ""
    severity: Severity = Severity.MAJOR


LINES = (
    Line("postfix/*", r"\b(hash|btree):", "overrides/postfix-tables", "lmdb:"),
    Line("postfix/postfix.*", r"(?<!\\)\$(?=[A-Za-z_({])", "overrides/postfix-dollar", r"\\$"),
    Line("postfix/postfix.*", r"^\s+(?=\S)", "overrides/postfix-one-line"),
    Line("rspamd/*", r"/etc/rspamd/override\.d", "overrides/rspamd-map-path", "/overrides"),
    Line("postfix/*", r"\bimap:2525", "overrides/postfix-lmtp", "front:2525", Severity.MINOR),
    Line("nginx/dovecot.conf", r"\S", "overrides/front-dovecot-conf", severity=Severity.CRITICAL),
)
READ_OTHERWISE = (
    ("rspamd/dmarc.conf", r"\S", "overrides/rspamd-dmarc"),
    (
        "dovecot/dovecot.conf",
        r"^\s*(ssl\w*\b|login_|service\s+\S+-login|auth_mechanisms)",
        "overrides/dovecot-client-ports",
    ),
)
"""File, line and notice: what goes on being read, with less or other effect."""
UNREAD = (
    ("rainloop/*", "overrides/webmail-folder"),
    ("postfix/logrotate.conf", "overrides/postfix-logrotate"),
    ("rspamd/forbidden_file_extension.map", "overrides/rspamd-extension-map"),
    ("rspamd/*", "overrides/rspamd-not-read"),
)
"""Files whose reading ended for a known reason; the first that fits."""
HARMLESS = ("rainloop/*", "postfix/logrotate.conf")
"""Files whose program or log is gone as well, so that nobody misses them."""


def check(subject: Subject) -> Iterator[Note]:
    """Notes for each file of overrides: whether it is read, and the lines that change their meaning."""
    for path, text in sorted(subject.after.overrides.items()):
        if not text.text.strip() or _aside(path):
            continue
        before = subject.catalogue.override(path, subject.old)
        after = subject.catalogue.override(path, subject.new)
        yield _file(subject, path, text, before, after)
        if after is not None and after.effect is not Effect.BREAKS:
            yield from _directives(subject, path, text, after)
            yield from _lines(subject, path, text)
            yield from _otherwise(subject, path, text)


def _aside(path: str) -> bool:
    """What nobody means to be read: hidden files, notes, copies."""
    name = path.rpartition("/")[2].lower()
    return name.startswith((".", "readme")) or name.endswith(("~", ".bak", ".orig", ".md", ".disabled"))


def _file(subject: Subject, path: str, text: Text, before: Override | None, after: Override | None) -> Note:
    def made(  # noqa: PLR0917 - one place says what all have in common
        title: str, breaks: str, source: object, severity: Severity, cause: str = "", remedy: str = ""
    ) -> About:
        return About(
            id=f"overrides/{path}",
            title=title,
            breaks=breaks,
            source=str(source),
            severity=severity,
            place=Place(text.shown, 1),
            cause=cause,
            remedy=remedy,
        )

    if after is None:
        notice = _why_unread(subject, path)
        remedy = f"{notice.remedy} {_read_here(subject, path)}".strip()
        if before is None:
            title = f"No service reads overrides/{path}"
            return made(title, "The file has no effect.", notice.source, Severity.MINOR, notice.cause, remedy).broken()
        title = f"{subject.new} does not read overrides/{path}"
        breaks = f"What the file changes in {before.program} no longer holds."
        missed = not any(fnmatchcase(path, glob) for glob in HARMLESS)
        about_it = made(
            title, breaks, before.source, Severity.MAJOR if missed else Severity.MINOR, notice.cause, remedy
        )
        return about_it.lost() if missed else about_it.ignored()
    if after.effect is Effect.BREAKS and (before is None or before.effect is not Effect.BREAKS):
        breaks = f"{after.service} does not start: {after.note}"
        remedy = f"Move the file. {_read_here(subject, path)}"
        title = f"overrides/{path} keeps {after.service} of {subject.new} from starting"
        return made(title, breaks, after.source, Severity.CRITICAL, after.note, remedy).lost(Outcome.REFUSED)
    if before is None:
        title = f"overrides/{path} takes effect from {subject.new} on"
        return made(title, "The file has no effect today.", after.source, Severity.MINOR).gained()
    # A map is a list that other files name: it is neither merged nor does it replace anything.
    if before.effect is not after.effect and not path.endswith(".map"):
        title = f"overrides/{path} is {EFFECTS[after.effect]}, no longer {EFFECTS[before.effect]}"
        breaks = "What your file left out on purpose comes back, or what it relied on is gone."
        remedy = "Compare the file with Mailu's own of the same name, and keep only the lines that differ."
        return made(title, breaks, after.source, Severity.MAJOR, after.note, remedy).lost(Outcome.ALTERED)
    title = f"overrides/{path} is read as before"
    return made(title, "What the file changes no longer holds.", after.source, Severity.MAJOR).same()


def _why_unread(subject: Subject, path: str) -> Advice:
    known = (subject.catalogue.notice(id_) for glob, id_ in UNREAD if fnmatchcase(path, glob))
    found = next((notice for notice in known if subject.new in notice), None)
    return (found or subject.catalogue.notice("overrides/unknown-file")).advice


def _otherwise(subject: Subject, path: str, text: Text) -> Iterator[Note]:
    """Files that go on being read, with other effect from a release between the two on."""
    for glob, pattern, id_ in READ_OTHERWISE:
        notice = subject.catalogue.notice(id_)
        if not fnmatchcase(path, glob) or not notice.concerns(subject.old, subject.new):
            continue
        found = next((number for number, line in _numbered(text) if re.search(pattern, line)), 0)
        if found:
            yield about(
                notice,
                id=f"overrides/{path}/{id_.rpartition('/')[2]}",
                title=f"overrides/{path} has another effect in {subject.new}",
                place=Place(text.shown, found),
            ).changed({"effect": "as written"}, {"effect": "less or other"})


def _read_here(subject: Subject, path: str) -> str:
    """What is read in the folder of a file."""
    folder = path.partition("/")[0]
    globs = {
        entry.path
        for entry in subject.catalogue.overrides
        if subject.new in entry and entry.effect is not Effect.IGNORED
    }
    same = sorted(glob for glob in globs if glob.startswith(f"{folder}/"))
    return f"Read there: {', '.join(f'overrides/{glob}' for glob in same[:6])}." if same else ""


def _directives(subject: Subject, path: str, text: Text, after: Override) -> Iterator[Note]:
    gone = subject.catalogue.lost_directives(after.service, after.program, subject.old, subject.new)
    version = subject.catalogue.version(after.service, after.program, subject.new)
    for directive in gone:
        found = next((number for number, line in _numbered(text) if directive.in_line(line)), 0)
        if found:
            yield About(
                id=f"overrides/{path}/{directive.name.replace(' ', '-')}",
                title=f"{after.program} {version} does not know {directive.name}".replace("  ", " "),
                breaks=directive.advice.cause,
                source=str(directive.advice.source),
                severity=Severity.CRITICAL if directive.fatal else Severity.MINOR,
                place=Place(text.shown, found),
                cause=directive.advice.cause,
                remedy=directive.advice.remedy,
                write=directive.advice.write or directive.replaced_by,
            ).lost(Outcome.REFUSED)


def _lines(subject: Subject, path: str, text: Text) -> Iterator[Note]:
    """Lines that do something else than they say: in new alone (regressed), or as long as they are there (broken)."""
    for entry in LINES:
        notice = subject.catalogue.notice(entry.notice)
        if not fnmatchcase(path, entry.path) or subject.new not in notice:
            continue
        hits = ((number, line) for number, line in _numbered(text) if re.search(entry.pattern, line))
        found, line = next(hits, (0, ""))
        if not found:
            continue
        made = about(
            notice,
            title=f"overrides/{path}: {notice.advice.cause.partition(':')[0].rstrip('.')}",
            place=Place(text.shown, found),
            id=f"overrides/{path}/{entry.notice.rpartition('/')[2]}",
            severity=entry.severity,
        )
        made = replace(made, write=re.sub(entry.pattern, entry.instead, line) if entry.instead else "")
        new_only = subject.old not in notice
        yield made.lost(Outcome.ALTERED) if new_only else made.broken(Outcome.ALTERED)


def _numbered(text: Text) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without comments."""
    for number, line in enumerate(text.lines[:LINE_LIMIT], 1):
        if line.strip() and not line.lstrip().startswith(("#", "//")):
            yield number, line
