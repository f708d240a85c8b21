"""TLS contexts, and the errors of a handshake."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.text import show_line
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

_OUR_OWN = {"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_CIPHER_MATCH", "UNSUPPORTED_PROTOCOL_VERSION"}
"""Reasons that OpenSSL gives when it cannot even say hello: nothing about the server."""


def client_context(
    *,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
    ciphers: str | None = None,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """A context that accepts every certificate: the certificate is a fact to compare, not a condition.

    `ciphers` is an OpenSSL cipher list for TLS 1.2 and older. With `maximum` below TLS 1.2 the security level is
    lowered, without which OpenSSL 3 does not speak TLS 1.0 and 1.1. Raises `CannotAsk` when this machine's OpenSSL
    cannot do what is asked.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    old = maximum is not None and maximum < ssl.TLSVersion.TLSv1_2
    try:
        if old or ciphers:
            context.set_ciphers((ciphers or "ALL") + (":@SECLEVEL=0" if old else ""))
        with warnings.catch_warnings():
            # Python warns of TLS 1.0 and 1.1; whether servers still take them is what we ask.
            warnings.simplefilter("ignore", DeprecationWarning)
            if minimum is not None or old:
                context.minimum_version = minimum or ssl.TLSVersion.TLSv1
            if maximum is not None:
                context.maximum_version = maximum
    except (ssl.SSLError, ValueError) as error:
        raise CannotAsk(f"this machine's OpenSSL cannot try that: {error}") from error
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@contextmanager
def handshake_errors(seconds: float) -> Iterator[None]:
    """Turn the exceptions of a TLS handshake into `NotServed` and `CannotAsk`.

    An alert, a breach of the protocol and a closed connection are `NotServed(TLS_FAILED, TLS)` with the reason in
    `reply.text`: Dovecot 2.3 hangs up without an alert when it has no version or cipher in common with the client.
    Silence is `NotServed(UNANSWERED, TLS)`.
    """
    try:
        yield
    except ssl.SSLError as error:
        if error.reason in _OUR_OWN:
            raise CannotAsk(f"this machine's OpenSSL cannot try that: {error.reason}") from error
        reason = str(error.reason or error).replace("_", " ").lower()
        raise NotServed(Outcome.TLS_FAILED, Stage.TLS, Reply(text=show_line(reason))) from error
    except (TimeoutError, ConnectionAbortedError):
        # asyncio reports its own handshake deadline as ConnectionAbortedError
        raise NotServed(Outcome.UNANSWERED, Stage.TLS, Reply(text=f"no TLS handshake within {seconds:g} s")) from None
    except OSError as error:
        raise NotServed(Outcome.TLS_FAILED, Stage.TLS, Reply(text="connection closed")) from error
