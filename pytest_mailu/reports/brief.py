"""One finding in a few lines, for the place where pytest shows a failure."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.model import CauseKind, Finding, Observation
from pytest_mailu.core.text import safe
from pytest_mailu.judging.judge import FAILURES, SETTINGS, UNCERTAIN
from pytest_mailu.reports import words
from pytest_mailu.reports.textwidth import clip

LONGEST = 240
"""Columns of what differs; report.html has all of it."""


def brief(finding: Finding) -> str:
    """What it is, who is hit, what each side did, how to ask it by hand.

    A cure for many stands in the summary, once; that of a line in the settings stands here, too.
    """
    lines = [safe(finding.title)]
    if finding.why and finding.verdict in UNCERTAIN:
        lines.append(f"  {safe(finding.why)}")
    else:
        lines += [f"  {safe(finding.means)}"] if finding.means else []
        lines += _sides(finding)
        lines += [
            f"  fails: {safe(each.old)} on old, {safe(each.new)} on new"
            for each in finding.differences
            if each.path == FAILURES
        ]
    if finding.cause.kind is CauseKind.KNOWN:
        lines.append(f"  cause: {safe(finding.root)}")
    if finding.cause.kind is not CauseKind.KNOWN or finding.family == SETTINGS:
        for advice in finding.advice:
            lines += [f"  → {safe(advice.remedy)}", *(f"    {safe(line)}" for line in advice.paste.splitlines())]
    if finding.reproduce:
        lines.append(f"  by hand: {safe(finding.reproduce)}")
    if finding.waiver is not None:
        lines.append(f"  waived: {safe(finding.waiver.reason)}")
    return "\n".join(lines)


def _sides(finding: Finding) -> Iterator[str]:
    """How each side ended; what differs beyond that, where they ended alike."""
    old, new = _end(finding.old), _end(finding.new)
    if old == new:
        yield f"  both sides: {old}"
    else:
        yield from (f"  old: {old}", f"  new: {new}")
    differs = [each for each in words.beyond(finding.differences) if each.path != FAILURES]
    if differs and words.end(finding.old) == words.end(finding.new):
        yield f"  differs: {clip(' · '.join(words.differences(differs)), LONGEST)}"


def _end(observation: Observation | None) -> str:
    said = words.reply(observation.reply) if observation is not None else ""
    return words.end(observation) + (f": {said}" if said else "")
