"""Header fields that servers add to messages from outside, by value: filters, mail programs and lists read them."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FILTERS
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.inbound import ADDRESSES, arrived
from pytest_mailu.core.endpoints import SMTP_25, SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Facts, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.probe.headers import header_changes
from pytest_mailu.probe.probe import Probe

READER = own_mailbox("headers-reader")
FORWARDER = own_mailbox("headers-forwarder", forward=(f"forwarded-headers@{ELSEWHERE}",))
CARRIED = {
    "list": {
        "List-Id": f"Talk <talk.{ELSEWHERE}>",
        "List-Unsubscribe": f"<mailto:talk-leave@{ELSEWHERE}>, <https://{ELSEWHERE}/leave>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Post": f"<mailto:talk@{ELSEWHERE}>",
        "Precedence": "list",
        "X-BeenThere": f"talk@{ELSEWHERE}",
    },
    "own-marks": {
        "X-Spam-Flag": "NO",
        "X-Spam-Status": "No, score=-1.0",
        "X-Spam-Score": "-1.0",
        "Delivered-To": f"somebody@{ELSEWHERE}",
        "Return-Path": f"<forged@{ELSEWHERE}>",
        "X-Virus": "none",
        "X-Original-To": f"somebody@{ELSEWHERE}",
        "Authentication-Results": f"mx.{ELSEWHERE}; spf=pass smtp.mailfrom=president@bank.example",
        "User-Agent": "Program/1.0",
        "X-Mailer": "Program 1.0",
    },
}
"""Header fields that a message brings, by kind."""


@behaviour(
    "inbound/headers/{kind}",
    wanted=Outcome.DELIVERED,
    endpoint=SMTP_25,
    deep={"kind": ("upper-case",)},
    better=FILTERS,
    severity=Severity.MAJOR,
    each={"kind": ADDRESSES},
)
async def added(probe: Probe, kind: str) -> Observation:
    """Header fields of a message from outside to an address of the kind "{kind}"

    Filters that sort by Delivered-To, Return-Path or Received, and programs that read Authentication-Results, do
    something else.

    RFC 5321 section 4.4 (Return-Path, Received); RFC 9228 (Delivered-To); RFC 8601; Mailu
    core/admin/mailu/internal/templates/default.sieve
    """
    found = await arrived(probe, kind)
    return _headers(probe, found.seen, found.headers)


@behaviour(
    "inbound/headers/brought-by-{kind}",
    wanted=Outcome.DELIVERED,
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep={"kind": ("own-marks",)},
    better=FILTERS,
    severity=Severity.MAJOR,
    each={"kind": CARRIED},
)
async def brought(probe: Probe, kind: str) -> Observation:
    """Header fields that a message brings are kept, or removed ({kind})

    Filters for mailing lists find nothing, or strangers can write header fields that filters trust.

    RFC 2369 and 2919 (List-*); RFC 8601 section 5 (Authentication-Results from outside); Rspamd milter_headers
    """
    message = probe.mail.compose(to=READER.address, headers=CARRIED[kind])
    seen, content = await probe.mail.landed(message, READER, await probe.mail.deliver(message))
    return _headers(probe, seen, header_changes(message.content, content))


@behaviour(
    "inbound/headers/forward-{copy}",
    wanted=Outcome.DELIVERED,
    endpoint=SMTP_25_OPPORTUNISTIC,
    better=FILTERS,
    severity=Severity.MAJOR,
    each={"copy": ("kept", "sent-on")},
)
async def forwarded(probe: Probe, copy: str) -> Observation:
    """Header fields of a message to a user who forwards: the copy that is {copy}

    Other servers refuse forwarded mail, or its filters and loop checks no longer work.

    RFC 5321 section 4.4; RFC 9228; RFC 8617 (ARC); Mailu docs, "Web administration" (forwards)
    """

    async def ask(own: Probe) -> dict[str, tuple[Observation, Facts]]:
        message = own.mail.compose(to=FORWARDER.address)
        reply = await own.mail.deliver(message)
        kept, content = await own.mail.landed(message, FORWARDER, reply)
        found = {"kept": (kept, header_changes(message.content, content))}
        sent_on = await own.mail.at_world(message, reply)
        arrivals = await own.world.arrivals(token=message.token, wait=0)
        content = (arrivals[0].content or b"") if arrivals else b""
        found["sent-on"] = (sent_on, header_changes(message.content, content))
        return {name: (seen, own.with_common_names(changes)) for name, (seen, changes) in found.items()}

    seen, changes = (await probe.shared("inbound: message to a user who forwards", ask))[copy]
    return _headers(probe, seen, changes)


def _headers(probe: Probe, seen: Observation, changes: Facts) -> Observation:
    """The observation of the headers alone: others look at the rest of the message."""
    if seen.outcome not in (Outcome.DELIVERED, Outcome.ALTERED):
        return seen
    return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, **changes)
