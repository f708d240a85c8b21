"""What a TLS handshake shows of a server: version, cipher, certificate, chain, resumption (RFC 8446, 5246, 5280)."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from pytest_mailu.core.endpoints import Protocol, Tls
from pytest_mailu.core.model import Outcome, Reply, Stage, Vantage
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.wire.tls.protocols import ask, plain_session
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import HUNG_UP, CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.tls_context import client_context, handshake_errors
from pytest_mailu.wire.transport.transcript import Transcript

MOST_NAMES = 100
"""Names of a certificate that are kept."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. `names` are the DNS names and addresses it is for; `not_after` is ISO 8601, UTC."""

    subject: str
    names: tuple[str, ...]
    issuer: str
    key: str
    key_bits: int
    not_after: str


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """One handshake. `family` is the cipher's kind, such as `ECDHE-AESGCM` (TLS 1.2) or `AESGCM` (TLS 1.3).

    `resumed` says whether a second connection could take up the session of the first; None when not tried.
    """

    version: str
    cipher: str
    family: str
    certificate: Certificate
    chain: tuple[str, ...]
    alpn: str | None
    resumed: bool | None

    def facts(self) -> dict[str, Any]:
        """The same as JSON can carry it."""
        return asdict(self)


async def handshake(
    connector: Connector,
    host: str,
    port: int,
    *,
    tls: Tls = Tls.IMPLICIT,
    protocol: Protocol = Protocol.HTTP,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
    ciphers: str | None = None,
    sni: str | None = None,
    alpn: tuple[str, ...] = (),
    resume: bool = False,
    vantage: Vantage = Vantage.STRANGER,
    transcript: Transcript | None = None,
    timeout: float = 20.0,  # noqa: ASYNC109 - of each reply, not of the whole
) -> TlsFacts:
    """Shake hands and tell what was agreed. `protocol` tells how STARTTLS is asked for.

    `sni` None sends no server name. With `resume`, connect once more with the session of the first time. Ends like
    the sessions do: `NotServed(TLS_FAILED, TLS)` when the server will not, `CannotAsk` when this machine cannot.
    """
    context = client_context(minimum=minimum, maximum=maximum, ciphers=ciphers, alpn=alpn)
    how: dict[str, Any] = {"vantage": vantage, "transcript": transcript or Transcript(), "timeout": timeout}

    async def once(session: ssl.SSLSession | None) -> ssl.SSLObject:
        probe = ask(protocol) if resume else None
        if tls is Tls.STARTTLS:
            async with plain_session(protocol, connector, host, port, **how) as plain:
                plain.abandon()
                await plain.request_tls()
                return await _shake(plain.stream, context, sni, session, probe)
        async with LineStream.open(connector, host, port, **how) as stream:
            return await _shake(stream, context, sni, session, probe)

    first = await once(None)
    resumed = None
    if resume:
        resumed = bool(first.session and (await once(first.session)).session_reused)
    return _facts(first, resumed)


async def _shake(
    stream: LineStream,
    context: ssl.SSLContext,
    sni: str | None,
    session: ssl.SSLSession | None,
    probe: bytes | None,
) -> ssl.SSLObject:
    """A handshake by hand: asyncio's own cannot take up a session.

    With a `probe`, its answer is waited for, since TLS 1.3 sends its tickets only after the handshake.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=sni, session=session)
    heard = False
    with handshake_errors(stream.timeout):
        try:
            async with asyncio.timeout(stream.timeout):
                while not _stepped(tls):
                    await stream.send(outgoing.read(), shown="(TLS)")
                    data = await stream.some()
                    if not data:
                        raise ConnectionResetError
                    heard = True
                    incoming.write(data)
        except ssl.SSLError:
            # The server is owed the alert.
            await stream.send(outgoing.read(), shown="(TLS)")
            raise
        except TimeoutError:
            if heard:
                raise CannotAsk(f"half a TLS handshake, then nothing more within {stream.timeout:g} s") from None
            raise
    stream.transcript.tls(f"{tls.version()} {_cipher(tls)}")
    if probe is not None:
        tls.write(probe)
    await stream.send(outgoing.read(), shown="(TLS)")
    if probe is not None:
        async with stream.reply(Stage.COMMAND):
            await _first_byte(stream, tls, incoming)
    return tls


def _stepped(tls: ssl.SSLObject) -> bool:
    """One step of the handshake: whether it is done; False when it needs bytes from the server."""
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


async def _first_byte(stream: LineStream, tls: ssl.SSLObject, incoming: ssl.MemoryBIO) -> None:
    while True:
        try:
            tls.read(1)
        except ssl.SSLWantReadError:
            data = await stream.some()
            if not data:
                raise NotServed(Outcome.UNANSWERED, Stage.GREETING, HUNG_UP) from None
            incoming.write(data)
        except ssl.SSLError as error:
            # A refusal after the client's last word comes as an alert here (TLS 1.3).
            raise NotServed(Outcome.TLS_FAILED, Stage.TLS, Reply(text=show_line(str(error.reason or error)))) from error
        else:
            return


def _cipher(tls: ssl.SSLObject) -> str:
    return (tls.cipher() or ("none",))[0]


def _facts(tls: ssl.SSLObject, resumed: bool | None) -> TlsFacts:
    der = tls.getpeercert(binary_form=True)
    if der is None:
        raise CannotAsk("a TLS session without a certificate")
    try:
        certificates = [x509.load_der_x509_certificate(encoded) for encoded in _chain(tls) or [der]]
        leaf = _certificate(certificates[0])
        chain = tuple(show_line(certificate.subject.rfc4514_string(), TEXT_LIMIT) for certificate in certificates)
    except Exception as error:  # cryptography has many for a certificate that is not well-formed
        raise CannotAsk(f"a certificate that cannot be read: {show_line(str(error), 200)}") from error
    cipher = _cipher(tls)
    return TlsFacts(
        version=tls.version() or "",
        cipher=cipher,
        family=_family(cipher),
        certificate=leaf,
        chain=chain,
        alpn=tls.selected_alpn_protocol(),
        resumed=resumed,
    )


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    """The certificates as sent, in DER. Public from Python 3.13 on; 3.11 and 3.12 have it one level down."""
    get = getattr(tls, "get_unverified_chain", None) or getattr(
        getattr(tls, "_sslobj", None), "get_unverified_chain", None
    )
    if get is None:
        return []
    return [link if isinstance(link, bytes) else ssl.PEM_cert_to_DER_cert(link.public_bytes()) for link in get() or ()]


def read_certificate(pem: str) -> Certificate:
    """The first certificate of a PEM file. Raises ValueError for what is none."""
    return _certificate(x509.load_pem_x509_certificate(pem.encode()))


def _certificate(certificate: x509.Certificate) -> Certificate:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(sorted(show_line(str(name.value), TEXT_LIMIT) for name in islice(extension, MOST_NAMES)))
    except x509.ExtensionNotFound:
        names = ()
    kind, bits = _key(certificate)
    return Certificate(
        subject=show_line(certificate.subject.rfc4514_string(), TEXT_LIMIT),
        names=names,
        issuer=show_line(certificate.issuer.rfc4514_string(), TEXT_LIMIT),
        key=kind,
        key_bits=bits,
        not_after=certificate.not_valid_after_utc.isoformat(),
    )


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    match certificate.public_key():
        case rsa.RSAPublicKey() as key:
            return "RSA", key.key_size
        case ec.EllipticCurvePublicKey() as key:
            return f"EC {key.curve.name}", key.key_size
        case ed25519.Ed25519PublicKey():
            return "Ed25519", 256
        case ed448.Ed448PublicKey():
            return "Ed448", 456
        case other:
            return type(other).__name__.strip("_"), 0


def _family(cipher: str) -> str:
    modes = {"GCM": "AESGCM", "CHACHA20": "CHACHA20", "CCM": "AESCCM"}
    mode = next((family for mark, family in modes.items() if mark in cipher), "CBC")
    if cipher.startswith("TLS_"):
        return mode
    exchange = next((kind for kind in ("ECDHE", "DHE", "PSK", "ADH", "AECDH") if cipher.startswith(kind)), "RSA")
    return f"{exchange}-{mode}"
