"""Who upgrades as Mailu's documents say, with the set-up page's files of the new release, gets no false alarm."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pytest_mailu.core.model import Verdict
from pytest_mailu.core.releases import SERIES, Release
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.model import Deployment
from pytest_mailu.deployment.reader import Sources, read_deployment, with_compose
from pytest_mailu.judging.judge import judge
from tests.deployment.setup_page import EVERYTHING, write

PORTS = "25,80,110,143,443,465,587,993,995,4190"
CHOICES = {"everything": EVERYTHING, "resolver": frozenset(("resolver",)), "nothing": frozenset[str]()}
TRUE_ALARMS = {
    "settings/compose/antivirus/healthcheck",
    "settings/compose/fts_attachments/tag",
    "settings/known/release/ocsp-stapling",
}
"""Faults of the set-up page's own files (https://github.com/Mailu/Mailu/issues/3836 and, up to 2024.06.41, 3903), and
of the last 2.0 with Let's Encrypt (3886), which is what the page chooses."""
RELEASES = {
    series.series: [Release(series.series, patch) for patch in range((series.last.patch or 0) + 1)]
    for series in load().series
    if series.last.patch is not None
}
LAST = [*(patches[-1] for patches in RELEASES.values()), Release(SERIES[-1])]


def alarms(before: Deployment, old: Release, new: Release, after: Deployment) -> set[str]:
    found = check(before, old, new, after)
    loud = (Verdict.REGRESSED, Verdict.BROKEN)
    return {note.id for note in found if judge(note.question, [note.old], [note.new]).verdict in loud}


def deployment(folder: Path, release: Release, choices: str, ports: str = "") -> Deployment:
    return read_deployment(Sources(write(folder, load(), release, CHOICES[choices], ports)))


def prepared(before: Deployment, folder: Path, release: Release, choices: str, ports: str = "") -> Deployment:
    """The set-up page's files of another release in a folder of their own, as `--mailu-compose-new` reads them."""
    file = write(folder, load(), release, CHOICES[choices], ports) / "docker-compose.yml"
    return with_compose(before, Sources(before.root), file)


@pytest.mark.parametrize("choices", CHOICES)
@pytest.mark.parametrize(("old", "new"), list(pairwise(LAST)), ids=str)
def test_from_series_to_series_only_what_really_closes_is_told(
    old: Release, new: Release, choices: str, tmp_path: Path
) -> None:
    before = deployment(tmp_path / "before", old, choices)
    closed = {"settings/ports/110", "settings/ports/143", "settings/ports/587"}
    found = alarms(before, old, new, prepared(before, tmp_path / "after", new, choices))
    assert found - TRUE_ALARMS == (closed if new.series == "2024.06" else set())
    cured = prepared(before, tmp_path / "cured", new, choices, PORTS if new.since("2024.06") else "")
    assert alarms(before, old, new, cured) <= TRUE_ALARMS


@pytest.mark.parametrize("series", RELEASES)
def test_from_patch_to_patch_the_same_files_go_on_working(series: str, tmp_path: Path) -> None:
    for old, new in pairwise(RELEASES[series]):
        same = deployment(tmp_path / str(old), old, "everything", PORTS if new.since("2024.06") else "")
        found = {id_ for id_ in alarms(same, old, new, same) if not id_.startswith("settings/known/release/")}
        moved = {f"settings/compose/antivirus/{name}" for name in ("image", "mount/var/lib/clamav")}
        assert found - TRUE_ALARMS <= moved, f"{old} → {new}"
