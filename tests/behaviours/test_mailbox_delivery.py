from __future__ import annotations

import re

from pytest_mailu.behaviours.mailbox_delivery import ENOUGH_WORDS


def test_the_letter_has_enough_words_to_learn_from() -> None:
    assert len(set(re.findall(r"[a-z]{4,}", ENOUGH_WORDS.lower()))) > 22
