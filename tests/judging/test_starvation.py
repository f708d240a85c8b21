"""What an answer is worth that ran into a deadline while this machine was too busy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_mailu.core.model import Observation, Outcome, Question, Reply, Severity, Stage, Verdict
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.starvation import (
    ENOUGH,
    SURE,
    TOO_BUSY,
    Sample,
    answers_needed,
    in_time,
    share,
    stuck,
    timed_out,
    too_busy,
    unless_starved,
)
from pytest_mailu.wire.transport.transcript import Transcript
from tests.events import events

UNANSWERED = Observation(Outcome.UNANSWERED, Stage.COMMAND, started=100.0, seconds=30.0)
LOST = Observation(Outcome.LOST, Stage.DELIVERY, Reply("250", "2.0.0", "queued"), started=100.0, seconds=12.0)
NOT_DONE = Observation(None, Stage.CONNECT, trouble="not done within 75 s", started=100.0, seconds=75.0)
GOOD = Observation(Outcome.DELIVERED, Stage.DELIVERY, seconds=75.0)
QUESTION = Question("a/993/x", "Title", "Breaks.", "Source", Outcome.DELIVERED, Severity.MAJOR)
NOTHING_FOUND = Observation(Outcome.LOST, Stage.COMMAND, started=100.0, seconds=6.0)
BUSY, CALM = 0.05, 0.3


def test_the_share_is_that_of_the_time_in_question() -> None:
    samples = [Sample(1.0, 0.01, 0.01), Sample(2.0, 0.01, 0.19), Sample(3.0, 0.01, 0.11), Sample(9.0, 0.01, 0.01)]
    assert share(samples, 1.5, 2.5) == pytest.approx(0.02 / 0.3), "the sample that ends just afterwards counts as well"
    assert share(samples, 20.0, 30.0) == 1.0
    assert share([], 0.0, 10.0) == 1.0


@pytest.mark.parametrize("seen", [UNANSWERED, LOST, NOT_DONE])
def test_what_ran_into_a_deadline_was_not_asked_on_a_busy_machine(seen: Observation) -> None:
    made = unless_starved(Outcome.DELIVERED, seen, BUSY)
    assert (made.outcome, made.trouble) == (None, TOO_BUSY)
    assert "while a program got 5% of a processor" in made.transcript[-1].text
    assert unless_starved(Outcome.DELIVERED, seen, CALM) is seen
    assert unless_starved(Outcome.DELIVERED, seen, ENOUGH) is seen


@pytest.mark.parametrize(
    "seen",
    [
        replace(UNANSWERED, seconds=4.0),
        replace(UNANSWERED, reply=Reply("502")),
        replace(UNANSWERED, transcript=events("C: POST https://front/api/v1/user", "S: 500  (37 bytes)")),
        replace(UNANSWERED, stage=Stage.SETTINGS),
        replace(NOTHING_FOUND, transcript=events("C: a9 UID SEARCH SUBJECT word", "S: * SEARCH", "S: a9 OK Search")),
        Observation(Outcome.DEFERRED, Stage.RCPT, Reply("451"), seconds=20.0),
        Observation(Outcome.REFUSED, Stage.RCPT, Reply("554"), seconds=20.0),
        Observation(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text="connection refused"), seconds=20.0),
        Observation(Outcome.AUTH_FAILED, Stage.AUTH, seconds=20.0),
        Observation(None, Stage.CONNECT, trouble="no way in", seconds=0.1),
        GOOD,
    ],
)
def test_what_a_server_says_counts_however_busy_the_machine_is(seen: Observation) -> None:
    assert unless_starved(Outcome.DELIVERED, seen, BUSY) is seen


def test_a_wanted_end_is_no_time_out() -> None:
    assert not timed_out(Outcome.LOST, LOST)
    assert timed_out(None, UNANSWERED), "where nothing is wanted, silence is a loss all the same"


def test_a_search_that_finds_nothing_has_regressed_on_a_busy_machine_too() -> None:
    """Seen in the lab: an index that leaves headers out, and a session of ten searches that took six seconds."""
    seen = unless_starved(Outcome.ACCEPTED, NOTHING_FOUND, BUSY)
    found = Observation(Outcome.ACCEPTED, Stage.COMMAND, seconds=4.0)
    question = replace(QUESTION, wanted=Outcome.ACCEPTED)
    compared = judge(question, [found, found], [seen, seen])
    assert compared.verdict is Verdict.REGRESSED
    assert not stuck(compared), "it is told as it stands"


def test_where_more_was_waited_for_an_answer_of_nothing_is_a_time_out() -> None:
    waits = Transcript()
    waits.waited_in_vain(12.0, "the message to be found")
    assert [event.text for event in waits.events] == ["waited 12 s in vain for the message to be found"]
    assert timed_out(Outcome.ACCEPTED, replace(NOTHING_FOUND, transcript=waits.events))


def test_what_needs_the_longer_deadline_passes_on_a_busy_machine_alone() -> None:
    slow = replace(GOOD, seconds=100.0)
    assert in_time(slow, 75.0, BUSY) is slow
    assert in_time(GOOD, 75.0, CALM) is GOOD
    late = in_time(slow, 75.0, CALM)
    assert (late.outcome, late.trouble) == (None, "not done within 75 s")


def test_new_that_timed_out_on_a_busy_machine_has_to_answer_several_times() -> None:
    same, worse = judge(QUESTION, [GOOD], [GOOD]), judge(QUESTION, [GOOD], [LOST])
    assert answers_needed(same, suspicious=True) == SURE == 6
    assert answers_needed(same, suspicious=False) == 1
    assert answers_needed(worse, suspicious=True) == 2, "a hang on a calm machine is confirmed as ever"


def test_what_was_not_asked_leaves_the_comparison_open_and_says_why() -> None:
    made = judge(QUESTION, [GOOD, GOOD], [GOOD, too_busy()])
    assert (made.verdict, str(made.why)) == (Verdict.INCONCLUSIVE, f"new: {TOO_BUSY}")
