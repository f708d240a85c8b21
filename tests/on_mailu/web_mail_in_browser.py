"""Web mail in a real browser, on stacks of Mailu.

No test of the package by itself: it needs images of Mailu, Chromium with its driver, and a name on the command line:

    pytest tests/on_mailu/web_mail_in_browser.py -k in_browser --mailu-from 2.0 --mailu-to 2024.06 --mailu-with webmail

`--mailu-setup snappymail` has another web mail. Without `-k`, the behaviours of the matrix are compared as well.

The test lab's Roundcube is looked at in tests/lab/test_web_mail_in_browser.py.
"""

from __future__ import annotations

import pytest

from pytest_mailu import Outcome
from tests.web_mail_pages import SECONDS, in_browser


@pytest.mark.parametrize("side", ["mailu_old", "mailu_new"])
def test_web_mail_draws_the_list_of_messages_in_a_browser(side: str, request: pytest.FixtureRequest) -> None:
    seen = request.getfixturevalue(side).ask(in_browser, timeout=4 * SECONDS)
    assert seen.outcome is Outcome.ACCEPTED, seen
    assert seen.facts["errors"] == []
