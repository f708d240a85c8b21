"""The same words in every report: what an observation, a difference, a decision means to a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_mailu.core.model import Decision, Difference, Finding, Observation, Outcome, Reply, Report, Stage, Verdict
from pytest_mailu.core.text import safe
from pytest_mailu.judging.decision import stops
from pytest_mailu.judging.judge import UNCERTAIN

DECISIONS = {
    Decision.GO: "GO",
    Decision.GO_WITH_WAIVERS: "GO WITH WAIVERS",
    Decision.NO_GO: "NO-GO",
    Decision.CANNOT_TELL: "CANNOT TELL",
}

STAGES = {
    Stage.TLS: "TLS",
    Stage.AUTH: "login",
    Stage.EHLO: "EHLO",
    Stage.MAIL: "MAIL",
    Stage.RCPT: "RCPT",
    Stage.DATA: "DATA",
}
"""Stages whose name in a conversation differs from their name in JSON."""

VERDICTS = (
    Verdict.REGRESSED,
    Verdict.UNSTABLE,
    Verdict.INCONCLUSIVE,
    Verdict.CHANGED,
    Verdict.GAINED,
    Verdict.BROKEN,
    Verdict.SAME,
    Verdict.ABSENT,
)
"""Worst first."""


MEANINGS = {
    Verdict.REGRESSED: "works on old and fails on new",
    Verdict.UNSTABLE: "a side differs from itself",
    Verdict.INCONCLUSIVE: "could not be compared",
    Verdict.CHANGED: "works on both, with differences",
    Verdict.GAINED: "works only on new",
    Verdict.BROKEN: "fails on both",
}

LONGEST = 2000
"""Characters of one text of a server in a report; recordings and report.json have all that was read."""


def cut(text: str, limit: int = LONGEST) -> str:
    """The text, or its beginning with a mark that says how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]} … [{len(text) - limit} characters left out]"


_PIECES = re.compile(r"(?P<address>https://[^\s<>\"'()\\]+[^\s<>\"'()\\.,;:])|`(?P<code>[^`]+)`")


def pieces(text: str) -> tuple[tuple[str, str], ...]:
    """A text of ours in pieces, each with what it is: `address` (may be followed: https alone), `code`, or `text`."""
    whole, begin = safe(text), 0
    found: list[tuple[str, str]] = []
    for match in _PIECES.finditer(whole):
        kind = str(match.lastgroup)
        found += [(whole[begin : match.start()], "text"), (match[kind], kind)]
        begin = match.end()
    return tuple((piece, kind) for piece, kind in (*found, (whole[begin:], "text")) if piece)


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 finding`, `2 findings`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def listing(words: Sequence[object]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = [str(word) for word in words] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def duration(seconds: float) -> str:
    """`48 s`, `3 min 12 s`, `1 h 2 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def reply(said: Reply | None) -> str:
    """A reply as the server wrote it, on one line."""
    if said is None:
        return ""
    enhanced = said.enhanced
    if enhanced and not enhanced[0].isdigit():
        enhanced = f"[{enhanced}]"
    text = said.text.removeprefix(said.enhanced).strip() if said.enhanced else said.text
    return safe(cut(" ".join(part for part in (said.code, enhanced, text) if part)))


_PLAIN = {(Outcome.DELIVERED, Stage.DELIVERY), (Outcome.AUTH_FAILED, Stage.AUTH)}
"""Ends whose stage needs no word."""
_PORT = {"accepted": "open", "unreachable": "closed"}
"""What the check of files says of a port."""


def end(observation: Observation | None) -> str:
    """What one side did, in a few words: `refused at RCPT`."""
    if observation is None:
        return "not recorded"
    outcome, stage = observation.outcome, observation.stage
    if outcome is None:
        return safe(f"could not be asked: {cut(observation.trouble)}" if observation.trouble else "could not be asked")
    if stage is Stage.CONNECT and outcome is Outcome.UNREACHABLE:
        return "port closed"
    if stage is Stage.COMMAND and outcome is Outcome.LOST:
        return "nothing found"
    words = str(outcome).replace("-", " ")
    if stage is Stage.SETTINGS or (outcome, stage) in _PLAIN:
        return words
    return f"{words} at {STAGES.get(stage, stage)}"


def value(what: Any) -> str:
    """One value of a fact."""
    if what is True:
        return "yes"
    if what is False:
        return "no"
    return "nothing" if what is None or what == "" else safe(cut(str(what)))


def path(of: str) -> str:
    """A difference's path as people say it: `facts.reply_text` is `reply text`."""
    return safe(of.removeprefix("facts.").replace("_", " ").replace("reply.", "reply "))


def differences(found: Iterable[Difference]) -> tuple[str, ...]:
    """Differences in short, members of one list together: `ehlo: −ETRN +BURL`, `greeting: a → b`."""
    lists: dict[str, list[str]] = {}
    plain: list[str] = []
    for difference in found:
        base, bracket, member = difference.path.partition("[")
        if bracket and member.endswith("]") and difference.kind in ("added", "removed"):
            sign = "+" if difference.kind == "added" else "−"
            lists.setdefault(path(base), []).append(f"{sign}{safe(member[:-1])}")
        elif difference.kind == "added":
            plain.append(f"{path(difference.path)}: new, {value(difference.new)}")
        elif difference.kind == "removed":
            plain.append(f"{path(difference.path)}: gone, was {value(difference.old)}")
        else:
            plain.append(f"{path(difference.path)}: {value(difference.old)} → {value(difference.new)}")
    return (*plain, *(f"{name}: {' '.join(members)}" for name, members in lists.items()))


def beyond(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that the outcome, the stage and the reply do not show already."""
    shown = {"outcome", "stage", "reply.code", "reply.enhanced", "reply.text"}
    return tuple(difference for difference in found if difference.path not in shown)


def in_brief(finding: Finding) -> str:
    """What became of one finding's behaviour, on one line."""
    old, new = end(finding.old), end(finding.new)
    if finding.behaviour.startswith("settings/ports/"):
        old, new = _PORT.get(old, old), _PORT.get(new, new)
    if finding.verdict is Verdict.BROKEN:
        return f"{new} on both sides" if old == new else f"{old} → {new}"
    if finding.verdict is Verdict.INCONCLUSIVE and finding.why:
        return safe(finding.why)
    if old != new:
        return f"{old} → {new}"
    return " · ".join(differences(finding.differences)) or safe(finding.why or "")


def sentence(report: Report) -> str:
    """The decision in one sentence, for somebody who reads nothing else."""
    stopping = [finding for finding in report.findings if stops(finding, report.fail_on)]
    open_ = [finding for finding in stopping if finding.waiver is None]
    lost = [finding for finding in open_ if finding.verdict is Verdict.REGRESSED]
    unclear = sum(finding.verdict in UNCERTAIN for finding in open_)
    waived = len(stopping) - len(open_)
    new = safe(report.new.release)
    compared = count(sum(report.counts.values()), "behaviour")
    small = _small(report)
    larger = "larger " if small else ""
    match report.decision:
        case Decision.GO if small:
            text = f"{small}; no larger regression in {compared}."
        case Decision.GO:
            text = f"No regressions in {compared}."
        case Decision.GO_WITH_WAIVERS:
            text = f"All {larger}regressions are waived: {count(waived, 'finding')}."
        case Decision.NO_GO if lost:
            text = _lost(lost)
            if others := len(open_) - unclear - len(lost):
                text += f" {others} more {'differs' if others == 1 else 'differ'}."
            if small:
                text = f"{text[:-1]}; {small}."
        case Decision.NO_GO:
            number = len(open_) - unclear
            text = f"{count(number, 'behaviour')} {'differs' if number == 1 else 'differ'} on {new}."
        case Decision.CANNOT_TELL if report.gaps:
            text = " ".join(report.gaps)
        case Decision.CANNOT_TELL if unclear:
            text = f"{unclear} inconclusive or unstable; no {larger}regression seen."
        case Decision.CANNOT_TELL:
            text = f"The run ended before everything was compared; no {larger}regression seen so far."
    return text


def works_less_well(finding: Finding) -> bool:
    """Whether a regression left the outcome as it was: only facts that serve people are lost."""
    old, new = finding.old, finding.new
    return old is not None and new is not None and (old.outcome, old.stage) == (new.outcome, new.stage)


def _lost(lost: Sequence[Finding]) -> str:
    """How many regressions stop the upgrade, and of how many causes."""
    causes = count(len({finding.root for finding in lost}), "cause")
    return f"{count(len(lost), 'regression')} {'stops' if len(lost) == 1 else 'stop'} the upgrade ({causes})."


def small_regressions(findings: Iterable[Finding]) -> str:
    """`26 minor regressions`, of regressions that are too small to stop the upgrade; empty where there are none."""
    severities = [str(finding.severity) for finding in findings]
    return count(len(severities), f"{listing(list(dict.fromkeys(severities)))} regression") if severities else ""


def _small(report: Report) -> str:
    return small_regressions(
        finding
        for finding in report.findings
        if finding.verdict is Verdict.REGRESSED and finding.waiver is None and not stops(finding, report.fail_on)
    )


def is_good(decision: Decision) -> bool:
    """Whether a decision lets the upgrade go."""
    return decision in (Decision.GO, Decision.GO_WITH_WAIVERS)


def counts(report: Report) -> tuple[str, ...]:
    """`9 regressed (1 waived)` and so on: the verdicts that occurred, worst first."""
    told = []
    for verdict in VERDICTS:
        waived = sum(finding.verdict is verdict and finding.waiver is not None for finding in report.findings)
        if number := report.counts.get(verdict, 0):
            told.append(f"{number} {verdict}{f' ({waived} waived)' if waived else ''}")
    return tuple(told)
