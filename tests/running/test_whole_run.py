from __future__ import annotations

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.model import Comparison, Decision
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.running.whole_run import compare_sides

ASKED = ("access/587-starttls/login", "access/993-tls/login")


def test_a_run_without_pytest_gives_report_and_recordings_and_tells_of_each_comparison_in_order() -> None:
    matrix, told = built_in(), list[Comparison]()
    plan = Plan(side_spec("recorded:2.0.43"), side_spec("recorded:2024.06.24"))
    report, (old, new) = compare_sides(plan, matrix, (matrix[id_] for id_ in ASKED), told.append)
    assert [comparison.question.id for comparison in told] == list(ASKED)
    assert (report.decision, report.counts["regressed"], report.counts["same"]) == (Decision.NO_GO, 1, 1)
    assert (str(old.side.release), str(new.side.release)) == ("2.0.43", "2024.06.24")
    assert set(old.observations) == set(new.observations) == set(ASKED)
