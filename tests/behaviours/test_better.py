"""In which direction facts serve people: what is declared matches facts, and a loss is told as one."""

from __future__ import annotations

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Verdict
from pytest_mailu.core.releases import Release
from pytest_mailu.judging.compare import view
from pytest_mailu.judging.judge import judge, lost_facts
from pytest_mailu.sides.recording import load, shipped

RECORDINGS = [load(f"recorded:{name}") for name in sorted(shipped(), key=Release.parse)]
NOT_RECORDED = ("admin/api/",)
"""What the settings of the shipped recordings leave out."""


def test_every_glob_matches_a_fact_of_a_behaviour_that_declares_it() -> None:
    declared: dict[str, bool] = {}
    for made in built_in():
        if made.id.startswith(NOT_RECORDED):
            continue
        seen = [recording.observations.get(made.id, ()) for recording in RECORDINGS]
        paths = {path for attempts in seen for attempt in attempts for path in view(attempt)}
        for glob in made.question.directions if paths else ():
            found = any(matches(glob, path) or matches(glob, path.partition("[")[0]) for path in paths)
            declared[glob] = declared.get(glob, False) or found
    assert [glob for glob, found in declared.items() if not found] == []
    assert len(declared) > 30


def losses(old: int, new: int) -> dict[str, set[str]]:
    """What one shipped recording loses against another: behaviours that are regressed by a fact, with its paths."""
    found = {}
    for made in built_in():
        before, after = (RECORDINGS[index].observations.get(made.id, ()) for index in (old, new))
        if before and after:
            comparison = judge(made.question, before, after, made.volatile)
            lost = {difference.path for difference in lost_facts(made.question, comparison.differences)}
            if comparison.verdict is Verdict.REGRESSED and lost:
                found[made.id] = lost
    return found


def test_a_message_that_search_no_longer_finds_is_a_regression() -> None:
    """It was "changed, as wanted", with two ticks, on 2.0.43 → 2024.06.24."""
    names = [str(recording.side.release) for recording in RECORDINGS]
    found = losses(names.index("2.0.43"), names.index("2024.06.24"))
    assert found["mailbox/993/search/message-id"] == {"facts.found"}
    assert found["tls/993-tls/ciphers"] == {"facts.families.DHE-AESGCM"}


def test_no_recorded_release_loses_anything_against_itself() -> None:
    assert [losses(index, index) for index in range(len(RECORDINGS))] == [{}] * len(RECORDINGS)
