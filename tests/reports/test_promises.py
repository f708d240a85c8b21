"""Runs that are cut off, forged, partial or failing: no report promises more than the run has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from pytest_mailu.behaviours import Matrix, built_in
from pytest_mailu.core.model import Decision, Observation, Outcome, Recording, Report, Stage
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.serialization import dumps, read_recording
from pytest_mailu.reports import github, terminal
from pytest_mailu.reports.folder import FORMATS
from pytest_mailu.reports.view import ReportView
from pytest_mailu.running.whole_run import compare_sides

ROOT = Path(__file__).parents[2]
GOOD = read_recording(ROOT / "recordings" / "2.0.43.json")
FAMILIES = ("inbound/", "mailbox/993/search/", "tls/465-tls/", "submission/465-tls/")
BEHAVIOURS = [
    behaviour for behaviour in built_in() if behaviour.id.startswith(FAMILIES) and behaviour.id in GOOD.observations
]

Observations: TypeAlias = Mapping[str, tuple[Observation, ...]]
Change: TypeAlias = Callable[[Observations], Observations]


def every(attempt: Observation) -> Change:
    return lambda observations: dict.fromkeys(observations, (attempt,))


def only(part: Callable[[str], bool], change: Change) -> Change:
    """The change for some ids, the rest as it was."""
    return lambda observations: {
        id_: change({id_: made})[id_] if part(id_) and id_ in change({id_: made}) else made
        for id_, made in observations.items()
        if not part(id_) or change({id_: made})
    }


def nothing(observations: Observations) -> Observations:
    return {}


def as_it_was(observations: Observations) -> Observations:
    return observations


def half(id_: str) -> bool:
    return hash(id_.encode()[-1]) % 2 == 0


def family(name: str) -> Callable[[str], bool]:
    return lambda id_: id_.startswith(f"{name}/")


DOWN = every(Observation(Outcome.UNREACHABLE, Stage.CONNECT))
SILENT = every(Observation(Outcome.UNANSWERED, Stage.GREETING))
UNASKED = every(Observation(None, Stage.CONNECT, trouble="no engine"))
REFUSED = every(Observation(Outcome.REFUSED, Stage.MAIL))
ABSENT = every(Observation(Outcome.NOT_OFFERED, Stage.EHLO))
LOST = every(Observation(Outcome.LOST, Stage.DELIVERY))

RUNS = {
    "both down": (DOWN, DOWN),
    "both silent": (SILENT, SILENT),
    "both unasked": (UNASKED, UNASKED),
    "both refuse everything": (REFUSED, REFUSED),
    "both offer nothing": (ABSENT, ABSENT),
    "both lose everything": (LOST, LOST),
    "old down": (DOWN, as_it_was),
    "old silent": (SILENT, as_it_was),
    "old unasked": (UNASKED, as_it_was),
    "old loses everything": (LOST, as_it_was),
    "old empty": (nothing, as_it_was),
    "both empty": (nothing, nothing),
    "new down": (as_it_was, DOWN),
    "new silent": (as_it_was, SILENT),
    "new unasked": (as_it_was, UNASKED),
    "new empty": (as_it_was, nothing),
    "old half empty": (only(half, nothing), as_it_was),
    "new half empty": (as_it_was, only(half, nothing)),
    "new half unasked": (as_it_was, only(half, UNASKED)),
    "one family down on both": (only(family("inbound"), DOWN), only(family("inbound"), DOWN)),
    "one family silent on both": (only(family("mailbox"), SILENT), only(family("mailbox"), SILENT)),
    "one family lost on both": (only(family("submission"), LOST), only(family("submission"), LOST)),
    "one family unasked on new": (as_it_was, only(family("tls"), UNASKED)),
    "one family absent on both": (only(family("tls"), ABSENT), only(family("tls"), ABSENT)),
    "old forged: empty lists": (lambda observations: dict.fromkeys(observations, ()), as_it_was),
}


def run(folder: Path, old: Change, new: Change, waivers: str = "") -> Report:
    asked = {behaviour.id: GOOD.observations[behaviour.id] for behaviour in BEHAVIOURS}
    for name, change in (("old", old), ("new", new)):
        recording: Recording = replace(GOOD, observations=change(asked), behaviours=tuple(asked))
        (folder / f"{name}.json").write_text(dumps(recording), "utf-8")
    file = None
    if waivers:
        file = folder / "waivers.toml"
        file.write_text(waivers, "utf-8")
    plan = Plan(side_spec(str(folder / "old.json")), side_spec(str(folder / "new.json")), waivers=file)
    report, _ = compare_sides(plan, Matrix(BEHAVIOURS))
    return report


def told(report: Report) -> list[str]:
    view = ReportView(report)
    lines = ["".join(span.text for span in line) for line in terminal.lines(report, 80)]
    return ["\n".join(lines), *(render(view) for render in FORMATS.values()), "\n".join(github.commands(report))]


def test_the_same_against_itself_is_go(tmp_path: Path) -> None:
    report = run(tmp_path, as_it_was, as_it_was)
    assert report.decision is Decision.GO
    assert not report.gaps


@pytest.mark.parametrize(("old", "new"), RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("waivers", ["", '[[waiver]]\nbehaviour = "*"\nreason = "whatever"\n'], ids=["", "waived"])
def test_no_run_promises_more_than_it_saw(tmp_path: Path, old: Change, new: Change, waivers: str) -> None:
    report = run(tmp_path, old, new, waivers)
    assert report.decision in (Decision.NO_GO, Decision.CANNOT_TELL), report.decision
    for text in told(report):
        assert "NO-GO" in text or "CANNOT TELL" in text
        assert "No regressions" not in text
        assert "All regressions are waived" not in text


@pytest.mark.parametrize("number", [1, 5])
def test_a_part_that_works_is_go_for_that_part(tmp_path: Path, number: int) -> None:
    chosen = BEHAVIOURS[:number]
    recording = replace(GOOD, observations={each.id: GOOD.observations[each.id] for each in chosen})
    for name in ("old", "new"):
        (tmp_path / f"{name}.json").write_text(dumps(recording), "utf-8")
    plan = Plan(side_spec(str(tmp_path / "old.json")), side_spec(str(tmp_path / "new.json")))
    report, _ = compare_sides(plan, Matrix(BEHAVIOURS), chosen)
    for text in told(report):
        assert f"GO for {number} of {len(BEHAVIOURS)}" in text
