"""Header fields of users' messages, by value: inside, and at another server."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FILTERS
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Direction, Facts, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, INTERNATIONAL, own_mailbox
from pytest_mailu.probe.headers import header_changes
from pytest_mailu.probe.probe import Probe

WRITER = own_mailbox("headers-writer")
READER = own_mailbox("headers-colleague")
INTERNATIONAL_WRITER = own_mailbox("headers-international", domain=INTERNATIONAL)
BROUGHT = {"User-Agent": "Program/1.0 (Windows)", "X-Mailer": "Program 1.0"}
"""Header fields that programs write and that Mailu removes on the way out."""


@behaviour(
    "submission/headers/from-international-domain",
    wanted=Outcome.DELIVERED,
    endpoint=SUBMISSIONS_465,
    better={"added.dkim-signature": Direction.FIXED},
    severity=Severity.MAJOR,
)
async def international(probe: Probe) -> Observation:
    """Message of a user at a domain whose name is not ASCII, with its DKIM signature, as it arrives outside

    Other servers take mail from such domains for spam: it has no signature, or one that does not verify.

    RFC 6376 section 3.5 (`d=` is an A-label); Mailu core/admin/mailu/internal/views/rspamd.py, mended in 2024.06.36
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=INTERNATIONAL_WRITER.address)
    seen = await probe.mail.at_world(message, await probe.mail.submit(message, SUBMISSIONS_465, INTERNATIONAL_WRITER))
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    (arrival, *_) = await probe.world.arrivals(token=message.token)
    changes = header_changes(message.content, arrival.content or b"")
    return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, seen.reply, **changes)


@behaviour(
    "submission/headers/{copy}",
    wanted=Outcome.DELIVERED,
    endpoint=SUBMISSIONS_465,
    better=FILTERS,
    severity=Severity.MAJOR,
    each={"copy": ("inside", "outside")},
)
async def headers(probe: Probe, copy: str) -> Observation:
    """Header fields of a user's message as they arrive {copy}

    Filters of colleagues do something else, or other servers learn more than before and trust the message less.

    RFC 6409 section 8; RFC 6376; Mailu core/postfix/conf/outclean_header_filter.cf
    """

    async def ask(own: Probe) -> dict[str, tuple[Observation, Facts]]:
        message = own.mail.compose(to=[READER.address, f"someone@{ELSEWHERE}"], sender=WRITER.address, headers=BROUGHT)
        reply = await own.mail.submit(message, SUBMISSIONS_465, WRITER)
        inside, content = await own.mail.landed(message, READER, reply)
        found = {"inside": (inside, header_changes(message.content, content))}
        outside = await own.mail.at_world(message, reply)
        arrivals = await own.world.arrivals(token=message.token, wait=0)
        content = (arrivals[0].content or b"") if arrivals else b""
        found["outside"] = (outside, header_changes(message.content, content))
        return {name: (seen, own.with_common_names(changes)) for name, (seen, changes) in found.items()}

    seen, changes = (await probe.shared("submission: message to a colleague and somebody outside", ask))[copy]
    if seen.outcome not in (Outcome.DELIVERED, Outcome.ALTERED):
        return seen
    return probe.seen(Outcome.DELIVERED, Stage.DELIVERY, **changes)
