"""Ports, logins and TLS: what a client meets before it does anything."""

from __future__ import annotations

from .fault import NEW, Fault
from .radii import CLIENT_SETUP, NAMED_465, THROUGH_465


def closed(port: int, *caught_by: str, radius: tuple[str, ...] = ()) -> Fault:
    return Fault(
        f"closed-{port}",
        f"port {port} is not served",
        caught_by,
        outcome="unreachable",
        stage="connect",
        radius=(f"*/{port}-*", f"*/{port}/*", f"*/{port}", *radius),
        settings={"LAB_CLOSED": str(port)},
        series=NEW if port == 4190 else ("2.0", "2024.06"),
    )


FAULTS = (
    closed(587, "submission/587-*/external", radius=CLIENT_SETUP),
    closed(143, "access/143-*/login"),
    closed(110, "access/110-*/login"),
    closed(465, "submission/465-*/external", radius=(*THROUGH_465, *NAMED_465, *CLIENT_SETUP)),
    closed(4190, "access/4190-starttls/login", radius=("access/password/*/sieve",)),
    Fault(
        "no-greeting",
        "587 takes the connection and says nothing: it waits for a proxy's header",
        ("submission/587-*/external",),
        outcome="unanswered",
        stage="greeting",
        radius=("*/587-*", "*/587/*", "*/587", *CLIENT_SETUP),
        lines={
            "front/dovecot.conf": "haproxy_trusted_networks = 0.0.0.0/0\nhaproxy_timeout = 10 mins\n"
            "service submission-login {\n  inet_listener submission {\n    haproxy = yes\n  }\n}\n"
        },
        series=NEW,
    ),
    Fault(
        "no-auth-587",
        "587 is served, but as 25 is: nobody can log in",
        ("submission/587-*/external",),
        outcome="not-offered",
        stage="auth",
        radius=("*/587-*", "*/587/*", "*/587", *CLIENT_SETUP),
        settings={"LAB_BY_NGINX": "587"},
    ),
    Fault(
        "no-login-mechanism",
        "AUTH LOGIN is no longer offered, PLAIN is",
        ("access/*/auth-LOGIN",),
        outcome="not-offered",
        stage="auth",
        radius=("access/*LOGIN*",),
        lines={"front/dovecot.conf": "auth_mechanisms = plain\n"},
        series=NEW,
    ),
    Fault(
        "no-starttls-25",
        "25 does not offer STARTTLS",
        ("tls/25-starttls/handshake",),
        outcome="not-offered",
        stage="tls",
        # A message that is sent with TLS is also looked at for its header fields.
        radius=("*/25-starttls*", "tls/25*", "inbound/headers/*"),
        settings={"LAB_STARTTLS_25": "off"},
    ),
    Fault(
        "login-before-starttls",
        "logins are taken before TLS",
        ("access/*/before-tls",),
        outcome="accepted",
        stage="auth",
        radius=("*/before-tls",),
        settings={"LAB_TLS_FIRST": "no"},
        series=NEW,
    ),
    Fault(
        "other-certificate",
        "the certificate is for another name",
        ("tls/*/handshake",),
        outcome="tls-failed",
        stage="tls",
        radius=("tls/*",),
        settings={"LAB_CERTIFICATE_NAME": "other.example"},
    ),
    Fault(
        "no-tls-1-2",
        "TLS 1.2 is no longer spoken",
        ("tls/*/tls-1.2",),
        outcome="tls-failed",
        stage="tls",
        radius=("tls/*",),
        settings={"TLS_MINIMUM": "TLSv1.3"},
    ),
)
