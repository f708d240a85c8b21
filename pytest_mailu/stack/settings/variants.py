"""Variants: small changes of settings that some behaviours need, and the services that read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_mailu.core import population
from pytest_mailu.core.setups import NEAR_PROXY
from pytest_mailu.stack.world import acme
from pytest_mailu.stack.world.plan import relayhost


@dataclass(frozen=True, slots=True)
class Variant:
    """`changes` to the settings of a stack (None: the release's own default); `services` are made anew for them."""

    name: str
    changes: Mapping[str, str | None] = field(default_factory=dict)
    services: tuple[str, ...] = ("smtp",)


MX = Variant("mx", services=())
"""No relay host: mail to other domains goes to their MX. Every stack starts in this variant."""

RELAY_HOST = Variant(
    "relayhost",
    {
        "RELAYHOST": relayhost("relay-starttls"),
        "RELAYUSER": population.RELAY_USER,
        "RELAYPASSWORD": population.RELAY_PASSWORD,
    },
)
"""Mail to other domains goes to a relay host that requires TLS and a login (core/postfix/conf/main.cf)."""

TOKENS_REQUIRED = Variant("tokens-required", {"AUTH_REQUIRE_TOKENS": "true"}, ("admin",))
"""Mail programs must log in with tokens (core/admin/mailu/internal/nginx.py, since 2024.06; ignored before)."""

RELAY_HOST_PLAIN = Variant("relayhost-plain", {"RELAYHOST": relayhost("relay-plain")})
"""A relay host in the own network, without TLS and login."""

RELAY_HOST_TLS = Variant("relayhost-tls", {**RELAY_HOST.changes, "RELAYHOST": relayhost("relay-tls")})
"""A relay host with implicit TLS."""

RELAY_HOST_INSECURE = Variant("relayhost-insecure", {**RELAY_HOST.changes, "RELAYHOST": relayhost("relay-insecure")})
"""A relay host that requires a login and offers no TLS."""

RELAY_HOST_WRONG = Variant("relayhost-wrong", {**RELAY_HOST.changes, "RELAYPASSWORD": "wrong"})
"""A relay host that refuses our password."""

API = Variant("api", {"API": "true"}, ("front",))
"""The REST interface is switched on: `front` passes its path on to `admin`, which has it always
(core/nginx/conf/nginx.conf and core/admin/mailu/__init__.py, since 2.0)."""

FETCHMAIL = Variant("fetchmail", {"FETCHMAIL_ENABLED": "true"}, ("admin",))
"""Users may have mail fetched from elsewhere: the web site has its forms (core/admin/mailu/ui/views/fetches.py)."""

HEADER_LOGIN = Variant("header-login", {"PROXY_AUTH_WHITELIST": NEAR_PROXY}, ("admin",))
"""The reverse proxy logs users in by a header (core/admin/mailu/sso/views/base.py, since 2.0)."""

HEADER_LOGIN_CREATES = Variant(
    "header-login-creates", {**HEADER_LOGIN.changes, "PROXY_AUTH_CREATE": "True"}, ("admin",)
)
"""The same, also users whom there is not."""

HEADER_LOGIN_ALONE = Variant(
    "header-login-alone", {**HEADER_LOGIN.changes, "REAL_IP_HEADER": "", "REAL_IP_FROM": ""}, ("admin", "front")
)
"""The same without the settings that say who else the proxy may speak for."""

SMALL_MESSAGES = Variant("small-messages", {"MESSAGE_SIZE_LIMIT": "100000"}, ("front", "smtp"))
"""A size limit that small messages reach (core/postfix/conf/main.cf; core/nginx/dovecot/proxy.conf, 2024.06)."""

VIRUS_REFUSED = Variant("virus-refused", {"ANTIVIRUS_ACTION": "reject"}, ("antispam",))
"""A message with a virus is refused, so that its sender hears of it (core/rspamd/conf/antivirus.conf)."""

VIRUS_DISCARDED = Variant("virus-discarded", {"ANTIVIRUS_ACTION": "discard"}, ("antispam",))
"""The default: a message with a virus is thrown away (1.9: core/admin/mailu/internal/templates/default.sieve). Since
2.0.33 Rspamd refuses it all the same (core/rspamd/conf/force_actions.conf)."""

REAL_ROUNDS = Variant("real-rounds", {"CREDENTIAL_ROUNDS": None}, ("admin",))
"""Passwords are hashed as dearly as the release does by default (core/admin/mailu/configuration.py); all other variants
use the cheapest hash."""

SHORT_SESSIONS = Variant("short-sessions", {"SESSION_TIMEOUT": "8"}, ("admin",))
"""A session of the web site ends after seconds in which nobody uses it (core/admin/mailu/utils.py, MailuSession)."""

ACME = Variant(
    "acme",
    {
        "HOSTNAMES": ",".join((population.HOSTNAME, population.SECOND_HOSTNAME)),
        # requests, by which certbot speaks to the authority, and so certbot, trust what is in it alone.
        "REQUESTS_CA_BUNDLE": acme.TRUSTED,
    },
    ("front",),
)
"""Two host names, and trust in the certificate authorities of the sealed world (core/nginx/letsencrypt.py)."""

VARIANTS = (
    *(MX, API, FETCHMAIL, TOKENS_REQUIRED, SMALL_MESSAGES, REAL_ROUNDS, VIRUS_REFUSED, VIRUS_DISCARDED),
    *(SHORT_SESSIONS, ACME),
    *(HEADER_LOGIN, HEADER_LOGIN_CREATES, HEADER_LOGIN_ALONE),
    *(RELAY_HOST, RELAY_HOST_PLAIN, RELAY_HOST_TLS, RELAY_HOST_INSECURE, RELAY_HOST_WRONG),
)
