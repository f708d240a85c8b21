"""What fails an item, and the decision of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_mailu.core.model import (
    Comparison,
    Decision,
    FailOn,
    Finding,
    Observation,
    Outcome,
    Question,
    Reply,
    Severity,
    Stage,
    Verdict,
    Waiver,
)
from pytest_mailu.judging.decision import decide, fails, gaps
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import QUIET, judge

DELIVERED, ACCEPTED, REFUSED, LOST = Outcome.DELIVERED, Outcome.ACCEPTED, Outcome.REFUSED, Outcome.LOST
UNREACHABLE, UNANSWERED = Outcome.UNREACHABLE, Outcome.UNANSWERED


def question(wanted: Outcome | None = DELIVERED) -> Question:
    id_ = "submission/587-starttls/external"
    return Question(id_, "A title", "Somebody loses it.", "RFC 6409", wanted, Severity.CRITICAL)


def seen(outcome: Outcome | None, text: str = "") -> Observation:
    return Observation(outcome, Stage.DELIVERY, Reply("250", "2.0.0", text))


def finding(verdict: Verdict, waived: str = "") -> Finding:
    waiver = Waiver("submission/*", waived) if waived else None
    good, bad, untold = seen(DELIVERED), seen(REFUSED), seen(None)
    sides = {
        Verdict.REGRESSED: ([good], [bad]),
        Verdict.CHANGED: ([good], [seen(DELIVERED, text="other words")]),
        Verdict.GAINED: ([bad], [good]),
        Verdict.BROKEN: ([bad], [bad]),
        Verdict.INCONCLUSIVE: ([good], [untold]),
        Verdict.UNSTABLE: ([good], [good, bad]),
    }[verdict]
    (made,) = findings([judge(question(), *sides)], waive=lambda _: waiver)
    assert made.verdict is verdict
    return made


WORKING = [judge(question(), [seen(DELIVERED)], [seen(DELIVERED)])]
"""Of a run that leaves nothing open."""


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - QUIET))
def test_what_fails_an_item(verdict: Verdict) -> None:
    usual = {Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.UNSTABLE}
    found = finding(verdict)
    assert fails(found, FailOn.MAJOR) is (verdict in usual)
    assert fails(found, FailOn.REGRESSED) is (verdict in usual)
    assert fails(found, FailOn.CHANGED) is (verdict in {*usual, Verdict.CHANGED})
    assert not fails(found, FailOn.NEVER)


@pytest.mark.parametrize(
    ("found", "decision"),
    [
        ([], Decision.GO),
        ([finding(Verdict.CHANGED), finding(Verdict.GAINED), finding(Verdict.BROKEN)], Decision.GO),
        ([finding(Verdict.REGRESSED)], Decision.NO_GO),
        ([finding(Verdict.INCONCLUSIVE)], Decision.CANNOT_TELL),
        ([finding(Verdict.UNSTABLE)], Decision.CANNOT_TELL),
        ([finding(Verdict.INCONCLUSIVE), finding(Verdict.REGRESSED)], Decision.NO_GO),
        ([finding(Verdict.REGRESSED, "we know")], Decision.GO_WITH_WAIVERS),
        ([finding(Verdict.INCONCLUSIVE, "we know")], Decision.GO_WITH_WAIVERS),
        ([finding(Verdict.REGRESSED, "we know"), finding(Verdict.REGRESSED)], Decision.NO_GO),
        ([finding(Verdict.REGRESSED, "we know"), finding(Verdict.UNSTABLE)], Decision.CANNOT_TELL),
        ([finding(Verdict.CHANGED, "needs no waiver")], Decision.GO),
    ],
)
def test_the_decision_of_a_run(found: list[Finding], decision: Decision) -> None:
    assert decide(found, WORKING) is decision


def test_fail_on_changed_makes_a_change_stop() -> None:
    changed, waived = finding(Verdict.CHANGED), finding(Verdict.CHANGED, "we know")
    assert decide([changed], WORKING, FailOn.CHANGED) is Decision.NO_GO
    assert decide([waived], WORKING, FailOn.CHANGED) is Decision.GO_WITH_WAIVERS
    assert decide([changed, finding(Verdict.INCONCLUSIVE)], WORKING, FailOn.CHANGED) is Decision.NO_GO


def test_fail_on_never_does_not_change_what_is_true() -> None:
    assert decide([finding(Verdict.REGRESSED)], WORKING, FailOn.NEVER) is Decision.NO_GO
    assert decide([finding(Verdict.UNSTABLE)], WORKING, FailOn.NEVER) is Decision.CANNOT_TELL
    assert decide([finding(Verdict.CHANGED)], WORKING, FailOn.NEVER) is Decision.GO


@pytest.mark.parametrize("grade", Severity)
@pytest.mark.parametrize(
    ("fail_on", "least"),
    [
        (FailOn.CRITICAL, Severity.CRITICAL),
        (FailOn.MAJOR, Severity.MAJOR),
        (FailOn.MINOR, Severity.MINOR),
        (FailOn.INFO, Severity.INFO),
        (FailOn.REGRESSED, Severity.INFO),
        (FailOn.CHANGED, Severity.INFO),
        (FailOn.NEVER, Severity.MAJOR),
    ],
)
def test_the_gate_counts_the_severity_of_a_regression(grade: Severity, fail_on: FailOn, least: Severity) -> None:
    lost = replace(finding(Verdict.REGRESSED), severity=grade)
    order = list(Severity)
    stops_ = order.index(grade) <= order.index(least)
    assert decide([lost], WORKING, fail_on) is (Decision.NO_GO if stops_ else Decision.GO)
    assert fails(lost, fail_on) is (stops_ and fail_on is not FailOn.NEVER)


# No wrong GO


def many(old: Outcome, new: Outcome, wanted: Outcome | None = DELIVERED) -> list[Comparison]:
    asked = [replace(question(wanted), id=f"{family}/25/x") for family in ("inbound", "relay")]
    return [judge(each, [seen(old)], [seen(new)]) for each in asked]


@pytest.mark.parametrize(
    ("comparisons", "said"),
    [
        ([], "Nothing was compared."),
        (many(UNREACHABLE, UNREACHABLE), "2.0.43 did not answer anything."),
        (many(UNANSWERED, UNANSWERED), "2024.06.24 did not answer anything."),
        (many(UNANSWERED, DELIVERED), "2.0.43 did not answer anything."),
        (many(UNREACHABLE, REFUSED, wanted=REFUSED), "2.0.43 did not answer anything."),
        (many(LOST, LOST), "Nothing in inbound works on 2.0.43, so nothing there can be compared."),
        (many(DELIVERED, DELIVERED)[:1] + many(LOST, LOST)[1:], "Nothing in relay works on 2.0.43,"),
    ],
)
def test_a_run_that_proves_nothing_is_no_go(comparisons: list[Comparison], said: str) -> None:
    found = gaps(comparisons, "2.0.43", "2024.06.24")
    assert any(said in sentence for sentence in found), found
    assert decide(findings(comparisons), comparisons) is Decision.CANNOT_TELL


def test_what_files_mean_is_no_answer_of_a_server_even_where_every_finding_is_waived() -> None:
    note = judge(replace(question(ACCEPTED), id="settings/relayhost"), [seen(ACCEPTED)], [seen(ACCEPTED)])
    compared = [note, *many(DELIVERED, UNREACHABLE)]
    found = findings(compared, waive=lambda _: Waiver("*", "all is well"))
    assert [each.waiver is not None for each in found] == [True, True]
    assert gaps(compared, "2.0.43", "2024.06.24") == ("2024.06.24 did not answer anything.",)
    assert decide(found, compared) is Decision.CANNOT_TELL
    assert decide([], [note]) is Decision.GO


@pytest.mark.parametrize("after", [UNREACHABLE, UNANSWERED, Outcome.NOT_OFFERED])
def test_silence_after_an_answer_is_no_mere_change_where_nothing_is_wanted(after: Outcome) -> None:
    working = many(ACCEPTED, ACCEPTED, wanted=None)[0]
    compared = [working, judge(question(None), [seen(ACCEPTED)], [seen(after)])]
    assert decide(findings(compared), compared) is Decision.NO_GO


def test_a_decision_needs_what_was_compared() -> None:
    assert decide([], []) is Decision.CANNOT_TELL
    assert decide([finding(Verdict.REGRESSED, "we know")], []) is Decision.CANNOT_TELL


def test_a_run_in_which_old_works_everywhere_has_no_gaps() -> None:
    assert gaps(many(DELIVERED, DELIVERED), "2.0.43", "2024.06.24") == ()
    assert gaps(many(REFUSED, REFUSED, wanted=REFUSED), "2.0.43", "2024.06.24") == ()
    assert gaps(many(ACCEPTED, ACCEPTED, wanted=None), "2.0.43", "2024.06.24") == ()


def test_a_regression_is_no_go_whatever_else_is_missing() -> None:
    assert decide([finding(Verdict.REGRESSED)], [], complete=False) is Decision.NO_GO
    assert decide([], WORKING, complete=False) is Decision.CANNOT_TELL
    assert decide([finding(Verdict.REGRESSED, "we know")], WORKING, complete=False) is Decision.CANNOT_TELL
