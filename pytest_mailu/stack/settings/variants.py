"""Small changes of settings that some behaviours need, and which services must be made again for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_mailu.core import population
from pytest_mailu.stack.world.control import relayhost


@dataclass(frozen=True, slots=True)
class Variant:
    """`changes` to the environment of a stack; `services` read them."""

    name: str
    changes: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ("smtp",)


MX = Variant("mx")
"""No relay host: mail to others goes to their mail exchanger. The state of a stack that is just up."""

RELAY_HOST = Variant(
    "relayhost",
    {
        "RELAYHOST": relayhost("relay-starttls"),
        "RELAYUSER": population.RELAY_USER,
        "RELAYPASSWORD": population.RELAY_PASSWORD,
    },
)
"""Everything to others goes to a relay host that wants TLS and a login (core/postfix/conf/main.cf, all releases)."""

TOKENS_REQUIRED = Variant("tokens-required", {"AUTH_REQUIRE_TOKENS": "true"}, ("admin",))
"""Mail programs log in with tokens only (core/admin/mailu/internal/nginx.py, since 2024.06; unknown before)."""

RELAY_HOST_PLAIN = Variant("relayhost-plain", {"RELAYHOST": relayhost("relay-plain")})
"""A relay host of one's own network, without TLS and logins."""

RELAY_HOST_TLS = Variant("relayhost-tls", {**RELAY_HOST.changes, "RELAYHOST": relayhost("relay-tls")})
"""A relay host that speaks TLS from the start."""

RELAY_HOST_INSECURE = Variant("relayhost-insecure", {**RELAY_HOST.changes, "RELAYHOST": relayhost("relay-insecure")})
"""A relay host that wants a login and has no TLS."""

RELAY_HOST_WRONG = Variant("relayhost-wrong", {**RELAY_HOST.changes, "RELAYPASSWORD": "wrong"})
"""A relay host that does not take our password."""

SMALL_MESSAGES = Variant("small-letters", {"MESSAGE_SIZE_LIMIT": "100000"}, ("front", "smtp"))
"""A limit that is reached with little traffic (core/postfix/conf/main.cf; core/nginx/dovecot/proxy.conf, 2024.06)."""

VARIANTS = (
    *(MX, TOKENS_REQUIRED, SMALL_MESSAGES),
    *(RELAY_HOST, RELAY_HOST_PLAIN, RELAY_HOST_TLS, RELAY_HOST_INSECURE, RELAY_HOST_WRONG),
)
