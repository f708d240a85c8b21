"""The folder of `--mailu-report`: every format of the report, and both recordings."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
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


def write(
    folder: Path, report: Report, comparisons: Sequence[Comparison], recordings: tuple[Recording, Recording]
) -> None:
    """Write `report.json`, `old.json`, `new.json` and all `FORMATS`; make the folder where it is missing.

    Raises UsageError where a file cannot be written.
    """
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
        raise UsageError(
            f"the reports cannot be written to {folder}: {error.strerror}", "Name another folder."
        ) from error


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
