"""Set-ups without TLS, and behind reverse proxies."""

from __future__ import annotations

from .fault import NEW, Fault
from .radii import CLIENT_SETUP, NAMED_465, THROUGH_465

FAULTS = (
    Fault(
        "notls-login-refused",
        "without TLS nobody may log in, although TLS_FLAVOR=notls means just that",
        ("access/143-plain/login", "access/110-plain/login", "submission/587-plain/external"),
        stage="auth",
        radius=("*",),
        lines={"front/dovecot.conf": "disable_plaintext_auth = yes\n"},
        series=NEW,
        setup="notls-ports",
    ),
    Fault(
        "notls-secure-cookie",
        "the web site sets a session cookie that browsers send with TLS only, although there is none",
        ("admin/form/alias-create",),
        radius=("admin/*", "web/*"),
        settings={"LAB_ADMIN": "secure-cookie"},
        setup="notls-ports",
    ),
    Fault(
        "mail-redirect",
        "the web site redirects to HTTPS what a reverse proxy hands on, for ever",
        ("web/page/login",),
        radius=("admin/*", "web/*", "surface/autoconfig/*", "surface/client-setup/*"),
        settings={"LAB_REDIRECT": "return 301 https://$host$request_uri;"},
        setup="mail",
    ),
    Fault(
        "forged-header-believed",
        "the web server takes the address of its client from anybody's X-Forwarded-For",
        ("proxy/80-plain/forged-by-stranger",),
        outcome="accepted",
        radius=("proxy/*/forged-*", "proxy/*/limiter"),
        settings={"LAB_BELIEVES": "0.0.0.0/0"},
        setup="behind-proxy",
    ),
    Fault(
        "proxy-not-believed",
        "the web server takes every client for the reverse proxy",
        ("proxy/80-plain/address",),
        outcome="altered",
        radius=("proxy/*/limiter", "access/limits/*"),
        settings={"LAB_BELIEVES": "192.0.2.99"},
        setup="behind-proxy",
    ),
    Fault(
        "header-login-for-all",
        "whoever names a user in the reverse proxy's header is logged in",
        ("proxy/header-login/stranger",),
        outcome="accepted",
        stage="auth",
        radius=("proxy/header-login/*",),
        settings={"LAB_ADMIN": "header-login-for-all"},
        setup="behind-proxy",
    ),
    Fault(
        "proxy-protocol-not-believed",
        "the load balancer's clients on 25 have its own address",
        ("proxy/25-opportunistic/address", "relay/25/relaynet-to-elsewhere"),
        radius=("*",),
        settings={"LAB_BELIEVES": "192.0.2.99"},
        setup="proxy-protocol",
    ),
    Fault(
        "proxy-protocol-forged",
        "strangers pass for anybody by the PROXY protocol",
        ("proxy/25/forged-relaynet", "proxy/993-tls/forged-by-stranger"),
        outcome="accepted",
        radius=("proxy/*/forged-*",),
        settings={"LAB_BELIEVES": "0.0.0.0/0"},
        setup="proxy-protocol",
    ),
    Fault(
        "no-proxy-protocol-465",
        "465 does not expect the PROXY protocol that the load balancer sends",
        ("proxy/465-tls/address", "proxy/465-tls/without-header"),
        radius=("*/465-*", "*/465/*", "*/465", *THROUGH_465, *NAMED_465, *CLIENT_SETUP),
        settings={"LAB_NO_PROXY": "465"},
        setup="proxy-protocol",
    ),
)
