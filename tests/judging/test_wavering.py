"""The rule that settles wavering answers: what it decides, and how often it is wrong."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from pytest_mailu.core.model import Direction, Observation, Outcome, Question, Severity, Stage, Verdict
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.wavering import (
    AGREEING,
    ERROR,
    LOOKS,
    Failures,
    Settled,
    more_often,
    settled,
    upper_limit,
)

GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY)
LOST = Observation(Outcome.LOST, Stage.DELIVERY)
QUESTION = Question("a/993/x", "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR)


@pytest.mark.parametrize(
    ("failures", "result"),
    [
        (Failures(0, 40, 6, 40), Settled.REGRESSED),
        (Failures(6, 40, 0, 40), Settled.GAINED),
        (Failures(0, 6, 6, 6), Settled.REGRESSED),
        (Failures(0, 2, 2, 2), Settled.OPEN),
        (Failures(0, 6, 1, 6), Settled.OPEN),
        (Failures(5, 60, 4, 60), Settled.SAME),
        (Failures(7, 60, 7, 60), Settled.SAME),
        (Failures(0, 40, 1, 40), Settled.SAME),
        (Failures(0, 60, 4, 60), Settled.OPEN),
        (Failures(0, 1, 6, 60), Settled.OPEN),
    ],
)
def test_what_the_counts_of_failures_say(failures: Failures, result: Settled) -> None:
    assert settled(failures) is result


def test_the_test_is_fishers_with_half_the_weight_of_what_was_seen() -> None:
    """Six of forty against none: 0.0128 by Fisher's exact test (R: fisher.test, one-sided), mid-p half of that."""
    assert more_often(6, 40, 0, 40) == pytest.approx(0.0128 / 2, abs=0.0003)
    assert more_often(0, 5, 0, 5) == pytest.approx(0.5)


def test_the_upper_limit_is_newcombes() -> None:
    """Newcombe 1998, table II: 56/70 - 48/80 has the 95 % interval 0.0524 to 0.3339; here one-sided 90 %."""
    assert 0.2 < upper_limit(Failures(48, 80, 56, 70)) < 0.3339


@cache
def look(old: int, new: int, attempts: int) -> Settled:
    return settled(Failures(old, attempts, new, attempts))


def procedure(rng: random.Random, old_rate: float, new_rate: float) -> tuple[Settled, int] | None:
    """One behaviour from its first attempts on; None where it never came to be settled."""
    old, new = ([rng.random() < rate for _ in range(2)] for rate in (old_rate, new_rate))
    if old[0] == new[0] or (old[0] == old[1] and new[0] == new[1]):
        return None
    for attempts in LOOKS:
        for side, rate in ((old, old_rate), (new, new_rate)):
            side += [rng.random() < rate for _ in range(attempts - len(side))]
        result = look(sum(old), sum(new), attempts)
        if result is not Settled.OPEN:
            return result, attempts
    return Settled.OPEN, LOOKS[-1]


def rates(old_rate: float, new_rate: float, cases: int = 3000) -> dict[Settled, float]:
    rng = random.Random(20240624)
    found: Counter[Settled] = Counter()
    while found.total() < cases:
        ended = procedure(rng, old_rate, new_rate)
        if ended is not None:
            found[ended[0]] += 1
    return {result: found[result] / cases for result in Settled}


@pytest.mark.parametrize("rate", [0.03, 0.125, 0.3, 0.5])
def test_sides_that_fail_equally_often_are_rarely_told_apart(rate: float) -> None:
    found = rates(rate, rate)
    assert found[Settled.REGRESSED] <= 0.03
    assert found[Settled.OPEN] <= 0.10


def test_a_side_that_begins_to_fail_once_in_eight_is_found() -> None:
    found = rates(0.0, 0.125)
    assert found[Settled.REGRESSED] >= 0.83
    assert found[Settled.SAME] <= 0.03


def test_a_side_that_begins_to_fail_once_in_four_is_found_for_sure() -> None:
    assert rates(0.0, 0.25)[Settled.REGRESSED] >= 0.99


# Behaviours that share looks


def siblings(rng: random.Random, number: int, old_rate: float, new_rate: float) -> list[Settled] | None:
    """Behaviours that share their first two looks, from these on; None where both sides agree at the first one.

    Where both looks say that new fails and old does not, each is asked for itself until it has `AGREEING` looks. Where
    any of them then differs from itself, all are settled, and each round is a new look for all.
    """

    def a_look() -> tuple[bool, bool]:
        return rng.random() < old_rate, rng.random() < new_rate

    worse = (False, True)
    shared = [a_look(), a_look()]
    if shared[0][0] == shared[0][1]:
        return None
    if shared == [(True, False)] * 2:
        return [Settled.GAINED] * number
    members = [list(shared) for _ in range(number)]
    for seen in members:
        while len(seen) < AGREEING and set(seen) == {worse}:
            seen.append(a_look())
    if all(set(seen) == {worse} for seen in members):
        return [Settled.REGRESSED] * number
    results: list[Settled | None] = [None] * number
    while None in results:
        seen_by_all = a_look()
        for index, seen in enumerate(members):
            if results[index] is None:
                seen.append(seen_by_all)
                results[index] = at(seen)
    return [result or Settled.OPEN for result in results]


def at(seen: list[tuple[bool, bool]]) -> Settled | None:
    if len(seen) not in LOOKS:
        return None
    result = look(sum(old for old, _ in seen), sum(new for _, new in seen), len(seen))
    return result if result is not Settled.OPEN or len(seen) == LOOKS[-1] else None


def told_regressed(number: int, old_rate: float, new_rate: float, cases: int = 10000) -> float:
    """How often any of the siblings is told as regressed, of all cases in which they are asked."""
    rng = random.Random(20240612)
    return sum(Settled.REGRESSED in (siblings(rng, number, old_rate, new_rate) or ()) for _ in range(cases)) / cases


@pytest.mark.parametrize("number", [1, 10])
@pytest.mark.parametrize(("rate", "limit"), [(0.03, 0.002), (0.125, 0.007), (0.2, 0.015), (0.5, 0.03)])
def test_siblings_of_a_look_that_fails_equally_often_are_rarely_told_as_regressed(
    number: int, rate: float, limit: float
) -> None:
    assert told_regressed(number, rate, rate) <= limit


def test_a_look_that_begins_to_fail_for_all_siblings_is_found_as_before() -> None:
    assert told_regressed(10, 0.0, 1.0, cases=10) == 1
    assert told_regressed(10, 0.0, 0.25, cases=3000) >= 0.22, "a quarter of the first looks fails, and nearly all count"


def test_so_many_looks_that_agree_are_as_much_evidence_as_the_rule_asks_for() -> None:
    assert more_often(AGREEING, AGREEING, 0, AGREEING) < ERROR
    assert more_often(AGREEING - 1, AGREEING - 1, 0, AGREEING - 1) > ERROR


# What a comparison makes of it


def attempts(failures: int, number: int) -> list[Observation]:
    """Some failures among successes, a success last."""
    return [*[LOST] * failures, *[GOOD] * (number - failures)]


def test_a_side_that_fails_more_often_is_regressed_and_shown_by_a_failure() -> None:
    made = judge(QUESTION, attempts(0, 40), attempts(6, 40))
    assert made.verdict is Verdict.REGRESSED
    assert (made.old[-1].outcome, made.new[-1].outcome) == (Outcome.DELIVERED, Outcome.LOST)
    assert [(each.path, each.old, each.new) for each in made.differences if each.path == "failures"] == [
        ("failures", "0 of 40", "6 of 40")
    ]
    assert (len(made.old), len(made.new)) == (40, 40)


def test_a_side_that_fails_less_often_has_gained() -> None:
    made = judge(QUESTION, attempts(6, 40), attempts(0, 40))
    assert (made.verdict, made.old[-1].outcome) == (Verdict.GAINED, Outcome.LOST)


def test_sides_that_waver_alike_are_compared_by_how_they_usually_end() -> None:
    assert judge(QUESTION, attempts(5, 60), attempts(4, 60)).verdict is Verdict.SAME
    other = replace(GOOD, facts={"words": 1})
    changed = judge(QUESTION, attempts(5, 60), [*[LOST] * 4, *[other] * 56])
    assert (changed.verdict, [each.path for each in changed.differences]) == (Verdict.CHANGED, ["facts.words"])


def test_where_the_evidence_does_not_decide_both_counts_are_named() -> None:
    made = judge(QUESTION, attempts(0, 60), attempts(4, 60))
    assert made.verdict is Verdict.UNSTABLE
    assert made.why is not None
    assert made.why.detail == "lost at delivery, then delivered at delivery (new fails 4 of 60, old 0 of 60)"


def test_where_nothing_is_wanted_the_unusual_end_is_the_failure() -> None:
    question = replace(QUESTION, wanted=None)
    assert judge(question, attempts(0, 40), attempts(6, 40)).verdict is Verdict.REGRESSED


def test_what_was_settled_is_settled_alike_from_its_own_recording() -> None:
    first = judge(QUESTION, attempts(0, 40), attempts(6, 40))
    assert judge(QUESTION, first.old, first.new) == first


FOLDERS = replace(QUESTION, directions={"facts.folders*": Direction.KEPT})
ALL = replace(GOOD, facts={"folders": ["INBOX", "Work"]})
FEWER = replace(GOOD, facts={"folders": ["INBOX"]})


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([ALL] * 2, [FEWER] * 2, Verdict.REGRESSED),
        ([ALL] * 2, [FEWER, ALL], Verdict.UNSTABLE),
        ([ALL] * 12, [FEWER, ALL] * 6, Verdict.REGRESSED),
        ([ALL] * 60, [FEWER, *[ALL] * 59], Verdict.SAME),
        ([ALL, FEWER], [FEWER, ALL], Verdict.SAME),
        ([FEWER] * 2, [ALL, FEWER], Verdict.SAME),
    ],
    ids=["always", "at times", "half of the time", "once in sixty", "on old as well", "more at times"],
)
def test_what_new_lacks_at_times_and_old_always_shows_is_no_noise(
    old: list[Observation], new: list[Observation], verdict: Verdict
) -> None:
    made = judge(FOLDERS, old, new)
    assert made.verdict is verdict
    if verdict is Verdict.REGRESSED:
        assert made.new[-1].facts == FEWER.facts


def test_where_facts_alone_waver_that_is_said() -> None:
    made = judge(FOLDERS, [ALL] * 2, [FEWER, ALL])
    assert made.why is not None
    assert made.why.detail == "delivered at delivery with less than on old, then delivered at delivery"
