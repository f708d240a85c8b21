"""Clients come over IPv6 from addresses of their own, in a network namespace that this test makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_mailu.core.model import Vantage

pytestmark = pytest.mark.engine
"""It needs the right to make a network namespace: root, or a kernel that gives it to everybody."""


def test_a_connection_comes_from_the_address_of_its_vantage_in_both_families() -> None:
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-m", "tests.worldapp.over_ipv6"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {str(vantage): str(vantage) for vantage in Vantage}
