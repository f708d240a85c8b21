"""A report as one HTML file that needs nothing else, runs nothing a server said, and can be printed.

Jinja2 escapes every value; the page's own style and script are let through by their hashes
(Content Security Policy Level 3, section 2.3.1), so that nothing else could run even if it got in.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_mailu.core.model import Finding, RunInfo, SideInfo
from pytest_mailu.core.text import safe, visible
from pytest_mailu.reports import atlas, sidebyside, words
from pytest_mailu.reports.view import ReportView, total


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of both sides; None where a side does not have it. `replaced`: the user had something else."""

    name: str
    old: str | None
    new: str | None
    replaced: bool


MOST_TODOS = 12
"""How many to-dos are open to the eye: nobody reads a longer list. The others are folded."""


def render(view: ReportView) -> str:
    """The page. The map shows everything compared where the view has it, and the findings alone where not."""
    report = view.report
    style, script = _static("report.css"), _static("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            MOST_TODOS=MOST_TODOS,
            report=report,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=_policy(style, script),
            words=words,
            contents=_contents(view),
            made=_made(report.run),
            quiet={group.root for group in view.quiet},
            calm=total(group for group in view.everything if group.root in {each.root for each in view.quiet}),
            atlas=atlas,
            numbers={finding.behaviour: number for number, finding in enumerate(report.findings, 1)},
            talk=_talk,
            replies=_replies,
            beyond=words.beyond,
            pieces=words.pieces,
            anchors={group.root: number for number, group in enumerate(view.everything, 1)},
            spots=atlas.spots(view.comparisons, report.findings),
            services=sorted({*report.old.images, *report.new.images}),
            settings=_settings(report.old, report.new),
        )
    )


def _contents(view: ReportView) -> list[tuple[str, str]]:
    parts = [
        ("blockers", f"Fix before ({len(view.blockers)})", bool(view.blockers)),
        ("in-place", "In place", bool(view.in_place)),
        ("todo", f"To do ({len(view.todos)})", bool(view.todos)),
        ("findings", f"Findings ({len(view.report.findings)})", bool(view.report.findings)),
        ("ports", "Ports", bool(view.comparisons or view.report.findings)),
        ("map", "Map", bool(view.comparisons or view.report.findings)),
        ("sides", "What was compared", True),
    ]
    return [(anchor, name) for anchor, name, there in parts if there]


def _made(run: RunInfo) -> list[tuple[str, str]]:
    made = [("Made", run.date), ("by pytest-mailu", run.plugin), ("with", run.command)]
    return [(name, text) for name, text in (*made, ("settings from", ", ".join(run.files))) if text]


def _talk(finding: Finding) -> tuple[sidebyside.Row, ...]:
    old = finding.old.transcript if finding.old is not None else ()
    new = finding.new.transcript if finding.new is not None else ()
    return sidebyside.rows(old, new)


def _replies(finding: Finding) -> tuple[sidebyside.Marked, sidebyside.Marked]:
    old, new = (words.cut(words.reply(side.reply)) if side is not None else "" for side in (finding.old, finding.new))
    return sidebyside.marked(old, new)


def _settings(old: SideInfo, new: SideInfo) -> list[Setting]:
    names = sorted({*old.settings, *new.settings, *old.replaced, *new.replaced})
    return [
        Setting(
            name,
            old.replaced.get(name, old.settings.get(name)),
            new.replaced.get(name, new.settings.get(name)),
            name in old.replaced or name in new.replaced,
        )
        for name in names
    ]


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere, but the one style and the one script of the page itself."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _static(name: str) -> str:
    return (files("pytest_mailu.reports") / "template" / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pytest_mailu.reports", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["safely"] = safe
    environment.filters["cut"] = lambda text: words.cut(str(text))
    environment.filters["visible"] = visible
    environment.filters["lines"] = lambda text: "\n".join(map(visible, text.split("\n")))
    return environment
