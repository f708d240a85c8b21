"""A report for somebody at a terminal: the details first where they are asked for, and last a summary of 20 lines."""

from __future__ import annotations

from pytest_mailu.core.model import Report
from pytest_mailu.reports.terminal.details import details
from pytest_mailu.reports.terminal.page import Line, Page, Span
from pytest_mailu.reports.terminal.summary import SUMMARY, summary
from pytest_mailu.reports.view import ReportView

__all__ = ["SUMMARY", "Line", "Span", "lines"]


def lines(report: Report, width: int = 80, directory: str = "", verbosity: int = 0) -> list[Line]:
    """The report as lines of at most `width` columns (at least 40 are taken).

    `directory` is where the other reports were written, or "" where they were not. `verbosity` is pytest's: with -v the
    details stand before the summary, with -q the things to do are only counted.
    """
    page, view = Page(max(width, 40), directory), ReportView(report)
    if verbosity < 0:
        return list(summary(view, page, with_todos=False))
    return [*(details(view, page) if verbosity > 0 else ()), *summary(view, page)]
