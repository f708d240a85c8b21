"""Mailboxes as programs see them, and filters."""

from __future__ import annotations

from .fault import Fault

FAULTS = (
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
)
