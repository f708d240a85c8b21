"""Services that end, or never answer."""

from __future__ import annotations

from .fault import Fault

FAULTS = (
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
)
