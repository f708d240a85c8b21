"""Findings of one root, told as one, with a headline that a person understands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_mailu.core.model import CauseKind, Finding, Observation, Outcome, Severity, Stage, Verdict
from pytest_mailu.core.text import safe
from pytest_mailu.reports import words

_PHRASES = {
    Outcome.NOT_OFFERED: "Not offered",
    Outcome.UNREACHABLE: "Out of reach",
    Outcome.UNANSWERED: "No answer",
    Outcome.REFUSED: "Refused",
    Outcome.DEFERRED: "Put off",
    Outcome.LOST: "Accepted, then lost",
    Outcome.ALTERED: "Arrives altered",
    Outcome.AUTH_FAILED: "Login fails",
    Outcome.TLS_FAILED: "TLS fails",
    Outcome.ACCEPTED: "Accepted",
    Outcome.DELIVERED: "Delivered",
}
_FAMILIES = {"tls": "TLS"}
"""Families whose name is not capitalized as a word."""


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that share a root; the first one is the worst."""

    root: str
    findings: tuple[Finding, ...]

    @property
    def lead(self) -> Finding:
        """The finding that speaks for all."""
        return self.findings[0]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return self.lead.verdict

    @property
    def severity(self) -> Severity:
        """The worst severity among the findings of the worst verdict."""
        order = list(Severity)
        return min((finding.severity for finding in self.findings if finding.verdict is self.verdict), key=order.index)

    @property
    def counts(self) -> str:
        """`14 regressed, 2 changed`."""
        by = {verdict: sum(finding.verdict is verdict for finding in self.findings) for verdict in words.VERDICTS}
        return ", ".join(f"{number} {verdict}" for verdict, number in by.items() if number)

    @property
    def headline(self) -> str:
        """The root in people's words."""
        known = self.lead.cause.kind is CauseKind.KNOWN
        ended = self.lead.cause.kind in (CauseKind.PORT_CLOSED, CauseKind.END)
        match self.verdict:
            case Verdict.INCONCLUSIVE:
                text = f"Could not be asked{_why(self.lead)}"
            case Verdict.UNSTABLE:
                text = f"No steady answer{_why(self.lead)}"
            case Verdict.CHANGED | Verdict.GAINED if known:
                text = safe(self.root)
            case _ if known and (self.lead.family == "settings" or words.works_less_well(self.lead)):
                # What files mean, or what is only worse, has ended nowhere.
                text = safe(self._title or self.root)
            case Verdict.REGRESSED if known and self._title and not _closed(self.lead.new):
                # How a known change ended says less than what to do about it.
                text = safe(self._title)
            case Verdict.GAINED:
                text = self._gained()
            case Verdict.CHANGED | Verdict.REGRESSED if not ended and not known:
                text = self._changed()
            case verdict:
                text = self._ended(self.lead.new, "on both sides" if verdict is Verdict.BROKEN else "on the new side")
        return text

    @property
    def _title(self) -> str:
        """What to do in a line, where it is known."""
        return next((advice.title for advice in self.lead.advice if advice.title), "")

    def _places(self) -> str:
        worst = (finding.endpoint for finding in self.findings if finding.verdict is self.verdict)
        found = sorted({endpoint.port for endpoint in worst if endpoint is not None})
        if not found:
            return ""
        return f"port{'s' if len(found) > 1 else ''} {words.listing(found)}"

    def _ended(self, observation: Observation | None, where: str) -> str:
        places = self._places()
        if observation is None or observation.outcome is None:
            return f"Could not be asked {where}"
        if _closed(observation):
            if not places:
                return f"A port is closed {where}"
            return f"{places.capitalize()} {'are' if ' and ' in places else 'is'} closed {where}"
        stage = words.STAGES.get(observation.stage, observation.stage)
        on = f" on {places}" if places else ""
        searched = (observation.outcome, observation.stage) == (Outcome.LOST, Stage.COMMAND)
        ended = "Nothing found" if searched else f"{_PHRASES[observation.outcome]} at {stage}"
        text = f"{ended}{on} {where}"
        said = words.reply(observation.reply)
        return f"{text}: {said}" if said and len(self.findings) == 1 else f"{text}{_codes(observation)}"

    def _gained(self) -> str:
        places = self._places()
        if _closed(self.lead.old) and places:
            return f"{places.capitalize()} {'are' if ' and ' in places else 'is'} newly served"
        return f"Works now{f' on {places}' if places else ''}; old: {words.end(self.lead.old)}"

    def _changed(self) -> str:
        if self._title:
            return safe(self._title)
        if len(self.findings) == 1:
            return f"{safe(self.lead.title)}: {words.in_brief(self.lead)}"
        found = dict.fromkeys(words.path(path) for finding in self.findings for path in finding.cause.paths)
        names = list(found)
        shown = words.listing([*names[:3], f"{len(names) - 3} more"] if len(names) > 4 else names)
        family = _FAMILIES.get(self.lead.family, safe(self.lead.family).capitalize())
        if self.verdict is Verdict.REGRESSED:
            return f"{family}: {shown or 'details'} worse on the new side"
        return f"{family}: {shown or 'details'} {'differs' if len(names) == 1 else 'differ'}"


def groups(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """Findings by root, in the order they come in (worst first, as `pytest_mailu.judging.findings` sorts them)."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.root, []).append(finding)
    return tuple(Group(root, tuple(members)) for root, members in found.items())


def firsts(findings: Sequence[Finding], number: int) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings to tell in full, at most `number`: one for everybody who is hit; and all the others."""
    hit: dict[str, Finding] = {}
    for finding in findings:
        hit.setdefault(finding.breaks, finding)
    told = tuple(hit.values())[:number]
    shown = {finding.behaviour for finding in told}
    return told, tuple(finding for finding in findings if finding.behaviour not in shown)


def _why(finding: Finding) -> str:
    if finding.why is None:
        return ": no reason given"
    return f" on the {finding.why.side} side: {safe(finding.why.detail)}"


def _closed(observation: Observation | None) -> bool:
    return observation is not None and observation.outcome is Outcome.UNREACHABLE and observation.stage is Stage.CONNECT


def _codes(observation: Observation) -> str:
    said = observation.reply
    codes = f"{said.code} {said.enhanced}".strip() if said is not None else ""
    return f": {safe(codes)}" if codes else ""
