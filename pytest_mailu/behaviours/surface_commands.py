"""Unusual SMTP and IMAP commands, and commands out of order."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour, tls_there
from pytest_mailu.behaviours.helpers import answer, as_fact
from pytest_mailu.behaviours.needs import CONNECTION, MAILBOX
from pytest_mailu.core.endpoints import (
    IMAP_143,
    IMAPS_993,
    POP3_110,
    SIEVE_4190,
    SMTP_25,
    SMTP_25_PLAIN,
    SUBMISSION_587,
    SUBMISSIONS_465,
    Endpoint,
    Protocol,
)
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import BOB, ELSEWHERE, HOSTNAME, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.smtp.reply import positive
from pytest_mailu.wire.transport.errors import HUNG_UP, NotServed

USER = own_mailbox("commands-user")
MAIL = f"MAIL FROM:<stranger@{ELSEWHERE}>"
RCPT = f"RCPT TO:<{BOB.address}>"
HELLOS = {
    "none": "",
    "own-name": f"EHLO {HOSTNAME}",
    "localhost": "EHLO localhost",
    "not-a-name": "EHLO not_a_name!",
    "address": "EHLO [192.0.2.1]",
    "empty": "EHLO",
}
ORDERS = {
    "rcpt-first": (RCPT,),
    "data-first": ("DATA",),
    "mail-twice": (MAIL, MAIL),
    "data-without-rcpt": (MAIL, "DATA"),
    "starttls-twice": ("STARTTLS",),
    "parameter-unknown": (f"{MAIL} BOGUS=1",),
    "line-too-long": ("NOOP " + "x" * 5000,),
}


@behaviour("surface/25-plain/helo", endpoint=SMTP_25_PLAIN, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def helo(probe: Probe) -> Observation:
    """Client on port 25 that sends HELO instead of EHLO

    Old servers, printers and scripts cannot deliver.

    RFC 5321 section 4.1.1.1: a server must take HELO
    """
    async with probe.smtp(SMTP_25_PLAIN, hello=False) as smtp:
        for line in ("HELO client.elsewhere.example", MAIL, RCPT):
            reply = await answer(smtp, line)
            if not positive(reply):
                raise NotServed(Outcome.REFUSED, Stage.EHLO, reply)
    return probe.seen(Outcome.ACCEPTED, Stage.RCPT, reply)


@behaviour("surface/25-plain/hello-{kind}", endpoint=SMTP_25_PLAIN, severity=Severity.MINOR, each={"kind": HELLOS})
async def hello(probe: Probe, kind: str) -> Observation:
    """Client on port 25 whose HELO name is of the kind "{kind}"

    Badly configured senders are accepted or refused, unlike before.

    RFC 5321 sections 4.1.1.1 and 4.1.4; core/postfix/conf/main.cf (smtpd_helo_restrictions), 1.9 to master
    """
    said: dict[str, str] = {}
    async with probe.smtp(SMTP_25_PLAIN, hello=False) as smtp:
        reply = Reply()
        for name, line in (("hello", HELLOS[kind]), ("mail", MAIL), ("rcpt", RCPT)):
            if line:
                reply = await answer(smtp, line)
                # Another behaviour compares the EHLO keywords.
                said[name] = reply.code if name == "hello" and positive(reply) else as_fact(reply)
            if reply is HUNG_UP:
                break
    return probe.seen(Outcome.ACCEPTED if positive(reply) else Outcome.REFUSED, Stage.RCPT, answers=said)


@behaviour("surface/{endpoint}/order-{kind}", severity=Severity.MINOR, each={"endpoint": (SMTP_25,), "kind": ORDERS})
async def order(probe: Probe, endpoint: Endpoint, kind: str) -> Observation:
    """Commands out of order on {endpoint.words}: {kind}

    Monitoring and careless scripts get another reply, or lose the connection.

    RFC 5321 section 4.1.4 (503), section 4.5.3.1.4 (512 octets a line); RFC 3207 section 4
    """
    async with probe.smtp(endpoint) as smtp:
        replies = []
        for line in ORDERS[kind]:
            replies.append(await answer(smtp, line))
            if replies[-1] is HUNG_UP:
                break
    last = replies[-1]
    facts = {"answers": [as_fact(reply) for reply in replies[:-1]]} if len(replies) > 1 else {}
    return probe.seen(Outcome.ACCEPTED if positive(last) else Outcome.REFUSED, Stage.COMMAND, last, **facts)


@behaviour(
    "surface/{endpoint}/verb-{verb}",
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"endpoint": (SUBMISSIONS_465,), "verb": ("NOOP", "RSET")},
)
@behaviour(
    "surface/{endpoint}/verb-{verb}",
    severity=Severity.MINOR,
    each={"endpoint": (SUBMISSIONS_465,), "verb": ("VRFY", "HELP", "BOGUS")},
)
async def verb_before_login(probe: Probe, endpoint: Endpoint, verb: str) -> Observation:
    """Reply to {verb} before a login on {endpoint.words}

    Monitoring that uses {verb} gets another reply; VRFY can give addresses away.

    RFC 5321 section 4.1.1; section 7.3 for VRFY
    """
    argument = f" {BOB.address}" if verb == "VRFY" else ""
    async with probe.smtp(endpoint) as smtp:
        reply = await answer(smtp, verb + argument)
    return probe.seen(Outcome.ACCEPTED if positive(reply) else Outcome.REFUSED, Stage.COMMAND, reply)


@behaviour(
    "surface/{endpoint}/imap-id",
    needs=MAILBOX,
    better=FUNCTION,
    severity=Severity.INFO,
    each={"endpoint": (IMAPS_993,)},
)
async def imap_id(probe: Probe, endpoint: Endpoint) -> Observation:
    """IMAP ID on {endpoint.words} before and after the login

    Programs that send ID before the login (iOS, Outlook) may be refused.

    RFC 2971
    """
    facts = {}
    async with probe.imap(endpoint) as session:
        reply = await session.command('ID ("name" "pytest-mailu")')
        facts["before_login"] = reply.status
    async with probe.imap(endpoint) as session:
        await session.login(USER.address, USER.password)
        after = await session.command('ID ("name" "pytest-mailu")')
        facts["after_login"] = after.status
        facts["says"] = "; ".join(response.line.decode(errors="replace") for response in after.named("ID"))
    return probe.seen(Outcome.ACCEPTED if reply.ok else Outcome.REFUSED, Stage.COMMAND, reply.reply, **facts)


@behaviour(
    "surface/{endpoint}/imap-namespace",
    needs=MAILBOX,
    better={"namespaces*": Direction.FIXED},
    severity=Severity.MINOR,
    each={"endpoint": (IMAPS_993,)},
)
async def imap_namespace(probe: Probe, endpoint: Endpoint) -> Observation:
    """IMAP NAMESPACE and hierarchy separator on {endpoint.words}

    Mail programs look for folders under other names, and show none.

    RFC 2342
    """
    async with probe.imap(endpoint) as session:
        await session.login(USER.address, USER.password)
        return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, namespaces=await session.namespace())


@behaviour(
    "surface/{endpoint}/imap-enable",
    needs=MAILBOX,
    better={"enabled": Direction.KEPT},
    severity=Severity.MINOR,
    each={"endpoint": (IMAPS_993,)},
)
async def imap_enable(probe: Probe, endpoint: Endpoint) -> Observation:
    """IMAP ENABLE on {endpoint.words}

    Programs that synchronise with CONDSTORE or QRESYNC download everything each time.

    RFC 5161; RFC 7162; RFC 6855
    """
    async with probe.imap(endpoint) as session:
        await session.login(USER.address, USER.password)
        enabled = await session.enable("CONDSTORE", "QRESYNC", "UTF8=ACCEPT")
        return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, enabled=list(enabled))


@behaviour(
    "surface/{endpoint}/before-tls",
    needs=CONNECTION,
    of_setup=tls_there,
    better={"offered.STARTTLS": Direction.KEPT, "offered.STLS": Direction.KEPT, "offered[STARTTLS]": Direction.KEPT},
    severity=Severity.MINOR,
    each={"endpoint": (SMTP_25, SUBMISSION_587, IMAP_143, POP3_110, SIEVE_4190)},
)
async def before_tls(probe: Probe, endpoint: Endpoint) -> Observation:
    """What {endpoint.words} offers before TLS

    Programs that see a login offered in plain text may use it; those that see no STARTTLS may give up.

    RFC 3207 section 4; RFC 9051 section 6.2.1; RFC 2595 section 4; RFC 5804 section 1.7
    """
    plain = endpoint.in_plain_text
    match endpoint.protocol:
        case Protocol.IMAP:
            async with probe.imap(plain) as imap:
                return probe.seen(Outcome.ACCEPTED, Stage.EHLO, offered=sorted(imap.offered))
        case Protocol.POP3:
            async with probe.pop3(plain) as pop3:
                return probe.seen(Outcome.ACCEPTED, Stage.EHLO, offered=dict(pop3.offered))
        case Protocol.MANAGESIEVE:
            async with probe.sieve(plain) as sieve:
                return probe.seen(Outcome.ACCEPTED, Stage.EHLO, offered=dict(sieve.offered))
        case _:
            async with probe.smtp(plain) as smtp:
                return probe.seen(Outcome.ACCEPTED, Stage.EHLO, offered=dict(smtp.offered))
