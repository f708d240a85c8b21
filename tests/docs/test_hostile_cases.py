"""docs/hostile-input.md claims no more hostile cases than there are, and at least 2,000."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.hostile_cases import SUITES

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([^|]+?) \| ([\d,]+) \|$", re.MULTILINE)


def rows(text: str) -> dict[str, int]:
    return {name: int(count.replace(",", "")) for name, count in ROW.findall(text) if name in SUITES}


def test_the_page_claims_no_more_cases_than_there_are() -> None:
    claimed = rows((ROOT / "docs" / "hostile-input.md").read_text("utf-8"))
    made = subprocess.run(
        [sys.executable, "-m", "tests.hostile_cases"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    counted = rows(made.stdout)
    assert claimed.keys() == counted.keys() == SUITES.keys()
    assert {name: count for name, count in claimed.items() if count > counted[name]} == {}
    assert sum(claimed.values()) >= 2_000
