"""Ports that are served, and what servers announce there."""

from __future__ import annotations

from typing import Any

from pytest_mailu.behaviours.better import FUNCTION, SMTP_KEYWORDS
from pytest_mailu.behaviours.common import from_user
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import CONNECTION, to_log_in
from pytest_mailu.core.endpoints import (
    ENDPOINTS,
    IMAP,
    POP3,
    SIEVE_4190,
    SMTP_25,
    SMTP_25_PLAIN,
    SUBMISSION,
    SUBMISSION_587,
    SUBMISSIONS_465,
    Endpoint,
)
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.population import ALICE, ELSEWHERE
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.wire.transport.errors import NotServed

SMTP = (SMTP_25, *SUBMISSION)


@behaviour(
    "surface/{endpoint.port}/served",
    needs=CONNECTION,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": ENDPOINTS},
)
async def served(probe: Probe, endpoint: Endpoint) -> Observation:
    """Port {endpoint.port} accepts connections

    Clients cannot connect to port {endpoint.port}.

    Mailu docs, "Configuration reference" (PORTS); the EXPOSE line of core/nginx/Dockerfile, 1.9 to master
    """
    connection = await probe.connector.connect(FRONT, probe.at(endpoint).port, Vantage.STRANGER)
    connection.close()
    return probe.seen(Outcome.ACCEPTED, Stage.CONNECT)


@behaviour("surface/{endpoint}/smtp", better=SMTP_KEYWORDS, severity=Severity.MINOR, each={"endpoint": SMTP})
async def smtp(probe: Probe, endpoint: Endpoint) -> Observation:
    """SMTP on {endpoint.words}: greeting, EHLO keywords and AUTH mechanisms

    Programs that depend on a keyword (PIPELINING, DSN, SMTPUTF8 …) work differently.

    RFC 5321 section 4.1.1.1; RFC 6409 section 7
    """
    async with probe.smtp(endpoint) as session:
        facts = {"greeting": session.greeting.text, "keywords": dict(session.offered)}
        return probe.seen(Outcome.ACCEPTED, Stage.EHLO, session.greeting, **facts)


@behaviour(
    "surface/{endpoint}/smtp-after-login", better=SMTP_KEYWORDS, severity=Severity.MINOR, each={"endpoint": SUBMISSION}
)
async def smtp_after_login(probe: Probe, endpoint: Endpoint) -> Observation:
    """SMTP on {endpoint.words}: EHLO keywords after a login

    Programs that depend on a keyword (SIZE, SMTPUTF8, DSN …) work differently.

    RFC 4954 section 4: a client may ask EHLO again after AUTH
    """
    async with probe.smtp(endpoint) as session:
        await session.login(ALICE.address, ALICE.password)
        return probe.seen(Outcome.ACCEPTED, Stage.EHLO, keywords=await session.ehlo())


@behaviour(
    "surface/{endpoint}/imap",
    needs=to_log_in,
    better={"after_login": Direction.KEPT},
    severity=Severity.MINOR,
    each={"endpoint": IMAP},
)
async def imap(probe: Probe, endpoint: Endpoint) -> Observation:
    """IMAP on {endpoint.words}: capabilities before and after the login

    Programs that depend on a capability (IDLE, MOVE, SORT …) work differently.

    RFC 9051 section 6.1.1
    """
    async with probe.imap(endpoint) as session:
        facts: dict[str, Any] = {"greeting": session.greeting.text, "before_login": sorted(session.offered)}
        await session.login(ALICE.address, ALICE.password)
        facts["after_login"] = sorted(await session.capability())
        return probe.seen(Outcome.ACCEPTED, Stage.AUTH, **facts)


@behaviour(
    "surface/{endpoint}/pop3",
    needs=to_log_in,
    better={"after_login.*": Direction.KEPT},
    severity=Severity.MINOR,
    each={"endpoint": POP3},
)
async def pop3(probe: Probe, endpoint: Endpoint) -> Observation:
    """POP3 on {endpoint.words}: capabilities before and after the login

    Programs that depend on a capability (UIDL, TOP …) work differently.

    RFC 2449 section 5
    """
    async with probe.pop3(endpoint) as session:
        facts: dict[str, Any] = {"greeting": session.greeting.text, "before_login": dict(session.offered)}
        await session.login(ALICE.address, ALICE.password)
        facts["after_login"] = await session.capa()
        return probe.seen(Outcome.ACCEPTED, Stage.AUTH, **facts)


@behaviour(
    "surface/{endpoint}/managesieve",
    needs=to_log_in,
    better={"capabilities.*": Direction.KEPT},
    severity=Severity.MINOR,
    each={"endpoint": (SIEVE_4190,)},
)
async def managesieve(probe: Probe, endpoint: Endpoint) -> Observation:
    """ManageSieve on {endpoint.words}: capabilities before and after TLS

    Filter editors that depend on an extension work differently.

    RFC 5804 section 1.7
    """
    async with probe.sieve(endpoint) as session:
        greeting = session.greeting.text
        return probe.seen(Outcome.ACCEPTED, Stage.TLS, greeting=greeting, capabilities=session.capabilities)


@behaviour(
    "surface/25-plain/verb-{verb}",
    endpoint=SMTP_25_PLAIN,
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"verb": ("NOOP", "RSET")},
)
@behaviour(
    "surface/25-plain/verb-{verb}",
    endpoint=SMTP_25_PLAIN,
    severity=Severity.MINOR,
    each={"verb": ("VRFY", "EXPN", "ETRN", "HELP", "BOGUS")},
)
async def verb(probe: Probe, verb: str) -> Observation:
    """Port 25: reply to {verb}

    Monitoring that uses {verb} gets another reply; VRFY and EXPN can give addresses away.

    RFC 5321 section 4.1.1; section 7.3 for what VRFY and EXPN give away
    """
    argument = {"VRFY": f" {ALICE.address}", "EXPN": " team", "ETRN": f" {ELSEWHERE}"}.get(verb, "")
    async with probe.smtp(SMTP_25_PLAIN) as session:
        reply = await session.command(verb + argument)
    return probe.seen(Outcome.ACCEPTED if reply.code.startswith("2") else Outcome.REFUSED, Stage.COMMAND, reply)


@behaviour("surface/client-setup/sending", severity=Severity.CRITICAL, wanted=Outcome.DELIVERED)
async def client_setup(probe: Probe) -> Observation:
    """Mail program that tries 587, then 465, then 25, and sends on the first that accepts

    Programs that find the server's ports by themselves get settings that cannot send.

    RFC 6186 section 4; the automatic set-up of common mail programs
    """
    tried = {}
    for endpoint in (SUBMISSION_587, SUBMISSIONS_465, SMTP_25):
        message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ALICE.address)
        try:
            async with probe.smtp(endpoint) as smtp:
                if "AUTH" in smtp.offered:
                    await smtp.login(ALICE.address, ALICE.password)
                done = await smtp.send(message.sender, message.recipients, message.content)
        except NotServed as end:
            tried[str(probe.at(endpoint))] = f"{end.outcome} at {end.stage}"
            continue
        seen = await probe.mail.at_world(message, done.reply)
        tried[str(probe.at(endpoint))] = str(seen.outcome)
        return probe.seen(Outcome.DELIVERED, seen.stage, done.reply, tried=tried)
    return probe.seen(Outcome.REFUSED, Stage.RCPT, tried=tried)


@behaviour("surface/client-setup/fallback-to-25", severity=Severity.CRITICAL, wanted=Outcome.DELIVERED)
async def fallback_to_25(probe: Probe) -> Observation:
    """Mail program set to 587 that falls back to 25 without a login when 587 is closed

    Such programs show "Relay access denied" and cannot send, although reading mail still works.

    RFC 6409 section 3.1; Mailu never offers AUTH on 25 (core/nginx/conf/nginx.conf, 1.9 to master)
    """
    try:
        sent = await from_user(probe, ALICE, f"someone@{ELSEWHERE}", SUBMISSION_587)
        return await probe.mail.at_world(sent.message, sent.reply)
    except NotServed as end:
        if end.stage is not Stage.CONNECT:
            raise
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ALICE.address)
    async with probe.smtp(SMTP_25) as smtp:
        done = await smtp.send(message.sender, message.recipients, message.content)
    return await probe.mail.at_world(message, done.reply)
