"""Mail that is fetched from accounts elsewhere (fetchmail): by IMAP and POP3, with TLS and without, kept or not."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import EVERYTHING, behaviour
from pytest_mailu.behaviours.fetched import FOLDERS, LAST, PROTOCOLS, ROUND_SECONDS, SECONDS, Fetched, fetched
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.probe.messages import header_names
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk

NEEDED = EVERYTHING | {"fetchmail"}
ARRIVES = {"copies": Direction.FEWER, "folder": Direction.FIXED}
_NEVER = "fetchmail came to no account while it was waited for"
WITHOUT_BOX = ("starttls", "plain")


def _arrived(probe: Probe, seen: Fetched) -> Observation:
    """Whether the message came from there into the user's mailbox, once and unaltered."""
    if not seen.folders:
        # How far it came: nobody logged in there, nobody read the message, or it was not delivered.
        stage = Stage.DELIVERY if seen.left.reads else Stage.COMMAND if seen.logins else Stage.AUTH
        probe.transcript.waited_in_vain(ROUND_SECONDS, "the message to be fetched")
        return probe.seen(Outcome.LOST, stage)
    once = len(seen.folders) == 1 and seen.unaltered
    return probe.seen(
        Outcome.DELIVERED if once else Outcome.ALTERED,
        Stage.DELIVERY,
        copies=len(seen.folders),
        folder=seen.folders[0],
    )


@behaviour(
    "fetchmail/{protocol}/tls",
    needs=NEEDED,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.CRITICAL,
    each={"protocol": PROTOCOLS},
    timeout=SECONDS,
)
async def with_tls(probe: Probe, protocol: str) -> Observation:
    """Message in an account elsewhere is fetched ({protocol} with TLS)

    Users do not get the mail of their other accounts.

    optional/fetchmail/fetchmail.py, 1.9 to master; RFC 8314 section 3
    """
    return _arrived(probe, await fetched(probe, f"{protocol}-tls"))


@behaviour(
    "fetchmail/{protocol}/{server}",
    needs=NEEDED,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"protocol": PROTOCOLS, "server": WITHOUT_BOX},
    timeout=SECONDS,
)
async def without_tls(probe: Probe, protocol: str, server: str) -> Observation:
    """Message in an account elsewhere is fetched without "Enable TLS" ({protocol}, server offers: {server})

    Users do not get the mail of such accounts.

    optional/fetchmail/fetchmail.py, 1.9 to master; fetchmail(1), --sslcertck and --sslproto; #3670, #3897
    """
    return _arrived(probe, await fetched(probe, f"{protocol}-{server}"))


@behaviour(
    "fetchmail/{protocol}/unencrypted",
    needs=NEEDED,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    affected='Users whose fetched account has no "Enable TLS", at a server with STARTTLS.',
    each={"protocol": PROTOCOLS},
    timeout=SECONDS,
)
async def unencrypted(probe: Probe, protocol: str) -> Observation:
    """Password is not given unencrypted to a server that offers STARTTLS, without "Enable TLS" ({protocol})

    Who can listen on the way reads the password and the mail of the user's other account.

    fetchmail(1), --sslcertck and --sslproto; optional/fetchmail/fetchmail.py (`sslproto ''` on master); RFC 8314
    section 3
    """
    seen = await fetched(probe, f"{protocol}-starttls")
    if not seen.rounds:
        raise CannotAsk(_NEVER)
    given = any(not visit.tls for visit in seen.visits)
    return probe.seen(Outcome.ACCEPTED if given else Outcome.REFUSED, Stage.AUTH)


@behaviour(
    "fetchmail/{protocol}/not-keep",
    needs=NEEDED,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"protocol": PROTOCOLS},
    timeout=SECONDS,
)
async def not_kept(probe: Probe, protocol: str) -> Observation:
    """Fetched message is deleted elsewhere, since the user does not want to keep it there ({protocol})

    The other account fills up, or messages are fetched again and again.

    optional/fetchmail/fetchmail.py (`fetchall`), 1.9 to master
    """
    seen = await fetched(probe, f"{protocol}-tls")
    if not seen.folders:
        # What is deleted there and did not come here is gone for ever.
        return probe.seen(Outcome.LOST, Stage.DELIVERY, left=seen.left.there)
    return probe.seen(Outcome.REFUSED if seen.left.there else Outcome.ACCEPTED, Stage.COMMAND)


@behaviour(
    "fetchmail/{protocol}/keep",
    needs=NEEDED,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"protocol": PROTOCOLS},
    timeout=SECONDS,
)
async def kept(probe: Probe, protocol: str) -> Observation:
    """Fetched message stays elsewhere, where the user wants to keep it there ({protocol})

    Mail disappears from accounts that other programs read as well.

    optional/fetchmail/fetchmail.py (`keep`), 1.9 to master
    """
    seen = await fetched(probe, f"{protocol}-keep")
    if not seen.left.there:
        return probe.seen(Outcome.LOST, Stage.COMMAND, copies=len(seen.folders))
    return probe.seen(Outcome.ACCEPTED if seen.folders else Outcome.NOT_OFFERED, Stage.COMMAND)


@behaviour(
    "fetchmail/{protocol}/once",
    needs=NEEDED,
    wanted=Outcome.DELIVERED,
    better={"reads": Direction.FEWER},
    severity=Severity.CRITICAL,
    each={"protocol": PROTOCOLS},
    timeout=SECONDS,
)
async def once(probe: Probe, protocol: str) -> Observation:
    """Message that is kept elsewhere is delivered once, however often it is looked for ({protocol})

    Users get every message of their other account again in each round.

    optional/fetchmail/fetchmail.py (`--uidl`, `--idfile`), 1.9 to master
    """
    seen = await fetched(probe, f"{protocol}-keep")
    if seen.folders and seen.rounds < 2:
        raise CannotAsk("fetchmail came only once while it was waited for")
    copies = len(seen.folders)
    outcome = Outcome.LOST if not copies else Outcome.DELIVERED if copies == 1 else Outcome.ALTERED
    return probe.seen(outcome, Stage.DELIVERY, reads=seen.left.reads)


@behaviour(
    "fetchmail/imap/folder/{kind}",
    needs=NEEDED,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"kind": FOLDERS},
    timeout=SECONDS,
)
async def folder(probe: Probe, kind: str) -> Observation:
    """Message in another folder of an account elsewhere is fetched (name of the folder: {kind})

    Users do not get the mail of such folders.

    core/admin/mailu/ui/forms.py (FetchForm), 2.0 to master; optional/fetchmail/fetchmail.py; RFC 3501 section 5.1.3
    """
    return _arrived(probe, await fetched(probe, f"imap-folder-{kind}"))


@behaviour(
    "fetchmail/imap/scan",
    needs=NEEDED,
    wanted=Outcome.DELIVERED,
    better={**ARRIVES, "scanned": Direction.TRUE},
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def scanned(probe: Probe) -> Observation:
    """Fetched message is delivered through the spam filter, where the user wants that

    Users do not get such mail, or get its spam.

    core/admin/mailu/ui/forms.py (FetchForm: `scan`), 2.0 to master; optional/fetchmail/fetchmail.py
    """
    seen = await fetched(probe, "imap-scan")
    marks = [name for name in header_names(seen.content) if name.startswith("x-spam")]
    observation = _arrived(probe, seen)
    return probe.with_facts(observation, scanned=bool(marks)) if seen.folders else observation


@behaviour(
    "fetchmail/{protocol}/wrong-certificate",
    needs=NEEDED,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    affected="Users whose other server has a certificate for another name.",
    each={"protocol": PROTOCOLS},
    timeout=SECONDS,
)
async def wrong_certificate(probe: Probe, protocol: str) -> Observation:
    """Password is not given to a server whose certificate is for another name ({protocol})

    Who can redirect the connection reads the password and the mail of the user's other account.

    optional/fetchmail/fetchmail.py (`--sslcertck`), 1.9 to master; RFC 8314 section 4; RFC 6125
    """
    seen = await fetched(probe, f"{protocol}-impostor")
    if not seen.rounds:
        raise CannotAsk(_NEVER)
    return probe.seen(Outcome.ACCEPTED if seen.visits else Outcome.REFUSED, Stage.TLS)


@behaviour(
    "fetchmail/last-check",
    needs=NEEDED,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    timeout=SECONDS,
)
async def last_check(probe: Probe) -> Observation:
    """User's page shows that an account elsewhere was looked at

    Users cannot see whether their mail is fetched.

    core/admin/mailu/ui/templates/fetch/list.html and core/admin/mailu/internal/views/fetch.py, 1.9 to master
    """
    seen = await fetched(probe, LAST)
    return probe.seen(Outcome.ACCEPTED if seen.row != seen.row_before else Outcome.NOT_OFFERED, Stage.COMMAND)
