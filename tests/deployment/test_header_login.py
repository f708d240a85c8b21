"""Login by a proxy's header: which releases believe a stranger, where the proxy's address is not named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_mailu.core.model import Verdict
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.reader import Sources, read_deployment
from pytest_mailu.judging.judge import judge

FILES = Path(__file__).parent / "deployments" / "20-header-login"
OPEN = "settings/env/PROXY_AUTH_WHITELIST/open"


def verdict(folder: Path, old: str, new: str) -> Verdict | None:
    notes = check(read_deployment(Sources(folder)), Release.parse(old), Release.parse(new))
    return next((judge(note.question, [note.old], [note.new]).verdict for note in notes if note.id == OPEN), None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("1.9.50", "2.0.43", Verdict.REGRESSED),
        ("2.0.43", "2024.06.24", Verdict.BROKEN),
        ("2024.06.24", "2024.06.54", Verdict.BROKEN),
        ("2024.06.54", "2024.06.55", Verdict.GAINED),
        ("2024.06.55", "2024.06.57", None),
    ],
)
def test_the_releases_decide(old: str, new: str, told: Verdict | None) -> None:
    assert verdict(FILES, old, new) is told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("REAL_IP_HEADER=X-Real-IP", Verdict.BROKEN),
        ("REAL_IP_FROM=192.0.2.7", Verdict.BROKEN),
        ("REAL_IP_FROM=192.0.2.7\nPROXY_PROTOCOL=mail", Verdict.BROKEN),
        ("REAL_IP_FROM=192.0.2.7\nREAL_IP_HEADER=X-Real-IP", None),
        ("REAL_IP_FROM=192.0.2.7\nPROXY_PROTOCOL=all", None),
    ],
)
def test_only_both_settings_close_it(tmp_path: Path, settings: str, told: Verdict | None) -> None:
    folder = shutil.copytree(FILES, tmp_path / "mailu")
    with (folder / "mailu.env").open("a", encoding="utf-8") as env:
        env.write(f"{settings}\n")
    assert verdict(folder, "2.0.43", "2024.06.24") is told
