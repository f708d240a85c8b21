"""Relaying without a login: unusual addresses, and trusted hosts."""

from __future__ import annotations

from dataclasses import replace

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION, GOES_OUT
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC, SMTP_25_PLAIN
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.population import ALICE, DOMAIN, ELSEWHERE, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.smtp.reply import expect_positive

READER = own_mailbox("relay-open-reader")
TRUSTED = (Vantage.RELAYNET, Vantage.INSIDE)
SPELLINGS = {
    "percent": f"someone%{ELSEWHERE}@{DOMAIN}",
    "bang": f"{ELSEWHERE}!someone@{DOMAIN}",
    "quoted": f'"someone@{ELSEWHERE}"@{DOMAIN}',
    "source-route": f"@{DOMAIN}:someone@{ELSEWHERE}",
    "two-ats": f"someone@{ELSEWHERE}@{DOMAIN}",
}
"""Addresses that older servers forward (RFC 5321 appendix F.2; Postfix allow_percent_hack)."""


@behaviour(
    "relay/25/spelling-{spelling}",
    endpoint=SMTP_25_PLAIN,
    wanted=Outcome.REFUSED,
    affected="Old scripts that use such addresses are refused.",
    severity=Severity.CRITICAL,
    each={"spelling": SPELLINGS},
)
async def spelling(probe: Probe, spelling: str) -> Observation:
    """Message of a stranger to another domain, written as "{spelling}", is refused

    The server is an open relay through such addresses.

    RFC 5321 section 7.8 and appendix F.2; Postfix allow_untrusted_routing
    """
    message = replace(probe.mail.compose(to=f"someone@{ELSEWHERE}"), recipients=(SPELLINGS[spelling],))
    return await probe.mail.at_world(message, await probe.mail.deliver(message), wait=6.0)


@behaviour(
    "relay/25/client-logs-in-if-offered",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    affected="Devices and programs set to port 25 are refused.",
    severity=Severity.MAJOR,
)
async def logs_in_if_offered(probe: Probe) -> Observation:
    """Mail program on port 25 that logs in only if offered, to another domain, is refused

    Programs that fell back to port 25 can send without a login: the server is an open relay.

    RFC 6409 section 3.1; core/nginx/conf/nginx.conf, 1.9 to master
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ALICE.address)
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        if "PLAIN" in smtp.offered.get("AUTH", "").split():
            await smtp.login(ALICE.address, ALICE.password)
        done = await smtp.send(message.sender, message.recipients, message.content)
    return await probe.mail.at_world(message, done.reply)


@behaviour(
    "relay/25/{vantage}-to-mailbox",
    endpoint=SMTP_25_PLAIN,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"vantage": TRUSTED},
)
async def trusted_to_mailbox(probe: Probe, vantage: Vantage) -> Observation:
    """Message in a user's name from a trusted host ({vantage}) to a local mailbox without a login

    Mail from scanners and applications to users does not arrive.

    Mailu docs, "Configuration reference" (RELAYNETS, SUBNET)
    """
    message = probe.mail.compose(to=READER.address, sender=ALICE.address)
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message, SMTP_25_PLAIN, vantage))


@behaviour(
    "relay/25/{vantage}-as-outsider",
    endpoint=SMTP_25_PLAIN,
    deep=True,
    better=FUNCTION | GOES_OUT,
    severity=Severity.MINOR,
    each={"vantage": TRUSTED},
)
async def trusted_as_outsider(probe: Probe, vantage: Vantage) -> Observation:
    """Message in an outsider's name from a trusted host ({vantage}) to another domain: its envelope sender

    Other servers refuse what applications send for others.

    Mailu core/admin/mailu/internal/views/postfix.py (postfix_sender_map: SRS)
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}")
    return await probe.mail.at_world(message, await probe.mail.deliver(message, SMTP_25_PLAIN, vantage))


@behaviour("relay/25/relaynet-to-nobody", endpoint=SMTP_25_PLAIN, wanted=Outcome.REFUSED, severity=Severity.MINOR)
async def trusted_to_nobody(probe: Probe) -> Observation:
    """Message from a host in RELAYNETS to an unknown local user is refused at once

    Applications do not learn that an address is wrong.

    RFC 5321 section 3.3; Postfix smtpd_reject_unlisted_recipient
    """
    message = probe.mail.compose(to=f"nobody@{DOMAIN}", sender=ALICE.address)
    async with probe.smtp(SMTP_25_PLAIN, Vantage.RELAYNET) as smtp:
        await smtp.mail(message.sender)
        reply = expect_positive(await smtp.command(f"RCPT TO:<{message.recipients[0]}>", Stage.RCPT), Stage.RCPT)
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)
