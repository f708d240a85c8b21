"""Messages from outside on port 25."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION
from pytest_mailu.behaviours.common import from_outside
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25, SMTP_25_OPPORTUNISTIC, SMTP_25_PLAIN, Endpoint
from pytest_mailu.core.model import Facts, Observation, Outcome, Severity
from pytest_mailu.core.population import (
    ALICE,
    ALTERNATIVE,
    BOB,
    CAROL,
    DOMAIN,
    FORGED,
    SALES,
    UNKNOWN_DOMAIN,
)
from pytest_mailu.probe.headers import header_changes
from pytest_mailu.probe.probe import Probe

ADDRESSES = {
    "mailbox": (ALICE.address, ALICE),
    "detail": (f"alice+lists@{DOMAIN}", ALICE),
    "alias": (SALES.address, ALICE),
    "wildcard": (f"wild-anything@{DOMAIN}", CAROL),
    "alternative-domain": (f"bob@{ALTERNATIVE}", BOB),
    "upper-case": (f"BOB@{DOMAIN.upper()}", BOB),
}


COUNTED = ("mailbox", "alternative-domain")
"""Kinds whose headers are counted: once for all, and where another key signs and seals (ARC, RFC 8617). Their values
are in `inbound_headers`."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of one message, and what servers did to its header section (`header_changes`)."""

    seen: Observation
    headers: Facts


async def arrived(probe: Probe, kind: str) -> Arrived:
    """Send one message to an address of this kind, for all behaviours that look at it."""

    async def ask(own: Probe) -> Arrived:
        address, user = ADDRESSES[kind]
        sent = await from_outside(own, address, SMTP_25)
        seen, content = await own.mail.landed(sent.message, user, sent.reply, headers=kind in COUNTED)
        return Arrived(seen, own.with_common_names(header_changes(sent.message.content, content)))

    return await probe.shared(f"inbound: message to an address of the kind {kind}", ask)


@behaviour(
    "inbound/{endpoint}/{kind}",
    wanted=Outcome.DELIVERED,
    deep={"kind": ("upper-case",)},
    better=ARRIVES,
    severity=Severity.CRITICAL,
    each={"endpoint": (SMTP_25,), "kind": ADDRESSES},
)
async def delivered(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """Message from outside to an address of the kind "{kind}"

    Mail from outside to such addresses does not arrive.

    RFC 5321 section 3.6; RFC 5233 for details; Mailu docs, "Web administration" (aliases, alternative domains)
    """
    return (await arrived(probe, kind)).seen


@behaviour(
    "inbound/25-plain/mailbox",
    endpoint=SMTP_25_PLAIN,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def without_tls(probe: Probe) -> Observation:
    """Message from a mail server that does not use TLS

    Mail from servers without TLS does not arrive.

    RFC 3207 section 4: a public server must not require TLS
    """
    message = probe.mail.compose(to=ALICE.address)
    reply = await probe.mail.deliver(message, SMTP_25_PLAIN)
    return await probe.mail.in_mailbox(message, ALICE, reply)


@behaviour("inbound/25/unknown-user", endpoint=SMTP_25_OPPORTUNISTIC, wanted=Outcome.REFUSED, severity=Severity.MAJOR)
async def unknown_user(probe: Probe) -> Observation:
    """Message from outside to an unknown user is refused at once

    The server sends bounces to strangers (backscatter), or loses mail with a typo in the address.

    RFC 5321 section 3.3; RFC 3463 5.1.1
    """
    message = probe.mail.compose(to=f"nobody@{DOMAIN}")
    reply = await probe.mail.deliver(message)
    return await probe.mail.in_mailbox(message, ALICE, reply)


@behaviour(
    "inbound/25/unknown-domain", endpoint=SMTP_25_OPPORTUNISTIC, wanted=Outcome.REFUSED, severity=Severity.CRITICAL
)
async def unknown_domain(probe: Probe) -> Observation:
    """Message from outside to a domain that Mailu does not serve is refused

    The server is an open relay.

    RFC 5321 section 7.8
    """
    message = probe.mail.compose(to=f"somebody@{UNKNOWN_DOMAIN}")
    reply = await probe.mail.deliver(message)
    return await probe.mail.at_world(message, reply)


@behaviour(
    "inbound/25/our-own-domain",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    affected="Own devices and services that send from outside in the domain's name without a login are refused.",
    severity=Severity.CRITICAL,
)
async def our_own_domain(probe: Probe) -> Observation:
    """Message from a stranger with a local user as sender is refused

    Strangers can write to users in the name of their colleagues.

    Mailu 2.0 core/rspamd/conf/antispoof.map; 1.9 core/postfix/conf/main.cf (reject_sender_login_mismatch)
    """
    message = probe.mail.compose(to=ALICE.address, sender=BOB.address)
    reply = await probe.mail.deliver(message)
    return await probe.mail.in_mailbox(message, ALICE, reply)


@behaviour("inbound/25/forged", endpoint=SMTP_25_OPPORTUNISTIC, severity=Severity.MAJOR)
async def forged(probe: Probe) -> Observation:
    """Message from a stranger in the name of a domain that forbids this by SPF and DMARC

    Forged mail that was refused arrives, or mail that arrived is refused.

    RFC 7208 section 8.4; RFC 7489 section 6.3
    """
    message = probe.mail.compose(to=ALICE.address, sender=f"president-{probe.unique_word()}@{FORGED}")
    reply = await probe.mail.deliver(message)
    return await probe.mail.in_mailbox(message, ALICE, reply)


@behaviour(
    "inbound/25/without-signature",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep=True,
    better=FUNCTION | ARRIVES,
    severity=Severity.MAJOR,
)
async def without_signature(probe: Probe) -> Observation:
    """Message without a DKIM signature from a well-configured domain

    Mail from servers that do not sign is treated differently.

    RFC 6376 section 6.3: a missing signature is no failure
    """
    message = probe.mail.compose(to=ALICE.address, signed=False)
    reply = await probe.mail.deliver(message)
    return await probe.mail.in_mailbox(message, ALICE, reply)
