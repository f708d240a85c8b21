"""The faults of the lab, as data: what each changes, which behaviours must catch it, and what else it may hit.

This file is read on both sides: by the tests, and inside the images by start.py (so: nothing but the standard library).
A fault is switched on by LAB_FAULT=<name>. It changes settings, adds lines to configuration files, or both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """One thing gone wrong.

    `settings` replaces Mailu's settings or the lab's own (start.py, DEFAULTS); `lines` maps one of the lab's files of
    configuration to what is added at its end, where it overrides what stands before. `caught_by` are globs over the
    ids; each must match a finding with `verdict`, and with `outcome` and `stage` on the new side where they are
    given. `radius` are globs over what else may be regressed. `series`: the personalities that it makes sense on.
    `stops` is False for a loss that is too small to stop an upgrade.
    """

    name: str
    breaks: str
    caught_by: tuple[str, ...]
    verdict: str = "regressed"
    outcome: str = ""
    stage: str = ""
    radius: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)
    series: tuple[str, ...] = ("2.0", "2024.06")
    stops: bool = True


NEW = ("2024.06",)
"""For faults of the Dovecot in `front`, which 2.0 has not."""


CLIENT_SETUP = ("surface/client-setup/*",)
"""A program that finds no login on 587 goes on elsewhere."""
THROUGH_465 = ("relay/domain/submitted", "relay/mx/*", "relay/next-hop/*", "relay/relayhost/*")
"""What submits messages on 465 to ask about their further way."""


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


_ALL = (
    closed(587, "submission/587-*/external", radius=CLIENT_SETUP),
    closed(143, "access/143-*/login"),
    closed(110, "access/110-*/login"),
    closed(465, "submission/465-*/external", radius=THROUGH_465),
    closed(4190, "access/4190-starttls/login"),
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
        radius=("*/25-starttls*", "tls/25*"),
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
        "relay-denied-465",
        "who logs in on 465 is treated as a stranger",
        ("submission/465-tls/external",),
        outcome="refused",
        stage="rcpt",
        radius=("*/465-tls/*", *THROUGH_465),
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
        "any-sender",
        "users may send in anybody's name",
        ("submission/*/others-sender",),
        outcome="delivered",
        radius=("submission/*sender*",),
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
    Fault(
        "unknown-accepted",
        "mail to unknown users is taken, then bounces",
        ("inbound/25/unknown-user",),
        radius=(
            "inbound/25/unknown-*",
            "relay/25/*-to-nobody",
            "relay/srs/made-up",
        ),
        lines={"smtp/main.cf": "smtpd_reject_unlisted_recipient = no\n"},
    ),
    Fault(
        "alias-lost",
        "aliases lead nowhere",
        ("inbound/25-starttls/alias",),
        outcome="refused",
        stage="rcpt",
        radius=(
            "*alias*",
            "inbound/25/*",
            "inbound/25-starttls/wildcard",
            "submission/*/many-recipients",
            "relay/relayhost/forward",
        ),
        settings={"LAB_ADMIN": "alias-lost"},
    ),
    Fault(
        "no-detail",
        "addresses with detail (alice+shop) are unknown",
        ("inbound/25-starttls/detail",),
        outcome="refused",
        stage="rcpt",
        # Messages that the next hop defers are known by the detail in their sender.
        radius=("*detail*", "relay/next-hop/*"),
        settings={"RECIPIENT_DELIMITER": ""},
    ),
    Fault(
        "lost",
        "mail for mailboxes is accepted and thrown away",
        ("inbound/25-starttls/mailbox",),
        outcome="lost",
        stage="delivery",
        radius=("*",),
        lines={"smtp/main.cf": "virtual_transport = discard:\n"},
    ),
    Fault(
        "twice",
        "mail for mailboxes is delivered twice",
        ("mailbox/delivery/exactly-once",),
        outcome="altered",
        stage="delivery",
        radius=(
            "inbound/*",
            "submission/*",
            "relay/*",
            "mailbox/delivery/*",
            "mailbox/995/delete",
            "sieve/effect/*",
        ),
        lines={"smtp/main.cf": "recipient_bcc_maps = pcre:{{/^([^+@]+)@@DOMAIN@$$/ $${1}+again@@DOMAIN@}}\n"},
    ),
    Fault(
        "deferred",
        "strangers are told to come back later",
        ("inbound/25-starttls/mailbox",),
        outcome="deferred",
        stage="rcpt",
        radius=("inbound/*", "mailbox/*", "relay/*", "sieve/effect/*", "surface/25-plain/helo"),
        lines={"smtp/main.cf": "lab_stranger_restrictions = defer\n"},
    ),
    Fault(
        "body-altered",
        "every line of a body that ends in a letter gets a full stop",
        ("inbound/25-starttls/mailbox",),
        outcome="altered",
        stage="delivery",
        radius=(
            "inbound/*",
            "submission/*",
            "relay/*",
            "mailbox/delivery/*",
            "mailbox/995/fetch",
            "sieve/effect/*",
        ),
        lines={"smtp/main.cf": "body_checks = pcre:{{/^(.*[a-z])$$/ REPLACE $${1}.}}\n"},
    ),
    Fault(
        "no-received",
        "mail arrives without Received lines",
        ("inbound/25-starttls/mailbox",),
        verdict="changed",
        lines={"smtp/main.cf": "header_checks = pcre:{{/^Received:/ IGNORE}}\n"},
    ),
    Fault(
        "half-size",
        "messages may be half as large as before",
        ("surface/465-tls/smtp",),
        radius=("surface/*/smtp", "surface/*/smtp-after-login"),
        stops=False,
        settings={"MESSAGE_SIZE_LIMIT": "25000000"},
    ),
    Fault(
        "no-special-use",
        "folders say no more what they are for",
        ("mailbox/993/folders",),
        lines={
            "imap/dovecot.conf": "namespace inbox {\n"
            + "".join(f"  mailbox {name} {{\n    special_use =\n  }}\n" for name in ("Drafts", "Sent", "Trash", "Junk"))
            + "}\n"
        },
    ),
    Fault(
        "idle-silent",
        "IDLE does not tell of new mail: the kernel has no more inotify instances to give",
        ("mailbox/993/idle",),
        radius=("mailbox/993/two-sessions",),
        settings={"LAB_NO_INOTIFY": "imap"},
        lines={"imap/dovecot.conf": "mailbox_idle_check_interval = 1 hours\n"},
    ),
    Fault(
        "search-empty",
        "SEARCH by header finds nothing: the full-text index leaves headers out",
        ("mailbox/993/search/subject", "mailbox/993/search/from"),
        radius=(
            "mailbox/993/search/*",
            "mailbox/delivery/search",
        ),
        lines={
            "imap/dovecot.conf": "protocol imap {\n  mail_plugins = quota fts fts_xapian imap_quota\n}\n"
            "protocol indexer-worker {\n  mail_plugins = quota fts fts_xapian\n}\n"
            "plugin {\n  fts = xapian\n  fts_xapian = partial=3 full=20\n  fts_enforced = yes\n  fts_autoindex = no\n"
            "  fts_header_excludes = Subject From\n}\n"
        },
    ),
    Fault(
        "uidl-unstable",
        "POP3 names the same message differently each time",
        ("mailbox/995/uidl-stable",),
        radius=("mailbox/995/*",),
        settings={"LAB_ADMIN": "new-uidl"},
    ),
    Fault(
        "sieve-ignored",
        "sieve scripts are stored, but not applied",
        ("sieve/effect/fileinto",),
        radius=("sieve/effect/*",),
        lines={"imap/dovecot.conf": "protocol lmtp {\n  plugin {\n    sieve = file:/nowhere\n  }\n}\n"},
    ),
    Fault(
        "ascii-passwords",
        "passwords with characters outside ASCII are refused",
        ("access/*/password-umlaut",),
        outcome="auth-failed",
        stage="auth",
        radius=("*/password-umlaut",),
        settings={"LAB_ADMIN": "ascii-passwords"},
    ),
    Fault(
        "wrong-password-temporary",
        "a wrong password is answered with a temporary code",
        ("access/*/wrong-password",),
        radius=("access/*",),
        settings={"LAB_ADMIN": "temporary"},
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
    Fault(
        "bare-lf",
        "a dot between bare line feeds ends a message (smuggling)",
        ("inbound/*/smuggling-lf-dot-lf",),
        radius=(
            "*/smuggling-*",
            "*/line-end-*",
        ),
        lines={"smtp/main.cf": "smtpd_forbid_bare_newline = no\n"},
    ),
    Fault(
        "slow",
        "delivery takes seconds longer",
        ("inbound/25-starttls/mailbox",),
        verdict="changed",
        # To each of many recipients it takes as long.
        radius=("submission/*/many-recipients",),
        settings={"LAB_ADMIN": "slow-mailbox"},
    ),
    Fault(
        "smtp-dies",
        "Postfix ends as soon as it starts: where Mailu runs (`restart: always`), a restart loop",
        ("services/smtp/stays-up",),
        radius=("*",),
        settings={"LAB_DIES": "smtp"},
    ),
    Fault(
        "never-ready",
        "the mailboxes' server never answers",
        ("services/imap/stays-up",),
        radius=("*",),
        settings={"LAB_NEVER_READY": "imap"},
    ),
    Fault(
        "stuck",
        "mail for mailboxes stays in the queue",
        ("inbound/25-starttls/mailbox",),
        radius=("*",),
        lines={"smtp/main.cf": "defer_transports = lmtp\n"},
    ),
)
FAULTS = {fault.name: fault for fault in _ALL}

NOT_IN_THE_LAB = (
    *("admin/api/*", "admin/site/*", "web/login/*", "web/user/*", "web/page/*"),
    *("access/web/*", "access/*/token*", "access/limits/*", "surface/autoconfig/*"),
)
"""Globs over what the lab's `admin` does not have: its web site, its API, tokens, limits and autoconfiguration."""
