"""The lab's Roundcube in a real browser, which sees what a program that reads its pages does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu import Observation, Outcome, Probe, Severity, behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Report, Verdict
from pytest_mailu.core.setups import Feature
from tests.lab import trial
from tests.lab.build import build
from tests.lab.faults import IN_BROWSER
from tests.lab.setups import setup_of
from tests.web_mail_pages import SECONDS, in_browser

pytestmark = [pytest.mark.engine, pytest.mark.browser, pytest.mark.long]

BROKEN = IN_BROWSER["script-broken"]
DRAWN = "webmail/roundcube/in-browser"
PAGES = ("webmail/roundcube/login", "webmail/roundcube/list/plain", "webmail/roundcube/read/text")


@behaviour(
    DRAWN,
    needs=WEB_MAIL,
    of_setup=(Feature.ROUNDCUBE,),
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    timeout=4.0 * SECONDS,
)
async def drawn(probe: Probe) -> Observation:
    """Roundcube draws the list of messages in a browser

    Users see an empty page.

    Roundcube, program/js/list.js
    """
    return await in_browser(probe)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The lab without a fault against the lab with a broken script."""
    build()
    folder: Path = tmp_path_factory.mktemp("browser")
    return trial.unhurried(
        lambda: trial.compare(
            folder,
            "2024.06",
            "2024.06",
            env_new={"LAB_FAULT": BROKEN.name},
            only=(DRAWN, *PAGES),
            setup=setup_of(BROKEN),
            more=(drawn,),
        )
    )


def test_a_browser_draws_the_list_of_messages_without_an_error_of_a_script(report: Report) -> None:
    (found,) = [finding for finding in report.findings if finding.behaviour == DRAWN]
    assert found.old is not None
    assert (found.old.outcome, found.old.facts["errors"]) == (Outcome.ACCEPTED, [])


def test_a_broken_script_is_seen_in_a_browser_alone(report: Report) -> None:
    assert [(finding.behaviour, finding.verdict) for finding in report.findings] == [(DRAWN, Verdict.REGRESSED)]
    (found,) = report.findings
    assert found.new is not None
    assert found.new.outcome is Outcome.LOST
    assert "Uncaught SyntaxError" in str(found.new.facts["errors"])
