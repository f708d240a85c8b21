"""Overrides: files that a release no longer reads or reads otherwise, and directives that a program forgot."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.catalogue import Effect, Override
from pytest_mailu.deployment.files import Text
from pytest_mailu.deployment.model import Place
from pytest_mailu.deployment.note import About, Note
from pytest_mailu.deployment.subject import Subject

LINE_LIMIT = 5000


def check(subject: Subject) -> Iterator[Note]:
    """A note for each file of overrides, and for each directive in it that the new release's program refuses."""
    if not subject.catalogue.overrides:
        return
    for path, text in sorted(subject.after.overrides.items()):
        before, after = (subject.catalogue.override(path, release) for release in (subject.old, subject.new))
        yield from _file(subject, path, text, before, after)
        if after is not None:
            yield from _directives(subject, path, text, after)


def _file(subject: Subject, path: str, text: Text, before: Override | None, after: Override | None) -> Iterator[Note]:
    made = {"id": f"overrides/{path}", "place": Place(text.shown, 1)}
    if after is not None and after.effect is Effect.BREAKS:
        note = About(
            **made,  # type: ignore[arg-type]
            title=f"{after.service} of {subject.new} does not start with overrides/{path}",
            breaks=after.note,
            source=str(after.source),
            severity=Severity.CRITICAL,
            cause=after.note,
            remedy=f"Move the file straight into overrides/{path.partition('/')[0]}, and use its new path.",
        )
        yield note.broken() if before is not None and before.effect is Effect.BREAKS else note.lost(Outcome.REFUSED)
        return
    if before is None and after is None:
        if path.rpartition("/")[2].startswith((".", "README", "readme")) or not text.text.strip():
            return
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"No service reads overrides/{path}",
            breaks="The file has no effect.",
            source="the start scripts of each service",
            severity=Severity.MINOR,
            remedy=f"Check name and folder: {_nearest(subject, path)}.",
        ).broken()
    elif before is None and after is not None:
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"overrides/{path} takes effect from {subject.new} on",
            breaks="The file has no effect today.",
            source=str(after.source),
            severity=Severity.MINOR,
        ).gained()
    elif after is None and before is not None:
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"{subject.new} does not read overrides/{path}",
            breaks=f"What the file changes in {before.program} no longer holds.",
            source=str(before.source),
            severity=Severity.MAJOR,
            cause=before.note or f"{subject.new} has no {before.program} that reads this path.",
            remedy=f"Move it to a file that is read: {_nearest(subject, path)}.",
        ).lost()
    elif before is not None and after is not None and before.effect is not after.effect:
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"overrides/{path} was {_words(before)} and is {_words(after)}",
            breaks=f"{after.program} combines the file with Mailu's own: settings that the file left out come back, "
            "or are gone.",
            source=str(after.source),
            severity=Severity.MAJOR,
            cause=after.note or f"From {after.since} on, the file is {_words(after)}.",
            remedy="Compare the file with Mailu's own of the same name, and keep only the lines that differ.",
        ).lost(Outcome.ALTERED)
    else:
        yield About(
            **made,  # type: ignore[arg-type]
            title=f"overrides/{path} is read alike",
            breaks="What the file changes no longer holds.",
            source=str(after.source) if after else "",
        ).same()


def _words(entry: Override) -> str:
    return {"appended": "added to Mailu's file", "merged": "merged into Mailu's section"}.get(
        str(entry.effect), "read instead of Mailu's file"
    )


def _nearest(subject: Subject, path: str) -> str:
    folder = path.partition("/")[0]
    globs = sorted({entry.path for entry in subject.catalogue.overrides if subject.new in entry})
    same = [glob for glob in globs if glob.partition("/")[0] == folder]
    return ", ".join(f"overrides/{glob}" for glob in (same or globs)[:4])


def _directives(subject: Subject, path: str, text: Text, override: Override) -> Iterator[Note]:
    program = override.program
    version = subject.catalogue.version(override.service, program, subject.new)
    gone = subject.catalogue.lost_directives(override.service, program, subject.old, subject.new)
    for number, line in enumerate(text.lines[:LINE_LIMIT], 1):
        for directive in gone:
            if not directive.in_line(line):
                continue
            yield About(
                id=f"overrides/{path}/{directive.name}",
                title=f"{program} {version} does not know {directive.name}",
                breaks=directive.advice.cause,
                source=str(directive.advice.source),
                severity=Severity.CRITICAL if directive.fatal else Severity.MINOR,
                place=Place(text.shown, number),
                cause=directive.advice.cause,
                remedy=directive.advice.remedy,
                write=directive.advice.write or directive.replaced_by,
            ).lost(Outcome.REFUSED)
            gone = tuple(other for other in gone if other is not directive)
