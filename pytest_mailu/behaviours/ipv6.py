"""Over IPv6: who may log in, send and relay, and whose address counts. Asked where SUBNET6 is set.

Published by Docker with its userland proxy, IPv6 clients stand inside SUBNET, where everybody may relay (Mailu issues
332 and 3680). In the sealed world they come with addresses of their own, as behind Docker's ip6tables.
"""

from __future__ import annotations

import asyncio

from pytest_mailu.behaviours.access_limits import NEEDED, STRANGERS, attempt, forgotten, outcome
from pytest_mailu.behaviours.better import ARRIVES, GOES_OUT
from pytest_mailu.behaviours.declaration import LIMITER, behaviour
from pytest_mailu.behaviours.helpers import log_in
from pytest_mailu.behaviours.needs import WEB, to_log_in
from pytest_mailu.core.endpoints import (
    HTTPS_443,
    IMAP,
    IMAPS_993,
    POP3,
    SIEVE_4190,
    SMTP_25_OPPORTUNISTIC,
    SMTP_25_PLAIN,
    SUBMISSION,
    SUBMISSIONS_465,
    Endpoint,
)
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage, Vantage
from pytest_mailu.core.population import ALICE, ELSEWHERE, own_mailbox
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.admin_site import SECONDS, browser
from pytest_mailu.probe.mail import queue_id
from pytest_mailu.probe.probe import Probe

READER = own_mailbox("ipv6-reader")
VICTIM = own_mailbox("ipv6-victim")
LOGINS = (*SUBMISSION, *IMAP, *POP3, SIEVE_4190)
IPV6 = (Feature.IPV6,)


@behaviour(
    "ipv6/{endpoint}/login",
    needs=to_log_in,
    of_setup=IPV6,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"endpoint": LOGINS},
)
async def login(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login over IPv6 with the right password on {endpoint.words}

    Mail programs in networks with IPv6 cannot log in, or wait until they fall back to IPv4.

    RFC 8305 (programs try IPv6 first); core/nginx/conf/nginx.conf and core/nginx/dovecot/proxy.conf (SUBNET6)
    """
    reply = await log_in(probe, endpoint, ALICE.address, ALICE.password, Vantage.STRANGER_IPV6)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "ipv6/443-tls/web-site",
    needs=WEB,
    of_setup=IPV6,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    timeout=SECONDS,
)
async def web_site(probe: Probe) -> Observation:
    """Web site over IPv6

    Browsers in networks with IPv6 show an error, or wait until they fall back to IPv4.

    RFC 8305; core/nginx/conf/nginx.conf (SUBNET6; in 1.9 always)
    """
    async with browser(probe, vantage=Vantage.STRANGER_IPV6) as http:
        reply = await http.get("/sso/login", follow=False)
    served = reply.status < 400
    return probe.seen(Outcome.ACCEPTED if served else Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status)))


@behaviour(
    "ipv6/25/mailbox",
    of_setup=IPV6,
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.CRITICAL,
)
async def mailbox(probe: Probe) -> Observation:
    """Message from a mail server over IPv6 to a mailbox, and the address that Mailu takes it to come from

    Mail from servers with IPv6 does not arrive, or all of them are taken for one, which is trusted.

    RFC 5321 section 5.2 (both families are tried); Mailu issues 332, 2918 and 3680; core/nginx/conf/nginx.conf
    """
    message = probe.mail.compose(to=READER.address)
    reply = await probe.mail.deliver(message, SMTP_25_OPPORTUNISTIC, Vantage.STRANGER_IPV6)
    client = await probe.evidence.client_seen_by_postfix(queue_id(reply))
    return probe.with_facts(await probe.mail.in_mailbox(message, READER, reply), client=client)


@behaviour(
    "ipv6/25/{vantage}-to-elsewhere",
    of_setup=IPV6,
    endpoint=SMTP_25_PLAIN,
    wanted=Outcome.REFUSED,
    affected="Devices and scripts outside RELAYNETS that send to other domains without a login are refused.",
    severity=Severity.CRITICAL,
    each={"vantage": (Vantage.STRANGER_IPV6, Vantage.OTHER_STRANGER_IPV6)},
)
async def stranger(probe: Probe, vantage: Vantage) -> Observation:
    """Message over IPv6 from a stranger ({vantage}) to another domain on port 25 is refused

    The server is an open relay over IPv6: spammers use it, and other servers then refuse all its mail.

    RFC 5321 section 7.8; Mailu issues 332 and 3680
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}")
    async with probe.smtp(SMTP_25_PLAIN, vantage) as smtp:
        await smtp.mail(f"{message.token}@{ELSEWHERE}")
        reply = await smtp.command(f"RCPT TO:<{message.recipients[0]}>", Stage.RCPT)
        if not reply.code.startswith("2"):
            client = await probe.evidence.client_seen_by_postfix(message.token)
            refused = Outcome.DEFERRED if reply.code.startswith("4") else Outcome.REFUSED
            return probe.seen(refused, Stage.RCPT, reply, client=client)
        done = await smtp.data(message.content)
        client = await probe.evidence.client_seen_by_postfix(queue_id(done))
    return probe.with_facts(await probe.mail.at_world(message, done), client=client)


@behaviour(
    "ipv6/25/relaynet-to-elsewhere",
    of_setup=IPV6,
    endpoint=SMTP_25_PLAIN,
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.CRITICAL,
)
async def relaynet(probe: Probe) -> Observation:
    """Message over IPv6 from a host in RELAYNETS to another domain on port 25 without a login

    Printers, scanners and applications cannot send through this server.

    Mailu docs, "Configuration reference" (RELAYNETS); Mailu issues 2325 and 2630; core/postfix/conf/main.cf
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ALICE.address)
    reply = await probe.mail.deliver(message, SMTP_25_PLAIN, Vantage.RELAYNET_IPV6)
    return await probe.mail.at_world(message, reply)


@behaviour(
    "ipv6/{endpoint}/external",
    of_setup=IPV6,
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.CRITICAL,
    each={"endpoint": (SUBMISSIONS_465,)},
)
async def external(probe: Probe, endpoint: Endpoint) -> Observation:
    """Message over IPv6 of a user to another domain on {endpoint.words}

    Users in networks with IPv6 cannot send.

    Mailu issue 2918 (XCLIENT: Bad ADDR)
    """
    message = probe.mail.compose(to=f"someone@{ELSEWHERE}", sender=ALICE.address)
    async with probe.smtp(endpoint, Vantage.STRANGER_IPV6) as smtp:
        await smtp.login(ALICE.address, ALICE.password)
        done = await smtp.send(message.sender, message.recipients, message.content)
    return await probe.mail.at_world(message, done.reply)


@behaviour(
    "ipv6/{endpoint}/limit",
    of_setup=IPV6,
    deep=True,
    severity=Severity.MAJOR,
    each={"endpoint": (IMAPS_993,)},
    needs=NEEDED,
    disturbs=(LIMITER,),
    timeout=150.0,
)
async def limit(probe: Probe, endpoint: Endpoint) -> Observation:
    """Six bad logins over IPv6 on {endpoint.words}: whether their address, its neighbour, and IPv4 are locked out

    Attackers who take another address of their own network for each try are not stopped, or all users are locked out.

    Mailu docs, "Configuration reference" (AUTH_RATELIMIT_IP, AUTH_RATELIMIT_IP_V6_MASK); core/admin/mailu/limiter.py
    """
    here = Vantage.OTHER_STRANGER_IPV6
    async with forgotten(probe):
        await asyncio.gather(*(attempt(probe, endpoint, *known, here) for known in STRANGERS))
        # A good login ends the limit of its address: those that may be locked out are asked first.
        places = (here, Vantage.NEIGHBOUR_IPV6, Vantage.OTHER_STRANGER)
        then = {str(one): await attempt(probe, endpoint, VICTIM.address, VICTIM.password, one) for one in places}
    return probe.seen(outcome(then[str(here)]), Stage.AUTH, then=then)
