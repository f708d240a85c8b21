"""Findings: which causes are told as one, in which order, and what their fingerprints stand for."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from pytest_mailu.core.model import (
    Advice,
    Comparison,
    Observation,
    Outcome,
    Question,
    Reply,
    Severity,
    Stage,
    Verdict,
    Waiver,
)
from pytest_mailu.judging.findings import ORDER, finding, findings, fingerprint, observed_cause, ordered
from pytest_mailu.judging.judge import QUIET, judge
from tests.events import events

CLOSED = Observation(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text="connection refused"))
OK = Observation(Outcome.DELIVERED, Stage.DELIVERY, Reply("250", "2.0.0", "Ok"))
RELAY = Observation(Outcome.REFUSED, Stage.RCPT, Reply("554", "5.7.1", "<x@y>: Relay access denied"))
LOST = Observation(Outcome.LOST, Stage.DELIVERY, Reply("250", "2.0.0", "Ok"))
UNTOLD = Observation(None, Stage.CONNECT, trouble="no door")


def compare(
    behaviour: str,
    old: Observation | None,
    new: Observation | None,
    *,
    wanted: Outcome | None = Outcome.DELIVERED,
    severity: Severity = Severity.MAJOR,
) -> Comparison:
    asked = Question(behaviour, f"Title of {behaviour}", "Somebody loses it.", "RFC 6409", wanted, severity)
    return judge(asked, [old] if old else [], [new] if new else [])


def root(comparison: Comparison) -> str:
    return str(observed_cause(comparison))


def test_what_is_the_same_or_absent_is_no_finding() -> None:
    assert not findings([compare("a/1/x", OK, OK), compare("a/1/y", CLOSED, CLOSED)])


def test_a_finding_carries_all_that_a_reader_needs() -> None:
    advice, waiver = Advice("ports", "a new default", "set PORTS", "docs"), Waiver("a/*", "known")
    (found,) = findings([compare("a/587/x", OK, CLOSED)], lambda _: (advice,), lambda _: waiver, lambda _: "swaks …")
    assert (found.behaviour, found.family, found.verdict) == ("a/587/x", "a", Verdict.REGRESSED)
    assert (found.title, found.breaks, found.source) == ("Title of a/587/x", "Somebody loses it.", "RFC 6409")
    assert (found.old, found.new, found.severity) == (OK, CLOSED, Severity.MAJOR)
    assert (found.advice, found.waiver, found.reproduce) == ((advice,), waiver, "swaks …")


def test_the_waiver_is_chosen_by_the_whole_finding() -> None:
    made = compare("a/587/x", OK, CLOSED)
    (found,) = findings([made], waive=lambda found: Waiver(found.behaviour, found.fingerprint))
    assert found.waiver == Waiver("a/587/x", fingerprint(made))


def test_advice_is_not_asked_for_where_nothing_can_be_told() -> None:
    def advise(comparison: Comparison) -> tuple[Advice, ...]:
        raise AssertionError(comparison)

    assert findings([compare("a/1/x", OK, UNTOLD), compare("a/1/y", None, OK)], advise)


# Roots


def test_one_closed_cause_on_many_ports_and_families_is_one_root() -> None:
    told = findings(
        [compare(f"{family}/{port}/x", OK, CLOSED) for family, port in (("submission", 587), ("access", 143))]
    )
    assert {found.root for found in told} == {"port closed"}


@pytest.mark.parametrize(
    "end", [replace(CLOSED, stage=Stage.AUTH), replace(CLOSED, outcome=Outcome.UNANSWERED)], ids=["stage", "outcome"]
)
def test_only_a_refused_connection_is_a_closed_port(end: Observation) -> None:
    assert root(compare("a/587/x", OK, end)) != "port closed"


def test_a_protection_that_the_closed_port_changed_shares_its_root() -> None:
    refused = replace(RELAY, stage=Stage.MAIL)
    assert root(compare("submission/587/stranger", refused, CLOSED, wanted=Outcome.REFUSED)) == "port closed"


def test_another_code_or_stage_is_another_root_and_another_text_is_not() -> None:
    base = root(compare("a/25/x", OK, RELAY))
    assert base == "refused at rcpt 554 5.7.1"
    assert root(compare("b/465/y", OK, replace(RELAY, reply=Reply("554", "5.7.1", "other words")))) == base
    assert root(compare("a/25/x", OK, replace(RELAY, reply=Reply("550", "5.7.1")))) != base
    assert root(compare("a/25/x", OK, replace(RELAY, stage=Stage.MAIL))) != base


def test_what_was_gained_is_rooted_in_what_is_over() -> None:
    assert root(compare("sieve/4190/x", CLOSED, OK)) == "no longer: port closed"


def test_changes_are_grouped_by_family_and_by_what_differs() -> None:
    def greeting(text: str, *words: str) -> Observation:
        return Observation(Outcome.ACCEPTED, Stage.EHLO, Reply("250", "", text), {"ehlo": list(words)})

    old, new = greeting("a", "ETRN"), greeting("b", "DSN")
    roots = {root(compare(f"surface/{port}/ehlo", old, new, wanted=None)) for port in (25, 465)}
    assert roots == {"surface: facts.ehlo, reply.text"}


def test_what_could_not_be_told_is_rooted_in_its_reason() -> None:
    assert root(compare("a/1/x", OK, UNTOLD)) == root(compare("b/2/y", OK, UNTOLD)) == "inconclusive: new: no door"


# Order

MIXED = (
    compare("f/1/broken", LOST, LOST),
    compare("e/1/gained", RELAY, OK),
    compare("d/1/changed", OK, replace(OK, reply=Reply("250", "2.0.0", "Fine"))),
    compare("c/1/unclear", OK, UNTOLD),
    compare("b/1/closed-minor", OK, CLOSED, severity=Severity.MINOR),
    compare("a/1/refused", OK, RELAY, severity=Severity.MAJOR),
    compare("b/1/closed-critical", OK, CLOSED, severity=Severity.CRITICAL),
    compare("b/1/closed-protection", RELAY, CLOSED, wanted=Outcome.REFUSED),
)
WORST_FIRST = [
    "b/1/closed-critical",
    "b/1/closed-minor",
    "b/1/closed-protection",
    "a/1/refused",
    "c/1/unclear",
    "d/1/changed",
    "e/1/gained",
    "f/1/broken",
]


def test_the_worst_comes_first_and_what_shares_a_root_stays_together() -> None:
    assert [found.behaviour for found in findings(MIXED)] == WORST_FIRST


def test_the_order_does_not_depend_on_the_order_of_asking() -> None:
    for shuffled in list(permutations(MIXED))[::997]:
        assert [found.behaviour for found in findings(shuffled)] == WORST_FIRST


def test_findings_made_one_by_one_are_those_of_the_whole_run() -> None:
    made = [found for comparison in MIXED if (found := finding(comparison)) is not None]
    assert ordered(made) == findings(MIXED)


def test_every_verdict_that_is_told_has_its_place() -> None:
    assert set(ORDER) == set(Verdict) - QUIET
    assert sorted(ORDER, key=lambda verdict: ORDER[verdict]) == [
        *(Verdict.REGRESSED, Verdict.UNSTABLE, Verdict.INCONCLUSIVE),
        *(Verdict.CHANGED, Verdict.GAINED, Verdict.BROKEN),
    ]
    assert len(set(ORDER.values())) == len(ORDER)


# Fingerprints


def test_a_fingerprint_is_twelve_hex_digits_and_the_same_on_every_machine() -> None:
    assert fingerprint(compare("submission/587-starttls/external", OK, CLOSED)) == "75dd3883f3bf"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(compare("a/1/x", OK, replace(RELAY, reply=Reply("554", "5.7.1", "other words"))), id="text"),
        pytest.param(compare("a/1/x", OK, replace(RELAY, transcript=events("S: 554"), started=5.0)), id="transcript"),
        pytest.param(compare("a/1/x", OK, RELAY, severity=Severity.INFO), id="severity"),
        pytest.param(compare("a/1/x", replace(OK, seconds=9.0), RELAY), id="duration"),
    ],
)
def test_a_fingerprint_does_not_depend_on_texts_and_grades(other: Comparison) -> None:
    assert fingerprint(other) == fingerprint(compare("a/1/x", OK, RELAY))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(compare("a/1/y", OK, RELAY), id="behaviour"),
        pytest.param(compare("a/1/x", OK, CLOSED), id="outcome"),
        pytest.param(compare("a/1/x", OK, replace(RELAY, stage=Stage.MAIL)), id="stage"),
        pytest.param(compare("a/1/x", OK, replace(RELAY, facts={"tls": True})), id="path"),
        pytest.param(compare("a/1/x", LOST, RELAY), id="verdict"),
        pytest.param(compare("a/1/x", None, RELAY), id="not recorded"),
        pytest.param(compare("a/1/x", RELAY, OK), id="direction"),
    ],
)
def test_a_fingerprint_changes_with_what_happened(other: Comparison) -> None:
    assert fingerprint(other) != fingerprint(compare("a/1/x", OK, RELAY))


def test_a_fact_whose_name_is_no_text_has_a_fingerprint() -> None:
    assert fingerprint(compare("a/1/x", OK, replace(OK, facts={"\udc80": 1})))
