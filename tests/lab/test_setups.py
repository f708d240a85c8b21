"""Several set-ups in one run on the lab: one after the other, each with its decision and its reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.build import ORG, build

pytestmark = [pytest.mark.engine, pytest.mark.long]

ASKED = ("web/page/login", "admin/form/alias-create", "access/143-plain/login", "access/993-tls/login")


def test_two_set_ups_are_compared_one_after_the_other(tmp_path: Path) -> None:
    build()
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:randomly", *(f"mailu::{id_}" for id_ in ASKED)),
        *("--mailu-from=2024.06", "--mailu-to=2024.06", "--mailu-pull=never", "--mailu-report=out"),
        *("--mailu-setup=notls-ports", "--mailu-setup=mail"),
    ]
    environ = {**os.environ, "DOCKER_ORG": ORG, "PYTEST_ADDOPTS": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    compared = {"notls-ports": 3, "mail": 3}
    for name, number in compared.items():
        report = json.loads((tmp_path / "out" / name / "report.json").read_text("utf-8"))
        assert (report["decision"], report["setup"], report["counts"]["same"]) == ("go", name, number)
        assert f"(set-up {name})" in done.stdout
