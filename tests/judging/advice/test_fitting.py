"""When an entry fits a comparison, and what the advisor makes of it."""

from __future__ import annotations

import pytest

from pytest_mailu.core.model import (
    Advice,
    Cause,
    Comparison,
    Observation,
    Outcome,
    Question,
    Reply,
    Severity,
    Stage,
    Verdict,
)
from pytest_mailu.core.ranges import ReleaseRange
from pytest_mailu.judging.advice import Advisor, Entry
from pytest_mailu.judging.advice.entry import When
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge

CLOSED = Observation(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text="connection refused"))
SENT = Observation(Outcome.DELIVERED, Stage.DELIVERY, Reply("250", "2.0.0", "Ok"))
RELAY = Observation(Outcome.REFUSED, Stage.RCPT, Reply("554", "5.7.1", "<x@y>: Relay access denied"))
UNTOLD = Observation(None, Stage.CONNECT, trouble="no door")
OLD, NEW = "2.0.43", "2024.06.24"
ADVICE = Advice("ports-default", "A new default.", "PORTS=25", "docs")


def compare(old: Observation, new: Observation, behaviour: str = "submission/587-starttls/external") -> Comparison:
    return judge(Question(behaviour, "T", "B", "S", Outcome.DELIVERED, Severity.CRITICAL), [old], [new])


def entry(*whens: When, advice: Advice = ADVICE, root: str = "") -> Entry:
    return Entry(
        advice.id,
        advice.cause,
        advice.remedy,
        advice.source,
        whens,
        ReleaseRange("<2024.06"),
        ReleaseRange(">=2024.06"),
        root,
    )


CLOSING = When(("submission/587-*",), (Verdict.REGRESSED,), (), {}, {"outcome": "unreachable"})


def test_an_entry_fits_when_all_it_names_is_so() -> None:
    assert entry(CLOSING).fits(compare(SENT, CLOSED), OLD, NEW)


@pytest.mark.parametrize(
    ("when", "comparison", "old", "new"),
    [
        (CLOSING, compare(SENT, CLOSED, "submission/465-tls/external"), OLD, NEW),
        (CLOSING, compare(CLOSED, SENT), OLD, NEW),
        (CLOSING, compare(SENT, RELAY), OLD, NEW),
        (CLOSING, compare(SENT, CLOSED), "2024.06.1", NEW),
        (CLOSING, compare(SENT, CLOSED), "1.9.50", OLD),
        (When(("submission/*",), paths=("facts.tried*",)), compare(SENT, CLOSED), OLD, NEW),
        (When(("submission/*",), old={"facts.tried": "*"}), compare(SENT, CLOSED), OLD, NEW),
        (When(("submission/*",), new={"reply.code": "550"}), compare(SENT, RELAY), OLD, NEW),
    ],
)
def test_an_entry_does_not_fit_when_one_thing_it_names_is_not_so(
    when: When, comparison: Comparison, old: str, new: str
) -> None:
    assert not entry(when).fits(comparison, old, new)


def test_an_entry_fits_when_any_of_its_whens_does() -> None:
    refused = When(("surface/*",), new={"reply.text": "*Relay access denied"})
    both = entry(CLOSING, refused)
    assert both.fits(compare(SENT, CLOSED), OLD, NEW)
    assert both.fits(compare(SENT, RELAY, "surface/client-setup/fallback-to-25"), OLD, NEW)


def test_what_could_not_be_told_is_never_explained() -> None:
    every = entry(When(("submission/*",), paths=("*",)))
    unsteady = judge(compare(SENT, SENT).question, [SENT, SENT], [CLOSED, RELAY])
    assert unsteady.verdict is Verdict.UNSTABLE
    assert not every.fits(unsteady, OLD, NEW)
    assert not entry(When(("submission/*",), new={"stage": "*"})).fits(compare(SENT, UNTOLD), OLD, NEW)


def test_a_live_server_has_no_release_to_go_by() -> None:
    assert not entry(CLOSING).fits(compare(SENT, CLOSED), "live:mail.example.com", NEW)


def test_a_moving_tag_and_master_count_as_the_latest() -> None:
    assert entry(CLOSING).fits(compare(SENT, CLOSED), "2.0", "2024.06")
    assert entry(CLOSING).fits(compare(SENT, CLOSED), "2.0", "master")


def test_the_advisor_gives_all_that_fits_in_the_order_of_the_entries() -> None:
    other = Advice("other", "c", "r", "s")
    advisor = Advisor(
        [entry(CLOSING), entry(CLOSING, advice=other), entry(When(("x/*",), paths=("*",)), advice=Advice("x", *"crs"))]
    )
    assert advisor.advise(compare(SENT, CLOSED), OLD, NEW) == (ADVICE, other)


def test_a_known_cause_takes_the_place_of_what_the_observations_suggest() -> None:
    refused = When(("surface/client-setup/*",), new={"reply.code": "554"})
    advisor = Advisor([entry(CLOSING, refused, root="PORTS")])
    told = findings(
        [
            compare(SENT, CLOSED),
            compare(SENT, CLOSED, "submission/465-tls/external"),
            compare(SENT, RELAY, "surface/client-setup/fallback-to-25"),
        ],
        explain=lambda comparison: advisor.explain(comparison, OLD, NEW),
    )
    assert {found.behaviour: found.root for found in told} == {
        "submission/587-starttls/external": "PORTS",
        "submission/465-tls/external": "port closed",
        "surface/client-setup/fallback-to-25": "PORTS",
    }


def test_no_cause_is_asked_for_where_nothing_can_be_told() -> None:
    def explain(comparison: Comparison) -> Cause | None:
        raise AssertionError(comparison)

    (found,) = findings([compare(SENT, UNTOLD)], explain=explain)
    assert found.root == "inconclusive: new: no door"
