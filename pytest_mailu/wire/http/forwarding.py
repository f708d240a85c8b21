"""What a reverse proxy makes of a browser's requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from pytest_mailu.core.model import Vantage
from pytest_mailu.core.proxies import LISTED

Headers: TypeAlias = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How the last proxy before the web server passes requests on.

    Its connections come from `vantage`. `port` is where requests for HTTPS go without TLS; None leaves TLS between
    proxy and server. `header` is the one that names the client, empty without it: `addresses` are the client's, and
    those of the proxies before the last one.
    """

    vantage: Vantage
    port: int | None = None
    header: str = ""
    addresses: tuple[str, ...] = ()

    def headers(self, sent: Iterable[tuple[bytes, bytes]], scheme: bytes) -> Headers:
        """The headers of a request as they leave the proxy.

        What the client sends of `X-Forwarded-For` is kept in front, as most proxies do; of other headers nothing.
        """
        name, given = self.header.encode(), list(sent)
        kept = [(key, value) for key, value in given if key.lower() not in (b"x-forwarded-proto", name.lower())]
        kept.append((b"X-Forwarded-Proto", scheme))
        if not name:
            return kept
        addresses = [address.encode() for address in self.addresses]
        if self.header.lower() != LISTED.lower():
            return [*kept, (name, addresses[0])]
        own = [value for key, value in given if key.lower() == name.lower()]
        return [*kept, (name, b", ".join([*own, *addresses]))]
