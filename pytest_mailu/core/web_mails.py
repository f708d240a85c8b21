"""The programs that a Mailu may have as web mail, as data.

Source: setup/templates/steps/compose/02_services.html and webmails/ of 1.9.50, 2.0.43 and 2024.06.24.
"""

from __future__ import annotations

from enum import StrEnum


class WebMailKind(StrEnum):
    """A program; the value is that of the setting `WEBMAIL`."""

    ROUNDCUBE = "roundcube"
    SNAPPYMAIL = "snappymail"
    RAINLOOP = "rainloop"
    """In 1.9 alone; SnappyMail, a fork of it, took its place in 2.0."""

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_WORDS = {
    WebMailKind.ROUNDCUBE: "Roundcube",
    WebMailKind.SNAPPYMAIL: "SnappyMail",
    WebMailKind.RAINLOOP: "RainLoop",
}

NO_WEB_MAIL = frozenset({"", "none"})
"""Values of `WEBMAIL` without any."""


def web_mail_words(setting: str) -> str:
    """The web mail that a value of `WEBMAIL` means, for people; what Mailu does not know as it is written."""
    value = setting.strip().lower()
    return WebMailKind(value).words if value in set(WebMailKind) else setting.strip()
