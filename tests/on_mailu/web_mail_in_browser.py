"""Web mail in a real browser, on stacks of Mailu.

No test of the package by itself: it needs images of Mailu, Chromium with its driver, and a name on the command line:

    pytest tests/on_mailu/web_mail_in_browser.py --mailu-from 2.0.43 --mailu-to 2024.06.24 --mailu-setup snappymail

The test lab's Roundcube is looked at in tests/lab/test_web_mail_in_browser.py.
"""

from __future__ import annotations

import pytest

from pytest_mailu import Outcome
from tests.web_mail_pages import SECONDS, in_browser


@pytest.mark.parametrize("side", ["mailu_old", "mailu_new"])
def test_the_scripts_of_web_mail_draw_the_list_of_messages(side: str, request: pytest.FixtureRequest) -> None:
    seen = request.getfixturevalue(side).ask(in_browser, timeout=4 * SECONDS)
    assert seen.outcome is Outcome.ACCEPTED, seen
    assert seen.facts["errors"] == []
