"""Variants: small changes of settings that some behaviours need, and the services that read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_mailu.core import population
from pytest_mailu.stack.world.plan import relayhost


@dataclass(frozen=True, slots=True)
class Variant:
    """`changes` to the settings of a stack; `services` are made anew for them."""

    name: str
    changes: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ("smtp",)


MX = Variant("mx")
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

SMALL_MESSAGES = Variant("small-letters", {"MESSAGE_SIZE_LIMIT": "100000"}, ("front", "smtp"))
"""A size limit that small messages reach (core/postfix/conf/main.cf; core/nginx/dovecot/proxy.conf, 2024.06)."""

VARIANTS = (
    *(MX, TOKENS_REQUIRED, SMALL_MESSAGES),
    *(RELAY_HOST, RELAY_HOST_PLAIN, RELAY_HOST_TLS, RELAY_HOST_INSECURE, RELAY_HOST_WRONG),
)
