"""The folder of `--mailu-report`: every format of the report, and both recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_mailu.core import serialization as jsonio
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Comparison, Recording, Report
from pytest_mailu.reports import html, markdown


def write(
    folder: Path, report: Report, comparisons: Sequence[Comparison], recordings: tuple[Recording, Recording]
) -> None:
    """Write `report.json`, `.html` and `.md`, `old.json` and `new.json`; the folder is made where it is missing."""
    old, new = recordings
    # The facts first: what is made from them may be made again.
    makers: dict[str, Callable[[], str]] = {
        "report.json": lambda: jsonio.dumps(report),
        "old.json": lambda: jsonio.dumps(old),
        "new.json": lambda: jsonio.dumps(new),
        "report.html": lambda: html.render(report, comparisons),
        "report.md": lambda: markdown.render(report),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, make in makers.items():
            # What UTF-8 cannot carry (half a surrogate pair) becomes an escape, which JSON reads back.
            (folder / name).write_text(make(), "utf-8", "backslashreplace")
    except OSError as error:
        raise UsageError(
            f"the reports cannot be written to {folder}: {error.strerror}", "Name another folder."
        ) from error
