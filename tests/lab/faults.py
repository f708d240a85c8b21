"""The faults of the lab, as data: what each changes, which behaviours must catch it, and what else it may hit.

This file is read on both sides: by the tests, and inside the images by start.py (so: nothing but the standard library).
Faults are switched on by LAB_FAULT=<name>,<name>. Each changes settings, adds lines to configuration files, or both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """One thing gone wrong.

    `settings` replaces Mailu's settings or the lab's own (start.py, DEFAULTS); `lines` maps one of the lab's files of
    configuration to what is added at its end, where it overrides what stands before. `caught_by` are globs over the
    ids; each must match a finding with `verdict`, and with `outcome` and `stage` on the new side where they are
    given. `radius` are globs over what else may be regressed. `series`: the personalities that it makes sense on.
    `stops` is False for a loss that is too small to stop an upgrade; `deep` is True for one that only `--mailu-deep`
    looks for. `setup` is the set-up that it belongs to. `hides` are globs over what goes on working with it where
    another fault breaks it: who may relay without a login does not notice that the login is lost.
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
    beside: tuple[str, ...] = ()
    deep: bool = False
    setup: str = "default"
    hides: tuple[str, ...] = ()


LISTS = ("LAB_ADMIN", "LAB_AS_STRANGER", "LAB_BY_NGINX", "LAB_CLOSED")
"""Settings of the lab's own that take several words: each fault adds its own."""


@dataclass(frozen=True)
class Changes:
    """What several faults change together: settings, and the lines at the end of each file."""

    settings: Mapping[str, str]
    lines: Mapping[str, str]


def changes(faults: Iterable[Fault]) -> Changes:
    """What `faults` change, one after the other. Raises ValueError where two want another value of one setting."""
    settings: dict[str, str] = {}
    lines: dict[str, str] = {}
    for fault in faults:
        for name, value in fault.settings.items():
            if name in LISTS:
                settings[name] = f"{settings.get(name, '')} {value}".strip()
            elif settings.setdefault(name, value) != value:
                raise ValueError(f"{fault.name} and another fault set {name}")
        for file, text in fault.lines.items():
            lines[file] = lines.get(file, "") + text
    return Changes(settings, lines)


NEW = ("2024.06",)
"""For faults of the Dovecot in `front`, which 2.0 has not."""


CLIENT_SETUP = ("surface/client-setup/*",)
"""A program that finds no login on 587 goes on elsewhere."""
THROUGH_465 = ("relay/domain/submitted", "relay/mx/*", "relay/next-hop/*", "relay/relayhost/*")
"""What submits messages on 465 to ask about their further way."""
NAMED_465 = ("surface/autoconfig/*", "access/password/*/smtp-*", "submission/headers/*")
"""What else goes through 465, be it because a configuration document says so."""


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
    Fault(
        "unknown-accepted",
        "mail to unknown users is taken, then bounces",
        ("inbound/25/unknown-user",),
        radius=(
            "inbound/25/unknown-*",
            "relay/25/*-to-nobody",
            "relay/srs/made-up",
            "admin/api/effect/*-is-refused",
        ),
        hides=("inbound/25-starttls/*", "admin/api/effect/*"),
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
        radius=("inbound/*", "mailbox/*", "relay/*", "sieve/effect/*", "surface/25-plain/helo", "admin/api/effect/*"),
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
        "stripped-passwords",
        "passwords lose the blanks at their ends",
        ("access/password/blank-first/*", "access/password/blank-last/*"),
        outcome="auth-failed",
        stage="auth",
        radius=("access/password/blank-*",),
        settings={"LAB_ADMIN": "stripped-passwords"},
    ),
    Fault(
        "unquoted-replies",
        "automatic replies end at the first quotation mark",
        ("inbound/away/text-quotes",),
        outcome="altered",
        stage="delivery",
        radius=("inbound/away/*",),
        settings={"LAB_ADMIN": "unquoted-replies"},
    ),
    Fault(
        "no-delivered-to",
        "messages do not say any more which address they were delivered to",
        ("inbound/headers/alias", "inbound/headers/mailbox"),
        radius=("inbound/headers/*", "submission/headers/*"),
        stops=False,
        lines={"imap/dovecot.conf": "lmtp_hdr_delivery_address = none\n"},
    ),
    Fault(
        "marks-removed",
        "header fields of mailing lists are removed",
        ("inbound/headers/brought-by-list",),
        radius=("inbound/headers/*", "submission/headers/*"),
        stops=False,
        lines={"smtp/main.cf": "header_checks = pcre:{{/^List-Id:/ IGNORE}}\n"},
    ),
    Fault(
        "stale-pid",
        "the mailboxes' server does not start again in the container that it ended in",
        ("services/imap/comes-back-after-kill", "services/imap/comes-back-after-stop"),
        outcome="unanswered",
        stage="command",
        radius=("inbound/down/*", "inbound/restarts/*"),
        settings={"LAB_STALE": "imap"},
        deep=True,
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
        "api-500",
        "the REST interface answers a wrong type with an error of the server",
        ("admin/api/user/create-wrong", "admin/api/alias/change-wrong"),
        outcome="unanswered",
        radius=("admin/api/*-wrong",),
        settings={"LAB_ADMIN": "api-500"},
        stops=False,
        beside=("admin/api/user/create",),
    ),
    Fault(
        "api-forgets",
        "the REST interface answers a change with 200 and leaves a field as it was",
        ("admin/api/user/change-fields",),
        settings={"LAB_ADMIN": "api-forgets"},
    ),
    Fault(
        "api-open",
        "the REST interface changes tokens for everybody",
        ("admin/api/without-token", "admin/api/wrong-token"),
        outcome="accepted",
        settings={"LAB_ADMIN": "api-open"},
    ),
    Fault(
        "api-loses-relay",
        "the REST interface has no relayed domains any more",
        ("admin/api/relay/create", "admin/api/document"),
        radius=("admin/api/relay/*", "admin/api/effect/relay-receives", "admin/api/document-fields"),
        settings={"LAB_ADMIN": "api-loses-relay"},
    ),
    Fault(
        "api-ghost",
        "what is created through the REST interface is not there",
        ("admin/api/user/create", "admin/api/effect/alias-receives"),
        radius=("admin/api/*",),
        settings={"LAB_ADMIN": "api-ghost"},
    ),
    Fault(
        "document-closed-port",
        "the configuration document for Thunderbird names a port that nobody serves",
        ("surface/autoconfig/thunderbird/works",),
        outcome="refused",
        radius=("surface/autoconfig/*",),
        settings={"LAB_ADMIN": "document-closed"},
    ),
    Fault(
        "page-closed-port",
        "the page for setting up a mail program names a port that nobody serves",
        ("surface/client-setup/page",),
        outcome="refused",
        settings={"LAB_ADMIN": "page-closed"},
    ),
    Fault(
        "records-lost",
        "the administration does not show the DMARC record any more",
        ("admin/site/dns-records",),
        outcome="refused",
        settings={"LAB_ADMIN": "records-lost"},
    ),
    Fault(
        "form-forgets",
        "a form of the web site says that it saved, and has not",
        ("admin/form/alias-create", "admin/form/alias-create-fields"),
        radius=("admin/form/alias-*", "admin/site/create-alias"),
        settings={"LAB_ADMIN": "form-forgets"},
    ),
    Fault(
        "form-500",
        "a form of the web site ends in an error where an optional part is left empty",
        ("admin/form/alias-create-parts-empty",),
        outcome="unanswered",
        settings={"LAB_ADMIN": "form-500"},
    ),
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
    *("admin/api/pages", "admin/api/effect/manager-manages", "admin/form/*", "admin/role/*", "admin/site/*"),
    *("web/login/*", "web/session/*", "web/user/*", "web/page/*"),
    *("access/session/*", "access/web/*", "access/*/token*", "access/limits/*"),
    *("upgrade/login/token", "upgrade/login/password-asked-for", "upgrade/web/*", "upgrade/admin/login"),
    "upgrade/spam/*",
)
"""Globs over what the lab's `admin` does not have, or has only as far as its own faults need it: most of the web site,
tokens and limits."""
