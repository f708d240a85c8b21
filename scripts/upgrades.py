"""Prints what each upgrade changes, from the shipped recordings: the page docs/upgrades.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.errors import MailuError
from pytest_mailu.core.model import Finding, Report, Verdict
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.shipped import shipped
from pytest_mailu.running.whole_run import compare_sides

HEAD = """\
# What each upgrade changes

Made by `python -m tests.pages` from the recordings that are shipped; a test sees that it is up to date. They were
made with the settings that Mailu's own setup gives, so this is what an administrator meets who changed nothing.
"Observed" counts the behaviours that both sides answered. "Gained" is what works on the new side only: what is mended
there, and what is new.
"""
UNANSWERED = (Verdict.INCONCLUSIVE, Verdict.UNSTABLE)


def report(old: str, new: str) -> Report:
    """The comparison of two recordings, over every behaviour that they hold."""
    matrix = built_in()
    plan = Plan(side_spec(old), side_spec(new))
    made, _ = compare_sides(plan, matrix)
    return made


def page(reports: Iterable[Report]) -> str:
    """The whole page as Markdown."""
    several = list(reports)
    heads = ["upgrade", "decision", "observed", *map(str, Verdict)]
    rows = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *map(_row, several)]
    return "\n".join([HEAD, *rows, *(line for one in several for line in _told(one))]) + "\n"


def _row(one: Report) -> str:
    observed = sum(one.counts.values()) - sum(one.counts.get(verdict, 0) for verdict in UNANSWERED)
    cells = [
        f"{one.old.version or one.old.release} → {one.new.version or one.new.release}",
        str(one.decision).upper(),
        observed,
    ]
    return f"| {' | '.join(map(str, [*cells, *(one.counts.get(verdict, 0) for verdict in Verdict)]))} |"


def _told(one: Report) -> Iterable[str]:
    """What is regressed, gained and changed, cause by cause, each with its explanation and its source."""
    yield f"\n## {one.old.release} → {one.new.release}"
    for verdict in (Verdict.REGRESSED, Verdict.GAINED, Verdict.CHANGED):
        of_it = sorted((f for f in one.findings if f.verdict is verdict), key=lambda f: (_why(f), f.behaviour))
        if not of_it:
            continue
        yield f"\n### {verdict.capitalize()} ({len(of_it)})\n"
        for why, members in groupby(of_it, key=_why):
            yield f"* {', '.join(f'`{finding.behaviour}`' for finding in members)}  \n  {why}"


def _why(finding: Finding) -> str:
    told = [f"{entry.cause} ({entry.source})" for entry in finding.advice]
    return " ".join(told) or f"not explained; it rests on: {finding.source}"


def in_order() -> list[str]:
    """The shipped recordings, oldest first, as sides are named."""
    return [f"recorded:{release}" for release in sorted(shipped(), key=Release.parse)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the page; exit status 2 where a recording cannot be read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "recording", nargs="*", help="a further recording, such as one of master: compared with the newest shipped one"
    )
    sides = in_order()
    pairs = [*pairwise(sides), *((sides[-1], path) for path in parser.parse_args(arguments).recording)]
    try:
        print(page(report(*pair) for pair in pairs), end="")
    except MailuError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
