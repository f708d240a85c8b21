"""Relaying: who may send to other domains, and how messages leave."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FUNCTION, GOES_OUT
from pytest_mailu.behaviours.common import from_outside, from_user
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC, SMTP_25_PLAIN, SUBMISSIONS_465, Endpoint
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.population import ALICE, ELSEWHERE, KEEPS, OUTSIDE, PASSES, RELAYED
from pytest_mailu.probe.mail import queue_id
from pytest_mailu.probe.probe import Probe

STRANGERS = (Vantage.STRANGER, Vantage.OTHER_STRANGER)


@behaviour(
    "relay/25/{vantage}-to-elsewhere",
    endpoint=SMTP_25_PLAIN,
    wanted=Outcome.REFUSED,
    affected="Devices and scripts outside RELAYNETS that send to other domains without a login are refused.",
    severity=Severity.CRITICAL,
    each={"vantage": STRANGERS},
)
async def stranger(probe: Probe, vantage: Vantage) -> Observation:
    """Message from a stranger ({vantage}) to another domain on port 25 is refused

    The server is an open relay: spammers use it, and other servers then refuse all its mail.

    RFC 5321 section 7.8; RFC 2505 section 2.1
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}")
    async with probe.smtp(SMTP_25_PLAIN, vantage) as smtp:
        await smtp.mail(f"{message.token}@{ELSEWHERE}")
        reply = await smtp.command(f"RCPT TO:<{message.recipients[0]}>", Stage.RCPT)
        if not reply.code.startswith("2"):
            seen_as = await probe.evidence.confirm_vantage(vantage, message.token)
            outcome = Outcome.DEFERRED if reply.code.startswith("4") else Outcome.REFUSED
            return probe.seen(outcome, Stage.RCPT, reply, client=seen_as)
        done = await smtp.data(message.content)
        seen_as = await probe.evidence.confirm_vantage(vantage, queue_id(done))
    return probe.with_facts(await probe.mail.at_world(message, done), client=seen_as)


@behaviour(
    "relay/25/relaynet-to-elsewhere",
    endpoint=SMTP_25_PLAIN,
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.CRITICAL,
)
async def relaynet(probe: Probe) -> Observation:
    """Message from a host in RELAYNETS to another domain on port 25 without a login

    Printers, scanners and applications cannot send through this server.

    Mailu docs, "Configuration reference" (RELAYNETS)
    """
    return await _through_25(probe, Vantage.RELAYNET)


@behaviour("relay/25/inside-to-elsewhere", endpoint=SMTP_25_PLAIN, better=FUNCTION | GOES_OUT, severity=Severity.MAJOR)
async def inside(probe: Probe) -> Observation:
    """Message from a host in SUBNET to another domain on port 25 without a login

    Containers beside Mailu that send through it are treated differently.

    Mailu docs, "Configuration reference" (SUBNET); core/postfix/conf/main.cf (mynetworks)
    """
    return await _through_25(probe, Vantage.INSIDE)


async def _through_25(probe: Probe, vantage: Vantage) -> Observation:
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ALICE.address)
    reply = await probe.mail.deliver(message, SMTP_25_PLAIN, vantage)
    return await probe.mail.at_world(message, reply)


@behaviour(
    "relay/25/client-never-logs-in",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    affected="Devices and scripts that send to other domains on port 25 without a login are refused.",
    severity=Severity.MAJOR,
)
async def never_logs_in(probe: Probe) -> Observation:
    """Mail program on port 25 that never logs in, to another domain, is refused

    The server is an open relay.

    RFC 6409 section 3.1
    """
    return await _client_on_25(probe, insist=False)


@behaviour(
    "relay/25/client-insists-on-login",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.NOT_OFFERED,
    severity=Severity.MAJOR,
)
async def insists_on_login(probe: Probe) -> Observation:
    """Mail program on port 25 that requires a login is not offered one

    Bots can try passwords on port 25.

    RFC 6409 section 3.1; core/nginx/conf/nginx.conf, 1.9 to master
    """
    return await _client_on_25(probe, insist=True)


async def _client_on_25(probe: Probe, *, insist: bool) -> Observation:
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ALICE.address)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        if insist:
            await smtp.login(ALICE.address, ALICE.password)
        done = await smtp.send(message.sender, message.recipients, message.content)
    return await probe.mail.at_world(message, done.reply)


@behaviour("relay/domain/inbound", wanted=Outcome.DELIVERED, better=GOES_OUT, severity=Severity.CRITICAL)
async def relayed_domain(probe: Probe) -> Observation:
    """Message from outside to a relayed domain

    Mail for the domain behind this server does not arrive.

    Mailu docs, "Web administration" (relayed domain list)
    """
    message = probe.mail.compose(to=f"somebody@{RELAYED}")
    reply = await probe.mail.deliver(message)
    return await probe.mail.at_world(message, reply)


@behaviour(
    "relay/forward/keeps-a-copy-{where}",
    wanted=Outcome.DELIVERED,
    severity=Severity.CRITICAL,
    each={"where": ("here", "outside")},
)
async def forward_keeps(probe: Probe, where: str) -> Observation:
    """Message to a user who forwards and keeps a copy: the copy {where}

    Forwarded mail is lost {where}.

    Mailu docs, "Web administration" (forwards); SRS for the envelope
    """
    sent = await from_outside(probe, KEEPS.address)
    if where == "here":
        return await probe.mail.in_mailbox(sent.message, KEEPS, sent.reply)
    return await probe.mail.at_world(sent.message, sent.reply)


@behaviour("relay/forward/keeps-none", wanted=Outcome.DELIVERED, better=GOES_OUT, severity=Severity.CRITICAL)
async def forward_passes(probe: Probe) -> Observation:
    """Message to a user who forwards and keeps no copy

    Forwarded mail is lost.

    Mailu docs, "Web administration" (forwards)
    """
    sent = await from_outside(probe, PASSES.address)
    return await probe.mail.at_world(sent.message, sent.reply)


@behaviour("relay/alias/to-elsewhere", wanted=Outcome.DELIVERED, better=GOES_OUT, severity=Severity.CRITICAL)
async def alias_outside(probe: Probe) -> Observation:
    """Message to an alias with a destination at another domain

    Mail to such aliases is lost.

    Mailu docs, "Web administration" (aliases)
    """
    sent = await from_outside(probe, OUTSIDE.address)
    return await probe.mail.at_world(sent.message, sent.reply)


@behaviour(
    "relay/relayhost/login-and-tls",
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.CRITICAL,
    variant="relayhost",
)
async def relay_host(probe: Probe) -> Observation:
    """Message of a user to another domain through a relay host with TLS and a login

    Servers that send through a provider's relay cannot send at all.

    Mailu docs, "Configuration reference" (RELAYHOST, RELAYUSER, RELAYPASSWORD, OUTBOUND_TLS_LEVEL)
    """
    return await _submitted(probe, SUBMISSIONS_465)


@behaviour("relay/mx/by-mx", wanted=Outcome.DELIVERED, better=GOES_OUT, severity=Severity.CRITICAL)
async def by_mx(probe: Probe) -> Observation:
    """Message of a user to another domain by MX, without a relay host

    Users cannot write to anyone outside.

    RFC 5321 section 5.1
    """
    return await _submitted(probe, SUBMISSIONS_465)


async def _submitted(probe: Probe, endpoint: Endpoint) -> Observation:
    sent = await from_user(probe, ALICE, f"someone@{ELSEWHERE}", endpoint)
    return await probe.mail.at_world(sent.message, sent.reply)
