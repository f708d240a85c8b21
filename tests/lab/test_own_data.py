"""The user's own data in a rehearsal: taken over, looked at, and neither changed nor told to anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu.core.in_place import CopyKind
from pytest_mailu.core.model import Decision, Outcome, Report, Verdict
from tests.lab import own_folder, trial
from tests.lab.build import build

pytestmark = [pytest.mark.engine(apart=True), pytest.mark.long]

ASKED = ("upgrade/own/*", "upgrade/mail/uids", "access/993-tls/login")
TWINS = (
    "insert into user (email, localpart, domain_name) values ('Person1@kontor.example', 'Person1', 'kontor.example')"
)


@pytest.fixture(scope="module", autouse=True)
def images() -> None:
    build()


def rehearsed(folder: Path, data: Path, *losses: str, names: bool = False) -> Report:
    env_new = {"LAB_LOSS": ",".join(losses)} if losses else None
    return trial.compare(
        folder, "2024.06", "2024.06", env_new=env_new, only=ASKED, in_place=True, data=data, data_names=names
    )


def verdicts(report: Report) -> dict[str, Verdict]:
    return {finding.behaviour: finding.verdict for finding in report.findings if finding.verdict is not Verdict.BROKEN}


def told(folder: Path) -> str:
    """Everything that was written of a run."""
    return "".join(path.read_text("utf-8") for path in folder.rglob("*") if path.is_file())


def test_own_data_survives_is_not_changed_and_names_nobody(tmp_path: Path) -> None:
    data = own_folder.make(tmp_path / "mailu", TWINS)
    before = own_folder.fingerprint(data)
    report = rehearsed(tmp_path / "run", data)
    assert own_folder.fingerprint(data) == before
    assert not verdicts(report)
    assert report.decision is Decision.GO
    found = report.in_place
    assert found is not None
    assert found.own_untouched is True
    assert found.people["messages"] == 48
    assert found.people["users"] == 5
    assert any("differ from another one in upper and lower case only" in each for each in found.checks)
    assert any("1 message waits in the queue" in each for each in found.checks)
    assert found.hops[0].data.kind is CopyKind.OVERLAY
    text = f"{report}{told(tmp_path / 'run')}"
    for secret in (own_folder.DOMAIN, own_folder.WORD, "person1", "rounds=1000$tNBrM27XSv2jtygM"):
        assert secret not in text, secret


def test_losses_of_own_data_are_caught_and_people_named_where_that_is_asked_for(tmp_path: Path) -> None:
    data = own_folder.make(tmp_path / "mailu")
    before = own_folder.fingerprint(data)
    report = rehearsed(tmp_path / "run", data, "own-message-deleted", "own-forward-off", names=True)
    assert own_folder.fingerprint(data) == before
    assert verdicts(report) == dict.fromkeys(("upgrade/own/accounts", "upgrade/own/mail"), Verdict.REGRESSED)
    seen = {finding.behaviour: finding.new for finding in report.findings}
    accounts, mail = seen["upgrade/own/accounts"], seen["upgrade/own/mail"]
    assert accounts is not None
    assert mail is not None
    assert accounts.outcome is Outcome.ALTERED
    assert accounts.facts["changed"] == {"user.forward_enabled": 1}
    assert accounts.facts["named"] == ["person0@kontor.example"]
    assert mail.outcome is Outcome.LOST
    assert (mail.facts["fewer"], mail.facts["named"]) == (1, ["person1@kontor.example"])
