"""What is copied into a container before it starts."""

from __future__ import annotations

from pathlib import Path

from pytest_mailu.core.releases import SERIES, Release
from pytest_mailu.stack.container_files import files_for
from pytest_mailu.stack.docker.networks import choose_layout
from pytest_mailu.stack.world.certificates import authority
from pytest_mailu.worldapp.plan import read_plan


def test_fetchmail_trusts_the_authority_of_the_run_in_every_series() -> None:
    """The folder is that of --sslcertpath (optional/fetchmail/fetchmail.py, 1.9 to master)."""
    for series in SERIES:
        files = files_for("fetchmail", Release.parse(series), choose_layout([]), None, "token")
        assert files == {f"/etc/ssl/certs/{authority().file_name}": authority().pem.encode()}


def test_the_world_finds_databases_by_the_engine_s_dns(tmp_path: Path) -> None:
    """It refused them at first: whether one is ready was never seen."""
    layout = choose_layout([])
    files = files_for("world", Release.parse("2.0.43"), layout, None, "t" * 32, databases=("db", "imap"))
    content = files["/world/plan.json"]
    assert isinstance(content, bytes)
    (tmp_path / "plan.json").write_bytes(content)
    plan = read_plan(str(tmp_path / "plan.json"))
    assert plan.services["db"] == ""
    assert plan.services["imap"] == str(layout.service("imap"))
