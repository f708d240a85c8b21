"""What behaviours need undisturbed, where that is less than everything: the services that take part in what they do."""

from __future__ import annotations

from typing import Any

from pytest_mailu.core.endpoints import Endpoint
from pytest_mailu.core.setups import WEB_MAILS, Feature
from pytest_mailu.core.web_mails import WebMailKind

CONNECTION = frozenset({"front"})
"""A connection and its TLS, before anybody logs in."""
WEB = frozenset({"front", "admin", "redis"})
"""Pages of the administration; sessions are kept in redis."""
SITE = WEB | {"antispam", "imap"}
"""The web site with what it shows of other services, and logins to a mailbox."""
MAILBOX = frozenset({"front", "admin", "redis", "imap"})
"""Reading mail: `admin` checks logins and quotas, redis counts failures."""

WEB_MAIL = SITE | {"webmail"}
"""Web mail: reading, and what it saves by IMAP."""
WEB_MAIL_SENDING = WEB_MAIL | {"smtp"}


def of_web_mail(mail: WebMailKind, **_: Any) -> frozenset[Feature]:
    """What the behaviours of one web mail need of a set-up: that it has this one."""
    return frozenset({WEB_MAILS[mail]})


def itself(service: str, **_: Any) -> frozenset[str]:
    """What a behaviour about one service needs."""
    return frozenset({service})


def to_log_in(endpoint: Endpoint, **_: Any) -> frozenset[str]:
    """What a login at an endpoint needs: the checks of logins, and the service behind."""
    return WEB | {endpoint.protocol.service}
