"""A config-export of the user's server: its accounts live on both sides, and their addresses are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_mailu.core.model import Decision, Verdict
from tests.lab import trial
from tests.lab.build import build

pytestmark = [pytest.mark.engine, pytest.mark.long]


def exported(path: Path) -> Path:
    users = [{"email": f"person{number}@kontor.example", "password": "$6$geheim"} for number in range(30)]
    alias = [{"email": "info@kontor.example", "destination": ["person1@kontor.example"]}]
    path.write_text(json.dumps({"domain": [{"name": "kontor.example"}], "user": users, "alias": alias}))
    return path


def test_own_addresses_are_asked_on_both_sides_and_named_by_their_place_in_the_file(tmp_path: Path) -> None:
    build()
    report = trial.compare(
        tmp_path / "run",
        "2024.06",
        "2024.06",
        env_new={"LAB_FAULT": "alias-lost"},
        only=["inbound/own-addresses", "access/993-tls/login"],
        export=exported(tmp_path / "export.json"),
    )
    (finding,) = report.findings
    assert (finding.behaviour, finding.verdict) == ("inbound/own-addresses", Verdict.REGRESSED)
    assert report.decision is Decision.NO_GO
    assert finding.old is not None
    assert finding.new is not None
    assert (finding.old.facts["accepted"], finding.new.facts["accepted"]) == (31, 30)
    assert (finding.old.facts["who"], finding.new.facts["who"]) == ([], ["alias 1"])
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "run").rglob("*.json"))
    assert "kontor" not in text + str(report)
    assert "geheim" not in text
