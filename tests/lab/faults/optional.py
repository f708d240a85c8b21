"""The optional services. All of them run beside each of these faults: so one stack, and one recording, is for many."""

from __future__ import annotations

from .fault import Fault

SERVICES = frozenset({"webdav", "webmail", "antivirus", "oletools", "fetchmail", "fts_attachments"})
"""The optional services that the lab has."""

FAULTS = (
    Fault(
        "webdav-uploads-refused",
        "entries of calendars and address books are refused as too large",
        ("webdav/calendar/put-and-get", "webdav/contacts/put-and-get"),
        outcome="refused",
        stage="command",
        radius=("webdav/*/report", "webdav/*/delete"),
        hides=("webdav/others/*",),
        settings={"LAB_WEBDAV": "if ($request_method = PUT) { return 413; }"},
        services=SERVICES,
    ),
    Fault(
        "webdav-open",
        "whoever logs in reads and changes everybody's calendars and address books",
        ("webdav/others/*", "webdav/login/forged-header"),
        outcome="accepted",
        settings={"LAB_ADMIN": "webdav-open"},
        services=SERVICES,
    ),
    Fault(
        "webdav-elsewhere",
        "the addresses that programs are given lead past the calendars: Radicale does not know where it is",
        ("webdav/principal",),
        outcome="not-offered",
        radius=("webdav/calendar/*", "webdav/contacts/*"),
        settings={"LAB_WEBDAV_ROOT": ""},
        services=SERVICES,
    ),
    Fault(
        "virus-ignored",
        "messages with a virus are marked and delivered",
        ("scanners/antivirus/inbound/zip", "scanners/antivirus/submitted/zip", "scanners/antivirus/outgoing"),
        outcome="delivered",
        radius=("scanners/antivirus/*",),
        settings={"LAB_VIRUS": "LAB_NOTHING"},
        services=SERVICES,
    ),
    Fault(
        "attachments-unread",
        "the antivirus is not given the attachments of messages",
        ("scanners/antivirus/inbound/file", "scanners/antivirus/inbound/zip"),
        outcome="delivered",
        radius=("scanners/antivirus/*",),
        settings={"LAB_SCANNED": "scan_all_mime_parts = false;"},
        services=SERVICES,
    ),
    Fault(
        "macros-ignored",
        "documents with a macro that runs by itself are delivered",
        ("scanners/oletools/inbound/docm",),
        outcome="delivered",
        radius=("scanners/oletools/*",),
        settings={"LAB_MACRO": "LAB_NOTHING"},
        services=SERVICES,
    ),
    Fault(
        "documents-unread",
        "the full-text index has messages without their attachments",
        ("attachments/search/pdf", "attachments/search/docx"),
        outcome="lost",
        stage="command",
        settings={"LAB_TIKA": ""},
        services=SERVICES,
    ),
    Fault(
        "fetched-again",
        "fetchmail forgets what it has fetched: what stays elsewhere comes in each round",
        ("fetchmail/pop3/once",),
        outcome="altered",
        stage="delivery",
        settings={"LAB_FETCH": "again"},
        services=SERVICES,
    ),
    Fault(
        "fetched-not-kept",
        "fetchmail deletes by IMAP what is to stay elsewhere",
        ("fetchmail/imap/keep",),
        outcome="lost",
        settings={"LAB_FETCH": "not-kept"},
        services=SERVICES,
    ),
)
