"""DKIM (RFC 6376): a test key for Mailu's domains and one for strangers; signing and verifying messages.

The keys are part of the package and no secrets: the world's zones can be written before anything starts, and a
recording can be compared with a run. All domains they sign for end in `.example`. The libraries take a third of a
second to import, which two recordings do not need: they are imported where they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dkim

SELECTOR = "dkim"
"""Mailu's own default (DKIM_SELECTOR in core/admin/mailu/configuration.py, 1.9 to master)."""

_SIGNED = (b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type")


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM-Signature of a message. `why` is empty where it verifies."""

    domain: str
    selector: str
    valid: bool
    why: str = ""


@cache
def private_key() -> str:
    """The key of Mailu's domains as PEM (PKCS #8): for its `config-import` as `dkim_key`."""
    return (files("pytest_mailu.stack.world") / "dkim_key.pem").read_text("ascii")


@cache
def strangers_key() -> str:
    """The key of all strangers, for `sign`: 1024 bits, the minimum for a signer (RFC 8301 section 3.2).

    dkimpy computes in Python, where twice the bits take five times as long, and most messages are a stranger's.
    """
    return (files("pytest_mailu.stack.world") / "dkim_key_strangers.pem").read_text("ascii")


@cache
def public_record(private: str) -> str:
    """The TXT record of a key, for `dkim._domainkey.<domain>`; spelled as Mailu's `dns_dkim` has it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    key = load_pem_private_key(private.encode(), password=None).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return f"v=DKIM1; k=rsa; p={''.join(pem.splitlines()[1:-1])}"


def sign(message: bytes, domain: str) -> bytes:
    """The message (with CRLF) under a DKIM signature of `domain`."""
    import dkim

    present = [name for name in _SIGNED if f"\n{name.decode()}:".encode() in b"\n" + _header(message).lower()]
    header: bytes = dkim.sign(
        message,
        SELECTOR.encode(),
        domain.encode(),
        strangers_key().encode(),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=present,
    )
    return header + message


def verify(message: bytes, txt: Callable[[str], str | None]) -> tuple[Signature, ...]:
    """Every DKIM signature of a message, from the top. `txt` gives the TXT record of a name, or None."""
    import dkim

    def record(name: bytes, timeout: int = 5) -> bytes | None:
        value = txt(name.decode("ascii", "replace").rstrip(".").lower())
        return None if value is None else value.encode()

    try:
        checker = dkim.DKIM(message, minkey=1024)
    except dkim.DKIMException as error:
        return (Signature("", "", valid=False, why=f"unreadable message: {error}"),)
    count = sum(name.lower() == b"dkim-signature" for name, _ in checker.headers)
    return tuple(_verify_one(checker, index, record) for index in range(count))


def _verify_one(checker: dkim.DKIM, index: int, record: Callable[..., bytes | None]) -> Signature:
    import dkim

    checker.signature_fields = {}
    try:
        valid = bool(checker.verify(idx=index, dnsfunc=record))
        why = "" if valid else "the signature does not match the message, or there is no key"
    except dkim.DKIMException as error:
        valid, why = False, str(error)
    fields = {name: value.decode("ascii", "replace") for name, value in checker.signature_fields.items()}
    return Signature(fields.get(b"d", ""), fields.get(b"s", ""), valid, why)


def _header(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[0]
