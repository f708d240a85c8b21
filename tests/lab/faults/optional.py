"""The optional services. All of them run beside each of these faults: so one stack, and one recording, is for many."""

from __future__ import annotations

from .fault import Fault

SERVICES = frozenset({"webdav"})
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
)
