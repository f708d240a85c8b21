"""Forms as behaviours see them: on a site that saves, and on one with each thing gone wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.model import Observation, Outcome, Severity, Verdict
from pytest_mailu.judging.judge import judge, severity
from tests.behaviours.fake_forms import FormSite
from tests.behaviours.local_stack import local_probe

IDS = tuple(made.id for made in built_in() if made.id.startswith("admin/form/"))


def seen(folder: Path, *ids: str, faults: tuple[str, ...] = ()) -> list[Observation]:
    """What each of these behaviours sees of one site."""

    async def ask() -> list[Observation]:
        async with FormSite(*faults).serving(folder) as site:
            return [await built_in()[id_].ask(local_probe({443: site.port})) for id_ in ids]

    return asyncio.run(ask())


def test_a_site_that_saves_serves(tmp_path: Path) -> None:
    for id_, observed in zip(IDS, seen(tmp_path, *IDS), strict=True):
        assert observed.outcome is Outcome.ACCEPTED, (id_, observed)
        if id_.endswith("-fields"):
            assert len(observed.facts["saved"]) >= 2, id_
        if id_.endswith("-wrong"):
            assert observed.facts["kept"], id_
            assert len(observed.facts["refused"]) >= len(observed.facts["answers"]) - 1, id_


FAULTS = [
    ("forgets", "admin/form/user-create", Severity.MAJOR),
    ("forgets", "admin/form/token-create", Severity.MAJOR),
    ("forgets", "admin/form/user-settings-fields", Severity.MAJOR),
    ("empty-500", "admin/form/domain-create-parts-empty", Severity.MAJOR),
    ("empty-500", "admin/form/fetch-create-parts-empty", Severity.MAJOR),
    ("wrong-500", "admin/form/relay-create-wrong", Severity.MINOR),
    ("takes-wrong", "admin/form/user-reply-wrong", Severity.MINOR),
    ("stays", "admin/form/alias-create-removed", Severity.MAJOR),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    ids = sorted({id_ for _, id_, _ in FAULTS})
    return dict(zip(ids, seen(tmp_path_factory.mktemp("whole"), *ids), strict=True))


@pytest.mark.parametrize(("fault", "id_", "worth"), FAULTS)
def test_what_is_lost_is_a_regression(
    fault: str, id_: str, worth: Severity, whole: dict[str, Observation], tmp_path: Path
) -> None:
    comparison = judge(built_in()[id_].question, [whole[id_]] * 2, seen(tmp_path, id_, faults=(fault,)) * 2)
    assert comparison.verdict is Verdict.REGRESSED
    assert severity(comparison) is worth
