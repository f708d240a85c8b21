"""The map of a comparison: ports × TLS modes × operations, with old and new in each cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_mailu.core.endpoints import SERVICE_NAMES, Endpoint, Tls
from pytest_mailu.core.model import Comparison, Finding, Observation, Outcome, SideName, Stage, Verdict, Why
from pytest_mailu.reports import words

_ORDER = (Tls.NONE, Tls.OPPORTUNISTIC, Tls.STARTTLS, Tls.IMPLICIT)
"""The columns of one port."""


class State(StrEnum):
    """What one side did, at a glance; the value is the sign that stands for it."""

    WORKS = "✓"
    FAILS = "✕"
    ABSENT = "–"
    UNKNOWN = "?"
    UNSTEADY = "~"
    ANSWERED = "•"


MEANING = {
    State.WORKS: "as wanted",
    State.FAILS: "not as wanted",
    State.ABSENT: "not there",
    State.UNKNOWN: "could not be asked",
    State.UNSTEADY: "differs from itself",
    State.ANSWERED: "answered, nothing to compare with",
}


_STATES = {
    Verdict.SAME: (State.WORKS, State.WORKS),
    Verdict.CHANGED: (State.WORKS, State.WORKS),
    Verdict.REGRESSED: (State.WORKS, State.FAILS),
    Verdict.GAINED: (State.FAILS, State.WORKS),
    Verdict.BROKEN: (State.FAILS, State.FAILS),
    Verdict.ABSENT: (State.ABSENT, State.ABSENT),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """As much of a comparison or finding as the map needs."""

    behaviour: str
    family: str
    endpoint: Endpoint | None
    operation: str
    title: str
    verdict: Verdict
    old: Observation | None
    new: Observation | None
    why: Why | None
    waived: bool = False

    @property
    def states(self) -> tuple[State, State]:
        """Old and new at a glance."""
        if self.verdict is Verdict.INCONCLUSIVE:
            return _asked(self.old), _asked(self.new)
        if self.verdict is Verdict.UNSTABLE:
            unsteady_old = self.why is not None and self.why.side is SideName.OLD
            return (State.UNSTEADY, State.ANSWERED) if unsteady_old else (State.ANSWERED, State.UNSTEADY)
        old, new = _STATES[self.verdict]
        if self.verdict in (Verdict.SAME, Verdict.REGRESSED):
            return old, new
        return _there(self.old, old), _there(self.new, new)

    @property
    def words(self) -> str:
        """The cell in words, for a pointer that rests on it and for those who do not see it."""
        waived = ", waived" if self.waived else ""
        return f"{self.verdict}{waived}: old {words.end(self.old)}, new {words.end(self.new)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One operation: a cell, with any number of behaviours, for each endpoint of its sheet."""

    operation: str
    cells: tuple[tuple[Spot, ...], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One family: its endpoints across (None where there is none), its operations down."""

    family: str
    endpoints: tuple[Endpoint | None, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class PortSummary:
    """One port: whether anything answers there on each side, and what became of the behaviours asked there."""

    port: int
    modes: str
    old: str
    new: str
    counts: tuple[tuple[Verdict, int], ...]


def spots(comparisons: Sequence[Comparison], findings: Iterable[Finding]) -> tuple[Spot, ...]:
    """All that was asked; from the findings alone where the comparisons are not at hand."""
    found = {finding.behaviour: finding for finding in findings}
    if not comparisons:
        return tuple(
            Spot(
                f.behaviour,
                f.family,
                f.endpoint,
                f.operation,
                f.title,
                f.verdict,
                f.old,
                f.new,
                f.why,
                f.waiver is not None,
            )
            for f in found.values()
        )
    asked = []
    for comparison in comparisons:
        question = comparison.question
        finding = found.get(question.id)
        old, new = (attempts[-1] if attempts else None for attempts in (comparison.old, comparison.new))
        waived = finding is not None and finding.waiver is not None
        where = question.family, question.endpoint, question.operation
        asked.append(Spot(question.id, *where, question.title, comparison.verdict, old, new, comparison.why, waived))
    return tuple(asked)


def _spot_of(finding: Finding) -> Spot:
    return Spot(
        finding.behaviour,
        finding.family,
        finding.endpoint,
        finding.operation,
        finding.title,
        finding.verdict,
        finding.old,
        finding.new,
        finding.why,
        finding.waiver is not None,
    )


def sheets(asked: Iterable[Spot]) -> tuple[Sheet, ...]:
    """One sheet for each family, in the order they come in."""
    families: dict[str, list[Spot]] = {}
    for spot in asked:
        families.setdefault(spot.family, []).append(spot)
    return tuple(_sheet(family, members) for family, members in families.items())


def _sheet(family: str, members: Sequence[Spot]) -> Sheet:
    cells: dict[str, dict[Endpoint | None, list[Spot]]] = {}
    for spot in members:
        cells.setdefault(spot.operation or "is served", {}).setdefault(spot.endpoint, []).append(spot)
    endpoints = tuple(sorted({endpoint for row in cells.values() for endpoint in row}, key=_order))
    rows = tuple(
        Row(name, tuple(tuple(row.get(endpoint, ())) for endpoint in endpoints)) for name, row in cells.items()
    )
    return Sheet(family, endpoints, rows)


def ports(asked: Iterable[Spot]) -> tuple[PortSummary, ...]:
    """Every port that anything was asked on."""
    found: dict[int, list[Spot]] = {}
    for spot in asked:
        if spot.endpoint is not None:
            found.setdefault(spot.endpoint.port, []).append(spot)
    return tuple(_port(port, members) for port, members in sorted(found.items()))


def _port(port: int, members: Sequence[Spot]) -> PortSummary:
    endpoints = sorted({spot.endpoint for spot in members if spot.endpoint is not None}, key=_order)
    numbers = [(verdict, sum(spot.verdict is verdict for spot in members)) for verdict in words.VERDICTS]
    return PortSummary(
        port,
        ", ".join(endpoint.tls.words for endpoint in endpoints),
        _served(spot.old for spot in members),
        _served(spot.new for spot in members),
        tuple((verdict, number) for verdict, number in numbers if number),
    )


def service(port: int) -> str:
    """What people call a port."""
    return SERVICE_NAMES.get(port, "")


def _order(endpoint: Endpoint | None) -> tuple[int, int]:
    return (0, 0) if endpoint is None else (endpoint.port, _ORDER.index(endpoint.tls))


def _closed(observation: Observation) -> bool:
    return observation.outcome is Outcome.UNREACHABLE and observation.stage is Stage.CONNECT


def _served(observations: Iterable[Observation | None]) -> str:
    answered = [seen for seen in observations if seen is not None and seen.outcome is not None]
    if not answered:
        return "unknown"
    return "closed" if all(map(_closed, answered)) else "open"


def _there(observation: Observation | None, otherwise: State) -> State:
    gone = observation is not None and observation.outcome in (Outcome.UNREACHABLE, Outcome.NOT_OFFERED)
    return State.ABSENT if gone else otherwise


def _asked(observation: Observation | None) -> State:
    return State.UNKNOWN if observation is None or observation.outcome is None else State.ANSWERED
