"""A report inside GitHub Actions: annotations on the run, and the step's summary.

Sources: GitHub's "Workflow commands for GitHub Actions" and, for the escapes, actions/toolkit
packages/core/src/command.ts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from pytest_mailu.core.model import Decision, Report
from pytest_mailu.core.text import safe
from pytest_mailu.judging.judge import UNCERTAIN
from pytest_mailu.reports import markdown
from pytest_mailu.reports.groups import Group
from pytest_mailu.reports.view import ReportView

SUMMARY_LIMIT = 1_000_000 // 4
"""Characters of a summary: GitHub takes 1 MiB, and a character has up to four bytes."""
SHOWN = 9
"""GitHub shows ten annotations of a kind for each step; the decision is one."""


def commands(report: Report) -> tuple[str, ...]:
    """Workflow commands: the decision, and one for each root that stops the upgrade."""
    view = ReportView(report)
    kind = {Decision.GO: "notice", Decision.GO_WITH_WAIVERS: "notice", Decision.NO_GO: "error"}
    decision = command(
        kind.get(report.decision, "warning"),
        view.title,
        view.sentence,
    )
    return (decision, *(_annotation(view, group) for group in view.blockers[:SHOWN]))


def _annotation(view: ReportView, group: Group) -> str:
    lines = [*view.hit(group)[:3], *(f"{advice.remedy} ({advice.source})" for advice in view.advice(group)[:2])]
    lines.append(
        f"mailu::{group.lead.behaviour}" + (f" and {len(group.findings) - 1} more" * (len(group.findings) > 1))
    )
    return command("warning" if group.verdict in UNCERTAIN else "error", group.headline, "\n".join(map(safe, lines)))


def command(kind: str, title: str, message: str) -> str:
    """One workflow command; neither text can end it or start another."""
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    name = safe(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={name}::{text}"


def summary(report: Report) -> str:
    """The step's summary in Markdown."""
    return markdown.render(ReportView(report), SUMMARY_LIMIT)


def write(report: Report, environ: Mapping[str, str], out: TextIO) -> None:
    """Tell GitHub where the environment says that it listens; anywhere else do nothing.

    Annotations go to `out`, which has to be the step's output; a summary that cannot be written becomes one of them.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return
    for line in commands(report):
        print(line, file=out)
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(summary(report))
        except OSError as error:
            print(command("warning", "no step summary", f"cannot write {path}: {error.strerror}"), file=out)
