"""Small changes of settings that some behaviours need, and which services must be made again for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_mailu import population
from pytest_mailu.stack.world import relayhost


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

VARIANTS = (MX, TOKENS_REQUIRED, RELAY_HOST)
