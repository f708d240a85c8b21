"""Web mails by name."""

from __future__ import annotations

import pytest

from pytest_mailu.core.setups import WEB_MAILS, Feature
from pytest_mailu.core.web_mails import WebMailKind, web_mail_words


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("roundcube", "Roundcube"),
        (" SnappyMail ", "SnappyMail"),
        ("rainloop", "RainLoop"),
        ("other", "other"),
        ("", ""),
    ],
)
def test_a_setting_is_told_in_words(setting: str, words: str) -> None:
    assert web_mail_words(setting) == words


def test_every_web_mail_that_is_asked_is_a_feature_of_its_name() -> None:
    assert {str(kind): str(feature) for kind, feature in WEB_MAILS.items()} == {
        str(kind): str(Feature(str(kind))) for kind in WEB_MAILS
    }
    assert all(kind.words for kind in WebMailKind)
