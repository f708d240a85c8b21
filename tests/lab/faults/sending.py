"""Who may send, and how messages leave."""

from __future__ import annotations

from .fault import Fault
from .radii import THROUGH_465

FAULTS = (
    Fault(
        "relay-denied-465",
        "who logs in on 465 is treated as a stranger",
        ("submission/465-tls/external",),
        outcome="refused",
        stage="rcpt",
        radius=("*/465-tls/*", "submission/headers/*", *THROUGH_465),
        settings={"LAB_AS_STRANGER": "465"},
    ),
    Fault(
        "open-relay",
        "strangers may relay",
        ("relay/25/*stranger-to-elsewhere",),
        outcome="delivered",
        radius=(
            "relay/25/*",
            "inbound/25/*",
            "submission/*/without-login*",
        ),
        hides=("submission/*/external",),
        lines={"smtp/main.cf": "mynetworks = 0.0.0.0/0\n"},
    ),
    Fault(
        "relaynet-refused",
        "hosts in RELAYNETS are strangers",
        ("relay/25/relaynet-to-elsewhere",),
        outcome="refused",
        stage="rcpt",
        radius=(
            "relay/25/relaynet-*",
            "submission/*/*relaynet*",
        ),
        settings={"RELAYNETS": ""},
    ),
    Fault(
        "relayhost-no-login",
        "the relay host is used without its login",
        ("relay/relayhost/login-and-tls",),
        radius=("relay/relayhost/*",),
        lines={"smtp/main.cf": "smtp_sasl_auth_enable = no\n"},
    ),
    Fault(
        "relayhost-no-tls",
        "the relay host is used without TLS",
        ("relay/relayhost/login-and-tls",),
        radius=(
            "relay/*",
            "submission/*",
        ),
        lines={"smtp/main.cf": "smtp_tls_security_level = none\n"},
    ),
    Fault(
        "no-dane",
        "TLSA records of the next hop are not looked at",
        ("relay/dane/another-key",),
        outcome="delivered",
        stage="delivery",
        radius=("relay/dane/*",),
        lines={"smtp/main.cf": "smtp_tls_security_level = may\n"},
    ),
    Fault(
        "any-sender",
        "users may send in anybody's name",
        ("submission/*/others-sender",),
        outcome="delivered",
        radius=("submission/*sender*",),
        hides=("submission/*/own-alias",),
        lines={"smtp/main.cf": "lab_submission_senders =\n"},
    ),
    Fault(
        "alias-not-sender",
        "users may not send as their own alias",
        ("submission/*/own-alias",),
        outcome="refused",
        stage="rcpt",
        radius=("submission/*alias*",),
        settings={"LAB_ADMIN": "alias-not-sender"},
    ),
)
