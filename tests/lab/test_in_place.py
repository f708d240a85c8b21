"""An upgrade in place on the lab: nothing is told where nothing is lost, and each loss is caught by its behaviour."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.globs import any_of
from pytest_mailu.core.in_place import CopyKind, Origin
from pytest_mailu.core.model import Decision, Report, Severity, Verdict
from tests.lab import trial
from tests.lab.build import build
from tests.lab.faults import NOT_IN_THE_LAB
from tests.lab.losses import LOSSES, Loss

pytestmark = pytest.mark.engine(apart=True)

WHOLE = bool(os.environ.get("LAB_WHOLE"))
"""Each loss in a run of its own, with `LAB_WHOLE=1`; CI tries those together that do not hide each other."""
TOGETHER = (
    (
        *("message-deleted", "keywords-dropped", "folder-renamed", "subscription-lost", "filter-deactivated"),
        *("queue-doubled", "migration-skipped", "fetched-account-lost"),
    ),
    ("message-doubled", "uidvalidity-changed", "alias-missing", "forward-off", "dkim-replaced", "quota-changed"),
    ("flags-dropped", "hashes-refused", "queue-emptied"),
)
ENDS = tuple(name for name, loss in LOSSES.items() if loss.ends)
ASKED = [
    behaviour.id
    for behaviour in built_in()
    if behaviour.in_place and not behaviour.option and not any_of(NOT_IN_THE_LAB, behaviour.id)
] + ["services/admin/stays-up", "access/993-tls/login"]


@pytest.fixture(scope="module", autouse=True)
def images() -> None:
    build()


def rehearsed(folder: Path, losses: tuple[str, ...], timeout: float = 120.0) -> Report:
    env_new = {"LAB_LOSS": ",".join(losses)} if losses else None

    def ask() -> Report:
        return trial.compare(folder, "2024.06", "2024.06", env_new=env_new, only=ASKED, timeout=timeout, in_place=True)

    return trial.unhurried(ask)


def regressed(report: Report) -> set[str]:
    return {finding.behaviour for finding in report.findings if finding.verdict is Verdict.REGRESSED}


def test_the_same_release_in_place_on_itself_loses_nothing_and_the_way_back_is_open(tmp_path: Path) -> None:
    report = rehearsed(tmp_path, ())
    told = [
        (finding.behaviour, finding.verdict) for finding in report.findings if finding.verdict is not Verdict.BROKEN
    ]
    assert not told
    assert report.decision is Decision.GO
    assert report.in_place is not None
    (hop,) = report.in_place.hops
    assert hop.data.files > 300
    assert hop.data.kind in (CopyKind.OVERLAY, CopyKind.COPIED)
    assert hop.ready_seconds > 0
    back = report.in_place.way_back
    assert back is not None
    assert back.untouched
    assert back.works, back.detail


@pytest.mark.long
def test_the_way_back_is_open_where_a_service_starts_once_in_a_container(tmp_path: Path) -> None:
    """Dovecot of 1.9.50 does not come back in its old container after it was killed: that was "the way back fails"."""
    report = trial.unhurried(
        lambda: trial.compare(
            tmp_path,
            "2024.06",
            "2024.06",
            env={"LAB_FAULT": "stale-pid"},
            only=["access/993-tls/login", "upgrade/login/*"],
            in_place=True,
        )
    )
    assert report.in_place is not None
    back = report.in_place.way_back
    assert back is not None
    assert back.works, back.detail


@pytest.mark.long
@pytest.mark.parametrize(
    "losses", [(name,) for names in TOGETHER for name in names] if WHOLE else TOGETHER, ids="+".join
)
def test_each_loss_is_caught_by_its_behaviour(losses: tuple[str, ...], tmp_path: Path) -> None:
    report = rehearsed(tmp_path, losses)
    lost = regressed(report)
    for name in losses:
        assert set(LOSSES[name].caught_by) <= lost, (name, lost)
    allowed = {id_ for name in losses for id_ in LOSSES[name].caught_by} | _radius(losses)
    assert lost <= allowed
    caught = {id_ for name in losses for id_ in LOSSES[name].caught_by}
    grades = {finding.severity for finding in report.findings if finding.behaviour in caught}
    assert grades <= {Severity.CRITICAL, Severity.MAJOR}, "each of them stops the upgrade"
    assert report.decision is Decision.NO_GO


def _radius(losses: tuple[str, ...]) -> set[str]:
    """What else a loss shows in: a message that is gone is also gone from the flags and the numbers of its folder."""
    mail = {"upgrade/mail/messages", "upgrade/mail/flags", "upgrade/mail/uids", "upgrade/mail/folders"}
    moved = {"message-deleted", "message-doubled", "folder-renamed", "uidvalidity-changed"}
    hashes = {f"upgrade/login/hash-{kind}" for kind in HASHES}
    return (mail if moved & set(losses) else set()) | (hashes if "hashes-refused" in losses else set())


HASHES = ("bcrypt", "bcrypt-sha256", "md5-crypt", "pbkdf2-sha256", "sha256-crypt", "sha512-crypt")


@pytest.mark.long
@pytest.mark.parametrize("name", ENDS)
def test_a_migration_that_does_not_come_to_its_end_names_the_service_and_what_it_logged(
    name: str, tmp_path: Path
) -> None:
    loss: Loss = LOSSES[name]
    report = rehearsed(tmp_path, (name,), timeout=45.0)
    assert set(loss.caught_by) <= regressed(report)
    assert report.decision is Decision.NO_GO
    assert report.in_place is not None
    (hop,) = report.in_place.hops
    assert "service admin" in hop.failure
    assert loss.ends in hop.failure or loss.ends == "…"
    (finding,) = [each for each in report.findings if each.behaviour == "services/admin/stays-up"]
    assert finding.origin is Origin.DATA
