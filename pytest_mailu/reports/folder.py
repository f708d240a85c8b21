"""The folder of `--mailu-report`: every format of the report, and both recordings."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from pytest_mailu.core import serialization as jsonio
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Comparison, Recording, Report
from pytest_mailu.reports import html, markdown
from pytest_mailu.reports.view import Render, ReportView

FORMATS: Mapping[str, Render] = {
    "report.html": html.render,
    "report.md": markdown.render,
}
"""File name → format, beside `report.json`. A new format is a module with such a function, and a line here."""

MARK = "pytest-mailu"
"""What the text of every format has in it somewhere: by it, a later run knows the file for one of ours."""

_LOOKED_AT = 64 << 20
"""Bytes of a file that is looked at; ours are smaller."""


def check(folder: Path) -> None:
    """Raise UsageError where the folder has a file of a report's name that is none of ours: it would be overwritten."""
    for name in ("report.json", "old.json", "new.json", *FORMATS):
        path = folder / name
        try:
            foreign = os.path.lexists(path) and not _is_ours(path)
        except OSError as error:
            raise UsageError(
                f"--mailu-report: {path} cannot be read: {error.strerror}", "Name another folder for the reports."
            ) from error
        if foreign:
            raise UsageError(
                f"--mailu-report: {path} is no report of pytest-mailu, and would be overwritten",
                "Name another folder for the reports, or move the file away.",
            )


def try_out(folder: Path) -> None:
    """Raise UsageError where the folder cannot be written: a run of an hour must not end without its reports.

    Nothing stays of the try: a run that ends before it has asked anything leaves no folder.
    """
    missing: list[Path] = []
    try:
        missing += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"the reports cannot be written to {folder}: {error.strerror}", "Name another folder.")


def _is_ours(path: Path) -> bool:
    """Whether a file may be overwritten: it is empty, or a report or recording of ours."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        content = file.read(_LOOKED_AT)
    if path.suffix == ".json":
        return not content or re.match(rb'\s*\{\s*"schema":\s*\d+,\s*"(decision|matrix)":', content) is not None
    return not content or MARK.encode() in content


def write(
    folder: Path, report: Report, comparisons: Sequence[Comparison], recordings: tuple[Recording, Recording]
) -> None:
    """Write `report.json`, `old.json`, `new.json` and all `FORMATS`; make the folder where it is missing.

    Raises UsageError where a file cannot be written, or one that is none of ours would be overwritten.
    """
    check(folder)
    old, new = recordings
    view = ReportView(report, comparisons)
    # The facts first: the other formats can be made again from them.
    makers: dict[str, Callable[[], str]] = {
        "report.json": partial(jsonio.dumps, report),
        "old.json": partial(jsonio.dumps, old),
        "new.json": partial(jsonio.dumps, new),
        **{name: partial(render, view) for name, render in FORMATS.items()},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, make in makers.items():
            _replace(folder / name, make())
    except OSError as error:
        raise _unwritable(folder, error) from error


_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _replace(path: Path, text: str) -> None:
    """Writes a file that its owner alone can read, beside the old one, and then puts it in its place."""
    # UTF-8 cannot carry half a surrogate pair: its name stands in its place, in JSON as text (`\\ud800`), which is read
    # back as that text.
    content = _SURROGATE.sub(lambda half: f"\\\\u{ord(half[0]):x}", text).encode()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
