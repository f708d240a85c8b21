"""The two login mechanisms that mail programs use: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login)."""

from __future__ import annotations

from base64 import b64encode
from typing import Literal

Mechanism = Literal["PLAIN", "LOGIN"]


def responses(mechanism: Mechanism, user: str, password: str) -> tuple[bytes, ...]:
    """What the client answers to the server's challenges, in turn, in base64."""
    name, secret = user.encode(), password.encode()
    parts = (b"\0" + name + b"\0" + secret,) if mechanism == "PLAIN" else (name, secret)
    return tuple(b64encode(part) for part in parts)
