"""One finding in a few lines, for the place where pytest shows a failure."""

from __future__ import annotations

from pytest_mailu.core.model import CauseKind, Finding
from pytest_mailu.core.text import safe
from pytest_mailu.judging.judge import UNCERTAIN
from pytest_mailu.reports import words

SETTINGS = "settings"
"""The family of the checks of a deployment's files: each has a cure of its own."""


def brief(finding: Finding) -> str:
    """What it is, who is hit, what each side did, how to ask it by hand.

    A cure for many stands in the summary, once; that of a line in the settings stands here, too.
    """
    lines = [safe(finding.title)]
    if finding.why and finding.verdict in UNCERTAIN:
        lines.append(f"  {safe(finding.why)}")
    else:
        lines += [f"  {safe(finding.means)}"] if finding.means else []
        for side, observation in (("old", finding.old), ("new", finding.new)):
            said = words.reply(observation.reply) if observation is not None else ""
            lines.append(f"  {side}: {words.end(observation)}" + (f": {said}" if said else ""))
        lines += [
            f"  fails: {safe(each.old)} on old, {safe(each.new)} on new"
            for each in finding.differences
            if each.path == "failures"
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
