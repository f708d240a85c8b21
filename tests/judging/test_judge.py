"""The verdict table of the design, row by row, and that there is no hole in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from pytest_mailu.core.model import (
    PROTECTIONS,
    Comparison,
    Decision,
    Difference,
    Direction,
    Observation,
    Outcome,
    Problem,
    Question,
    Reply,
    Severity,
    SideName,
    Stage,
    Verdict,
    Why,
)
from pytest_mailu.judging.decision import decide
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import affected, breaks, judge, needs_confirmation, severity
from pytest_mailu.wire.transport.errors import HUNG_UP

DELIVERED, ACCEPTED, REFUSED = Outcome.DELIVERED, Outcome.ACCEPTED, Outcome.REFUSED
DEFERRED, LOST, ALTERED = Outcome.DEFERRED, Outcome.LOST, Outcome.ALTERED
AUTH_FAILED, TLS_FAILED = Outcome.AUTH_FAILED, Outcome.TLS_FAILED
NOT_OFFERED, UNREACHABLE, UNANSWERED = Outcome.NOT_OFFERED, Outcome.UNREACHABLE, Outcome.UNANSWERED

WANTED: tuple[Outcome | None, ...] = (None, *Outcome)


def question(wanted: Outcome | None = DELIVERED, severity: Severity = Severity.CRITICAL) -> Question:
    return Question("submission/587-starttls/external", "A title", "Somebody loses it.", "RFC 6409", wanted, severity)


def seen(outcome: Outcome | None, stage: Stage = Stage.DELIVERY, text: str = "", **facts: object) -> Observation:
    return Observation(outcome, stage, Reply("250", "2.0.0", text), facts)


def ask(wanted: Outcome | None, old: Sequence[Observation], new: Sequence[Observation]) -> Comparison:
    return judge(question(wanted), old, new)


TABLE = [
    # met, met
    (DELIVERED, seen(DELIVERED), seen(DELIVERED), Verdict.SAME),
    (DELIVERED, seen(DELIVERED, text="a"), seen(DELIVERED, text="b"), Verdict.CHANGED),
    (DELIVERED, seen(DELIVERED, tls=True), seen(DELIVERED, tls=False), Verdict.CHANGED),
    (DELIVERED, seen(DELIVERED), seen(DELIVERED, extra=1), Verdict.CHANGED),
    # met, not met
    (DELIVERED, seen(DELIVERED), seen(UNREACHABLE, Stage.CONNECT), Verdict.REGRESSED),
    (DELIVERED, seen(DELIVERED), seen(REFUSED, Stage.RCPT), Verdict.REGRESSED),
    (DELIVERED, seen(DELIVERED), seen(DEFERRED), Verdict.REGRESSED),
    (DELIVERED, seen(DELIVERED), seen(LOST), Verdict.REGRESSED),
    (DELIVERED, seen(DELIVERED), seen(ALTERED), Verdict.REGRESSED),
    (DELIVERED, seen(DELIVERED), seen(UNANSWERED, Stage.GREETING), Verdict.REGRESSED),
    (ACCEPTED, seen(ACCEPTED, Stage.AUTH), seen(AUTH_FAILED, Stage.AUTH), Verdict.REGRESSED),
    (ACCEPTED, seen(ACCEPTED, Stage.TLS), seen(TLS_FAILED, Stage.TLS), Verdict.REGRESSED),
    (ACCEPTED, seen(ACCEPTED, Stage.AUTH), seen(NOT_OFFERED, Stage.EHLO), Verdict.REGRESSED),
    # not met, met
    (ACCEPTED, seen(UNREACHABLE, Stage.CONNECT), seen(ACCEPTED), Verdict.GAINED),
    (ACCEPTED, seen(NOT_OFFERED, Stage.EHLO), seen(ACCEPTED), Verdict.GAINED),
    (DELIVERED, seen(LOST), seen(DELIVERED), Verdict.GAINED),
    # not offered on both sides
    (ACCEPTED, seen(NOT_OFFERED), seen(NOT_OFFERED), Verdict.ABSENT),
    (ACCEPTED, seen(UNREACHABLE, Stage.CONNECT), seen(UNREACHABLE, Stage.CONNECT), Verdict.ABSENT),
    (ACCEPTED, seen(UNREACHABLE, Stage.CONNECT), seen(NOT_OFFERED, Stage.EHLO), Verdict.ABSENT),
    (REFUSED, seen(UNREACHABLE, Stage.CONNECT), seen(UNREACHABLE, Stage.CONNECT), Verdict.ABSENT),
    (None, seen(UNREACHABLE, Stage.CONNECT), seen(UNREACHABLE, Stage.CONNECT), Verdict.ABSENT),
    # not met, not met
    (DELIVERED, seen(LOST), seen(LOST), Verdict.BROKEN),
    (DELIVERED, seen(REFUSED), seen(DEFERRED), Verdict.BROKEN),
    (DELIVERED, seen(REFUSED), seen(UNREACHABLE, Stage.CONNECT), Verdict.BROKEN),
    (DELIVERED, seen(UNREACHABLE, Stage.CONNECT), seen(REFUSED), Verdict.BROKEN),
    # protections: what keeps the thing from happening serves, a closed port as well
    (REFUSED, seen(REFUSED, Stage.RCPT), seen(REFUSED, Stage.RCPT), Verdict.SAME),
    (REFUSED, seen(REFUSED, Stage.RCPT), seen(UNREACHABLE, Stage.CONNECT), Verdict.CHANGED),
    (REFUSED, seen(REFUSED, Stage.RCPT), seen(NOT_OFFERED, Stage.EHLO), Verdict.CHANGED),
    (REFUSED, seen(REFUSED, Stage.RCPT), seen(ACCEPTED, Stage.RCPT), Verdict.REGRESSED),
    (REFUSED, seen(REFUSED, Stage.RCPT), seen(DELIVERED), Verdict.REGRESSED),
    (REFUSED, seen(UNREACHABLE, Stage.CONNECT), seen(DELIVERED), Verdict.REGRESSED),
    (REFUSED, seen(UNREACHABLE, Stage.CONNECT), seen(REFUSED, Stage.RCPT), Verdict.CHANGED),
    (REFUSED, seen(DELIVERED), seen(REFUSED), Verdict.GAINED),
    (REFUSED, seen(DELIVERED), seen(UNREACHABLE, Stage.CONNECT), Verdict.GAINED),
    (REFUSED, seen(DELIVERED), seen(DELIVERED), Verdict.BROKEN),
    (AUTH_FAILED, seen(AUTH_FAILED, Stage.AUTH), seen(ACCEPTED, Stage.AUTH), Verdict.REGRESSED),
    (AUTH_FAILED, seen(AUTH_FAILED, Stage.AUTH), seen(UNREACHABLE, Stage.CONNECT), Verdict.CHANGED),
    (TLS_FAILED, seen(TLS_FAILED, Stage.TLS), seen(ACCEPTED, Stage.TLS), Verdict.REGRESSED),
    (NOT_OFFERED, seen(NOT_OFFERED, Stage.EHLO), seen(NOT_OFFERED, Stage.EHLO), Verdict.SAME),
    (NOT_OFFERED, seen(NOT_OFFERED, Stage.EHLO), seen(ACCEPTED, Stage.AUTH), Verdict.REGRESSED),
    # facts only
    (None, seen(ACCEPTED, Stage.EHLO, size=1), seen(ACCEPTED, Stage.EHLO, size=1), Verdict.SAME),
    (None, seen(ACCEPTED, Stage.EHLO, size=1), seen(ACCEPTED, Stage.EHLO, size=2), Verdict.CHANGED),
    (None, seen(ACCEPTED, Stage.EHLO), seen(UNREACHABLE, Stage.CONNECT), Verdict.REGRESSED),
    (None, seen(UNREACHABLE, Stage.CONNECT), seen(ACCEPTED, Stage.EHLO), Verdict.GAINED),
    (None, seen(ACCEPTED, Stage.EHLO), seen(UNANSWERED, Stage.CONNECT), Verdict.REGRESSED),
    (None, seen(UNANSWERED, Stage.CONNECT), seen(ACCEPTED, Stage.EHLO), Verdict.GAINED),
    (None, seen(UNANSWERED, Stage.CONNECT), seen(UNANSWERED, Stage.CONNECT), Verdict.SAME),
]


@pytest.mark.parametrize(("wanted", "old", "new", "verdict"), TABLE)
def test_each_row_of_the_design_gives_its_verdict(
    wanted: Outcome | None, old: Observation, new: Observation, verdict: Verdict
) -> None:
    assert ask(wanted, [old], [new]).verdict is verdict


COMBINATIONS = list(product(WANTED, Outcome, Outcome))


def test_every_combination_of_wanted_and_outcomes_has_a_settled_verdict() -> None:
    settled = {Verdict.SAME, Verdict.CHANGED, Verdict.REGRESSED, Verdict.GAINED, Verdict.ABSENT, Verdict.BROKEN}
    for wanted, old, new in COMBINATIONS:
        assert ask(wanted, [seen(old)], [seen(new)]).verdict in settled


def test_what_is_the_same_on_both_sides_is_never_different() -> None:
    for wanted, outcome in product(WANTED, Outcome):
        made = ask(wanted, [seen(outcome)], [seen(outcome)])
        assert made.verdict in {Verdict.SAME, Verdict.ABSENT, Verdict.BROKEN}
        assert not made.differences
        assert not needs_confirmation(made)
        assert decide(findings([made]), [ask(DELIVERED, [seen(DELIVERED)], [seen(DELIVERED)]), made]) is Decision.GO


def test_what_is_lost_one_way_is_gained_the_other_way() -> None:
    mirror = {Verdict.REGRESSED: Verdict.GAINED, Verdict.GAINED: Verdict.REGRESSED}
    for wanted, old, new in COMBINATIONS:
        if wanted is None:
            continue  # nothing is wanted, so nothing can be lost
        there = ask(wanted, [seen(old)], [seen(new)]).verdict
        back = ask(wanted, [seen(new)], [seen(old)]).verdict
        assert back is mirror.get(there, there), (wanted, old, new)


@pytest.mark.parametrize("old", [None, HUNG_UP])
@pytest.mark.parametrize("new", [None, HUNG_UP])
def test_servers_that_say_nothing_are_not_the_same(old: Reply | None, new: Reply | None) -> None:
    """There is nothing to be compared where both hang up or keep silent: that is listed, whatever is wanted."""
    first, second = (Observation(UNANSWERED, Stage.AUTH, reply) for reply in (old, new))
    assert ask(None, [first], [second]).verdict is Verdict.BROKEN
    told = replace(second, facts={"status": 500})
    assert ask(None, [told], [told]).verdict is Verdict.SAME


def test_where_nothing_is_wanted_only_what_is_no_longer_there_or_is_silent_regresses() -> None:
    silent = {NOT_OFFERED, UNREACHABLE, UNANSWERED}
    for old, new in product(Outcome, Outcome):
        verdict = ask(None, [seen(old)], [seen(new)]).verdict
        assert (verdict is Verdict.REGRESSED) is (old not in silent and new in silent)
        assert verdict is not Verdict.BROKEN


def test_a_port_that_closes_takes_no_protection_away() -> None:
    for wanted, old in product(PROTECTIONS, Outcome):
        for gone in (seen(UNREACHABLE, Stage.CONNECT), seen(NOT_OFFERED, Stage.EHLO)):
            assert ask(wanted, [seen(old)], [gone]).verdict is not Verdict.REGRESSED


def test_regressed_needs_something_that_worked() -> None:
    for wanted, old, new in COMBINATIONS:
        if ask(wanted, [seen(old)], [seen(new)]).verdict is Verdict.REGRESSED:
            assert old is wanted or wanted in PROTECTIONS or wanted is None


# What could not be asked, and what does not hold still


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_behaviour_that_a_recording_lacks_is_inconclusive_and_not_recorded(side: str) -> None:
    sides = {"old": [seen(DELIVERED)], "new": [seen(DELIVERED)], side: []}
    made = ask(DELIVERED, sides["old"], sides["new"])
    assert made.verdict is Verdict.INCONCLUSIVE
    assert made.why == Why(SideName(side), Problem.NOT_RECORDED, "not recorded")


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_question_that_could_not_be_put_is_inconclusive_and_says_why(side: str) -> None:
    untold = Observation(None, Stage.CONNECT, trouble="no door")
    sides = {"old": [seen(DELIVERED)], "new": [seen(REFUSED)], side: [untold]}
    made = ask(DELIVERED, sides["old"], sides["new"])
    assert made.verdict is Verdict.INCONCLUSIVE
    assert made.why == Why(SideName(side), Problem.NOT_ASKED, "no door")


def test_trouble_without_words_still_gives_a_reason() -> None:
    made = ask(DELIVERED, [seen(DELIVERED)], [seen(None)])
    assert made.why == Why(SideName.NEW, Problem.NOT_ASKED, "could not be asked")


def test_trouble_that_passes_says_nothing_against_a_side() -> None:
    made = ask(DELIVERED, [seen(DELIVERED)], [seen(None), seen(DELIVERED)])
    assert made.verdict is Verdict.SAME


def test_trouble_at_the_end_is_not_covered_by_an_earlier_answer() -> None:
    made = ask(DELIVERED, [seen(DELIVERED)], [seen(DELIVERED), seen(None)])
    assert made.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("swapped", [False, True])
def test_a_side_that_ends_otherwise_when_asked_again_is_unstable(swapped: bool) -> None:
    shaky, steady = [seen(DELIVERED), seen(DEFERRED)], [seen(DELIVERED), seen(DELIVERED)]
    made = ask(DELIVERED, shaky, steady) if swapped else ask(DELIVERED, steady, shaky)
    assert made.verdict is Verdict.UNSTABLE
    side = SideName.OLD if swapped else SideName.NEW
    assert made.why == Why(side, Problem.UNSTEADY, "delivered at delivery, then deferred at delivery")


def test_a_side_that_ends_at_another_stage_is_unstable() -> None:
    made = ask(REFUSED, [seen(REFUSED, Stage.RCPT)], [seen(REFUSED, Stage.RCPT), seen(REFUSED, Stage.DATA)])
    assert made.verdict is Verdict.UNSTABLE


def test_retrying_until_green_does_not_make_green() -> None:
    made = ask(DELIVERED, [seen(DELIVERED)] * 3, [seen(LOST), seen(DELIVERED), seen(DELIVERED)])
    assert made.verdict is Verdict.UNSTABLE


def test_what_a_side_says_differently_from_itself_is_no_difference() -> None:
    old = [seen(DELIVERED, text="a", tls=True), seen(DELIVERED, text="b", tls=True)]
    new = [seen(DELIVERED, text="c", tls=False), seen(DELIVERED, text="c", tls=False)]
    made = ask(DELIVERED, old, new)
    assert made.verdict is Verdict.CHANGED
    assert [difference.path for difference in made.differences] == ["facts.tls"]


def test_noise_alone_is_the_same() -> None:
    made = ask(DELIVERED, [seen(DELIVERED, at=1), seen(DELIVERED, at=2)], [seen(DELIVERED, at=3)])
    assert made.verdict is Verdict.SAME


def test_noise_never_hides_how_a_side_ended() -> None:
    old = [seen(DELIVERED, at=1), seen(DELIVERED, at=2)]
    assert ask(DELIVERED, old, [seen(LOST, at=3), seen(LOST, at=4)]).verdict is Verdict.REGRESSED


def test_a_behaviour_s_own_volatile_paths_are_left_out() -> None:
    old, new = seen(DELIVERED, uid=1, folder="INBOX"), seen(DELIVERED, uid=2, folder="Junk")
    made = judge(question(), [old], [new], ["facts.uid"])
    assert [difference.path for difference in made.differences] == ["facts.folder"]


def took(*seconds: float, outcome: Outcome = DELIVERED, started: float = 0.0) -> list[Observation]:
    return [Observation(outcome, Stage.DELIVERY, started=started, seconds=each) for each in seconds]


def test_delivery_that_takes_many_times_as_long_every_time_is_a_change() -> None:
    made = ask(DELIVERED, took(0.5, 1.0), took(30.0, 20.04))
    assert made.verdict is Verdict.CHANGED
    assert made.differences == (Difference("seconds", "changed", 1.0, 20.0),)
    assert severity(made) is Severity.INFO
    assert needs_confirmation(made)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (took(1.0), took(4.9)),  # not many times as long
        (took(0.1), took(2.9)),  # many times as long, and nobody notices
        (took(1.0, 1.0), took(30.0, 1.0)),  # once
        (took(1.0, 6.0), took(20.0, 20.0)),  # the old side was as slow once
        (took(20.0), took(1.0)),  # faster
        (took(1.0, outcome=REFUSED), took(20.0, outcome=REFUSED)),  # no delivery
        (took(1.0), took(20.0, started=3600.0)),  # recordings of two runs: one was made on a busier machine
    ],
)
def test_other_differences_in_time_say_nothing(old: list[Observation], new: list[Observation]) -> None:
    assert ask(old[0].outcome, old, new).verdict is Verdict.SAME


# Confirmation


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        (seen(DELIVERED), seen(DELIVERED), False),
        (seen(UNREACHABLE), seen(UNREACHABLE), False),
        (seen(LOST), seen(LOST), False),
        (seen(LOST), seen(REFUSED), True),
        (seen(DELIVERED, text="a"), seen(DELIVERED, text="b"), True),
        (seen(DELIVERED), seen(LOST), True),
        (seen(LOST), seen(DELIVERED), True),
        (seen(DELIVERED), seen(None), True),
    ],
)
def test_every_difference_and_every_trouble_is_asked_again(old: Observation, new: Observation, again: bool) -> None:
    assert needs_confirmation(ask(DELIVERED, [old], [new])) is again


# Severity


@pytest.mark.parametrize("grade", Severity)
@pytest.mark.parametrize(
    ("old", "new"),
    [([seen(DELIVERED)], [seen(LOST)]), ([], [seen(LOST)]), ([seen(DELIVERED)], [seen(LOST), seen(REFUSED)])],
)
def test_what_is_lost_or_unclear_hurts_as_much_as_the_behaviour_says(
    grade: Severity, old: list[Observation], new: list[Observation]
) -> None:
    assert severity(judge(question(severity=grade), old, new)) is grade


def test_another_code_is_minor_and_other_words_are_info() -> None:
    coded = ask(REFUSED, [seen(REFUSED)], [Observation(REFUSED, Stage.DELIVERY, Reply("550", "2.0.0", ""), {})])
    worded = ask(DELIVERED, [seen(DELIVERED, text="a")], [seen(DELIVERED, text="b")])
    assert severity(coded) is Severity.MINOR
    assert severity(worded) is Severity.INFO


def test_what_is_gained_or_broken_on_both_sides_hurts_nobody_new() -> None:
    for old, new in ((LOST, DELIVERED), (LOST, LOST)):
        assert severity(ask(DELIVERED, [seen(old)], [seen(new)])) is Severity.INFO


def facts(wanted: Outcome | None = None, **better: Direction) -> Question:
    directions = {f"facts.{name}": direction for name, direction in better.items()}
    return replace(question(wanted, Severity.MAJOR), directions=directions)


LOSSES = [
    (Direction.MORE, {"x": 1}, {"x": 0}),
    (Direction.MORE, {"x": 1}, {}),
    (Direction.FEWER, {"x": 1.0}, {"x": 2.5}),
    (Direction.FEWER, {}, {"x": 2.5}),
    (Direction.KEPT, {"x": ["DSN", "SIZE"]}, {"x": ["DSN"]}),
    (Direction.KEPT, {"x": "a"}, {}),
    (Direction.TRUE, {"x": True}, {"x": False}),
    (Direction.TRUE, {"x": True}, {}),
    (Direction.MORE, {"x": "50000000"}, {"x": "9000000"}),
]


@pytest.mark.parametrize(("direction", "old", "new"), LOSSES)
def test_a_fact_that_is_lost_is_a_regression_and_one_that_is_won_is_a_change(
    direction: Direction, old: dict[str, Any], new: dict[str, Any]
) -> None:
    """`mailbox/993/search/message-id` found 1 message on old and 0 on new, and counted as changed."""
    asked = facts(x=direction)
    lost = judge(asked, [seen(ACCEPTED, **old)], [seen(ACCEPTED, **new)])
    won = judge(asked, [seen(ACCEPTED, **new)], [seen(ACCEPTED, **old)])
    assert (lost.verdict, severity(lost), breaks(lost)) == (Verdict.REGRESSED, Severity.MAJOR, "Somebody loses it.")
    assert (won.verdict, breaks(won)) == (Verdict.CHANGED, "")


def test_a_value_that_people_rely_on_is_lost_in_either_direction() -> None:
    for old, new in (("INBOX", "Junk"), ("Junk", "INBOX")):
        made = judge(facts(x=Direction.FIXED), [seen(ACCEPTED, x=old)], [seen(ACCEPTED, x=new)])
        assert made.verdict is Verdict.REGRESSED
    assert judge(facts(x=Direction.FIXED), [seen(ACCEPTED)], [seen(ACCEPTED, x="a")]).verdict is Verdict.CHANGED


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (DELIVERED, REFUSED, Verdict.REGRESSED),
        (ACCEPTED, Outcome.NOT_OFFERED, Verdict.REGRESSED),
        (DELIVERED, Outcome.ALTERED, Verdict.CHANGED),
        (REFUSED, DELIVERED, Verdict.CHANGED),
        (REFUSED, LOST, Verdict.CHANGED),
        (REFUSED, REFUSED, Verdict.SAME),
    ],
)
def test_a_function_without_a_wanted_outcome_must_not_be_lost(old: Outcome, new: Outcome, verdict: Verdict) -> None:
    asked = replace(question(None, Severity.MINOR), directions={"outcome": Direction.SERVED})
    assert judge(asked, [seen(old)], [seen(new)]).verdict is verdict


def test_a_difference_that_breaks_nothing_says_whom_it_concerns() -> None:
    changed = replace(question(None), affected="Scripts see another text.")
    assert affected(judge(changed, [seen(ACCEPTED, x=1)], [seen(ACCEPTED, x=2)])) == "Scripts see another text."
    protection = replace(question(REFUSED), affected="Printers are refused.")
    assert affected(judge(protection, [seen(DELIVERED)], [seen(REFUSED)])) == "Printers are refused."
    for old, new in ((REFUSED, DELIVERED), (REFUSED, REFUSED)):
        assert affected(judge(protection, [seen(old)], [seen(new, text="other")])) == ""


def test_a_fact_lost_by_a_behaviour_that_still_does_what_is_wanted_is_minor_and_no_harm_is_told() -> None:
    made = judge(facts(ACCEPTED, x=Direction.MORE), [seen(ACCEPTED, x=1)], [seen(ACCEPTED, x=0)])
    assert (made.verdict, severity(made), breaks(made)) == (Verdict.REGRESSED, Severity.MINOR, "")


def test_a_lost_outcome_weighs_as_much_as_the_behaviour_says_whatever_facts_are_lost_with_it() -> None:
    made = judge(facts(ACCEPTED, x=Direction.MORE), [seen(ACCEPTED, x=1)], [seen(REFUSED, x=0)])
    assert (severity(made), breaks(made)) == (Severity.MAJOR, "Somebody loses it.")


def test_other_facts_and_texts_that_differ_are_not_lost() -> None:
    for old, new in (({"x": "a"}, {"x": "b"}), ({"y": 1}, {"y": 0}), ({"x": "9" * 5_000}, {"x": "8" * 5_000})):
        assert judge(facts(x=Direction.MORE), [seen(ACCEPTED, **old)], [seen(ACCEPTED, **new)]).verdict is (
            Verdict.CHANGED
        )


def test_harm_is_told_only_where_something_broke() -> None:
    for old, new in ((DELIVERED, DELIVERED), (LOST, DELIVERED)):
        assert breaks(ask(DELIVERED, [seen(old, text="a")], [seen(new, text="b")])) == ""
    assert breaks(ask(DELIVERED, [seen(DELIVERED)], [seen(LOST)])) == "Somebody loses it."
