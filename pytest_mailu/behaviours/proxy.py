"""Reverse proxies before Mailu: whose address counts, and who may say so.

Clients that a proxy speaks for need no place in the sealed world: each behaviour makes up an address that nothing else
uses, so that what the services log of it is its own.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from pytest_mailu.behaviours.access_limits import STRANGERS, forgotten
from pytest_mailu.behaviours.declaration import LIMITER, behaviour
from pytest_mailu.behaviours.helpers import log_in
from pytest_mailu.behaviours.needs import MAILBOX, SITE
from pytest_mailu.core.endpoints import (
    HTTPS_443,
    IMAP_143,
    IMAPS_993,
    POP3_110,
    POP3S_995,
    SIEVE_4190,
    SMTP_25_OPPORTUNISTIC,
    SUBMISSION_587,
    SUBMISSIONS_465,
    Endpoint,
    Protocol,
    Tls,
)
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage, Vantage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.core.proxies import LISTED
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.admin_site import Site, browser, forwarding, setting
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.sessions import REPLY_SECONDS
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.http.forwarding import Forwarding
from pytest_mailu.wire.tls.protocols import ask
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import NotServed
from pytest_mailu.wire.transport.proxy_protocol import Introduced, Version
from pytest_mailu.wire.transport.stream import LineStream

USER = own_mailbox("proxied")
LOCKED_OUT = own_mailbox("proxied-locked-out")
MAIL = (SUBMISSION_587, SUBMISSIONS_465, IMAP_143, IMAPS_993, POP3_110, POP3S_995, SIEVE_4190)
EVERY = (SMTP_25_OPPORTUNISTIC, *MAIL, HTTPS_443)
RARER = (SUBMISSION_587, IMAP_143, POP3_110, POP3S_995)
LOGGING = ("front", "imap", "smtp", "admin")
"""Services that log where a client comes from."""
DOCUMENTATION = ("192.0.2", "198.51.100", "203.0.113")
"""Networks that are nobody's (RFC 5737)."""
LOG_SECONDS = 6.0
SECONDS = 120.0
everywhere = partial(
    behaviour, needs=SITE | {"smtp"}, each={"endpoint": EVERY}, deep={"endpoint": RARER}, timeout=SECONDS
)
"""Declares what is asked at every port that a reverse proxy may stand before."""
PROXY_OVER_IPV6 = "2001:db8::25"
"""The address of the proxy that clients with IPv6 connect to (RFC 3849)."""
_ADDRESS = re.compile(r"(?<![\d.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]{1,4}(?::[\da-f]{1,4}){7})(?![\d.:])")
"""An IPv4 address, or an IPv6 address that is written out."""


def made_up(probe: Probe) -> str:
    """The address of a client that nothing else uses; observations show it as `<token>`."""
    return _hidden(probe, f"{secrets.choice(DOCUMENTATION)}.{1 + secrets.randbelow(254)}")


def made_up_ipv6(probe: Probe) -> str:
    """The same of a client with IPv6 (RFC 3849). No group begins with 0, so there is one way to write it."""
    groups = (f"{0x1000 + secrets.randbelow(0xF000):x}" for _ in range(6))
    return _hidden(probe, f"2001:db8:{':'.join(groups)}")


def _hidden(probe: Probe, address: str) -> str:
    probe.hide_token(address)
    return address


def _in_the_connection(probe: Probe, endpoint: Endpoint) -> bool:
    """Whether the proxy before an endpoint sends the PROXY protocol.

    Raises `NotServed(NOT_OFFERED, CONNECT)` where it does and the release does not know of it.
    """
    sent = probe.at(endpoint).port in probe.stack.setup.proxies.ports
    if sent and not probe.release.reads_proxy_protocol:
        raise NotServed(Outcome.NOT_OFFERED, Stage.CONNECT, Reply(text="PROXY_PROTOCOL is not known"))
    return sent


def introduced(
    probe: Probe, client: str, vantage: Vantage = Vantage.PROXY, version: Version = Version.V1
) -> Introduced:
    """Connections from `vantage` that begin with the PROXY protocol, for a client at any address.

    A client with IPv6 has connected to the proxy's own address, since Mailu has none.
    """
    server = PROXY_OVER_IPV6 if ":" in client else probe.address_of(FRONT)
    return Introduced(probe.direct, client, server, vantage, version)


def past_the_proxy(probe: Probe, endpoint: Endpoint, client: str = "") -> Connector:
    """How a stranger connects who goes round the proxy, and says to be `client` as the proxy would."""
    if not _in_the_connection(probe, endpoint):
        return probe.direct
    return introduced(probe, client or probe.address_of(Vantage.STRANGER), Vantage.STRANGER)


def forwarding_past_the_proxy(probe: Probe, endpoint: Endpoint, header: str = "", claimed: str = "") -> Forwarding:
    """How a stranger sends requests who goes round the proxy, and writes headers as the proxy would."""
    port = probe.at(endpoint).port if probe.stack.setup.through_proxy(endpoint) else None
    return Forwarding(Vantage.STRANGER, port, header, (claimed,) if claimed else ())


@everywhere(
    "proxy/{endpoint}/address",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    of_setup=(Feature.PROXIED,),
)
async def address(probe: Probe, endpoint: Endpoint) -> Observation:
    """Client behind the reverse proxy on {endpoint.words}: its own address reaches the logs

    Everybody has the proxy's address: login limits and Fail2Ban lock out all together, and filters see no senders.

    Mailu docs, "Configuration reference" (PROXY_PROTOCOL, REAL_IP_HEADER, REAL_IP_FROM)
    """
    return await _address(probe, endpoint, made_up(probe), Version.V1)


@everywhere(
    "proxy/{endpoint}/address-ipv6",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    of_setup=(Feature.PROXIED,),
)
async def address_over_ipv6(probe: Probe, endpoint: Endpoint) -> Observation:
    """Client with IPv6 on {endpoint.words}, behind a reverse proxy that reaches Mailu over IPv4: it is served

    Whoever has IPv6 is hung up on, or hides behind the proxy's address.

    The PROXY protocol, section 2.1 (TCP6); github.com/Mailu/Mailu/issues/3176 (2.0: the Dovecot of `imap` hangs up)
    """
    return await _address(probe, endpoint, made_up_ipv6(probe), Version.V1)


@everywhere(
    "proxy/{endpoint}/address-v2",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    of_setup=(Feature.PROXY_PROTOCOL,),
)
async def address_in_version_2(probe: Probe, endpoint: Endpoint) -> Observation:
    """The same on {endpoint.words} with version 2 of the PROXY protocol, as Traefik sends it

    Load balancers that speak version 2 do not get through, or hide who connects.

    Mailu docs, "Using an external reverse proxy" (proxyProtocol.version=2); the PROXY protocol, section 2.2
    """
    return await _address(probe, endpoint, made_up(probe), Version.V2)


async def _address(probe: Probe, endpoint: Endpoint, client: str, version: Version) -> Observation:
    in_the_connection = _in_the_connection(probe, endpoint)
    if endpoint.protocol is Protocol.HTTP:
        return await _web_address(probe, endpoint, client, version)
    connector = introduced(probe, client, version=version) if in_the_connection else None
    reply = await _used(probe, endpoint, connector)
    logged = await _is_logged(probe, client)
    return probe.seen(Outcome.ACCEPTED if logged else Outcome.ALTERED, Stage.AUTH, reply)


async def _web_address(probe: Probe, endpoint: Endpoint, client: str, version: Version) -> Observation:
    word = probe.unique_word()
    async with _browser_of(probe, endpoint, client, version) as http:
        reply = await http.get(f"/static/{word}", follow=False)
    taken_for = await _logged_client(probe, word)
    outcome = Outcome.ACCEPTED if taken_for == client else Outcome.ALTERED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status)), taken_for=taken_for)


@asynccontextmanager
async def _browser_of(
    probe: Probe, endpoint: Endpoint, client: str, version: Version = Version.V1
) -> AsyncIterator[HttpSession]:
    """A browser at an address that is none of the vantages', behind the proxies of the set-up."""
    proxies, connector = probe.stack.setup.proxies, probe.connector
    if probe.at(endpoint).port in proxies.ports:
        # With a header as well, the connection is the one of the proxy before.
        last = probe.address_of(Vantage.FAR_PROXY) if proxies.header and proxies.in_a_row > 1 else client
        connector = introduced(probe, last, version=version)
    how = forwarding(probe, endpoint, Vantage.STRANGER, client)
    async with browser(probe, endpoint, connector=connector, how=how) as http:
        yield http


async def _used(probe: Probe, endpoint: Endpoint, connector: Connector | None) -> Reply:
    """The reply to a login, or on port 25, where nobody logs in, to a recipient."""
    if endpoint.protocol is not Protocol.SMTP:
        return await log_in(probe, endpoint, USER.address, USER.password, connector=connector)
    sender = f"{probe.unique_word()}@{ELSEWHERE}"
    async with probe.smtp(endpoint, connector=connector) as smtp:
        await smtp.mail(sender)
        return await smtp.command(f"RCPT TO:<{USER.address}>", Stage.RCPT)


async def _is_logged(probe: Probe, client: str) -> bool:
    """Whether any service logs a client's address within some seconds. Which one does is another in each series."""

    async def look() -> bool:
        for service in LOGGING:
            if await probe.evidence.lines(service, client):
                return True
        return False

    return await eventually(look, LOG_SECONDS)


async def _logged_client(probe: Probe, word: str) -> str:
    """The address in the line of nginx's access log that has this word; empty without such a line."""
    found: list[str] = []

    async def look() -> bool:
        lines = await probe.evidence.lines(FRONT, word)
        found.extend(match[0] for line in lines if (match := _ADDRESS.search(line)))
        return bool(found)

    await eventually(look, LOG_SECONDS)
    return found[0] if found else ""


@everywhere(
    "proxy/{endpoint}/without-header",
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    of_setup=(Feature.PROXY_PROTOCOL,),
)
async def without_header(probe: Probe, endpoint: Endpoint) -> Observation:
    """Connection from the proxy's address to {endpoint.words} without the PROXY protocol is refused

    Whoever reaches Mailu past the load balancer is served, and taken for the load balancer.

    The PROXY protocol, section 2: a receiver must not guess whether the header is present
    """
    _in_the_connection(probe, endpoint)
    said = await _first_words(probe, endpoint, probe.direct, Vantage.PROXY)
    return probe.seen(Outcome.ACCEPTED if said else Outcome.REFUSED, Stage.GREETING)


@everywhere(
    "proxy/{endpoint}/forged-by-stranger",
    wanted=Outcome.REFUSED,
    affected="Proxies that REAL_IP_FROM does not name are no longer believed.",
    severity=Severity.CRITICAL,
    of_setup=(Feature.PROXIED,),
)
async def forged_by_stranger(probe: Probe, endpoint: Endpoint) -> Observation:
    """Stranger who goes round the proxy to {endpoint.words} and names another address is not believed

    Anybody passes for anybody: attackers evade login limits, and pass for hosts that may relay.

    Mailu docs, "Configuration reference" (REAL_IP_FROM: "accepting the PROXY protocol from untrusted sources …")
    """
    forged = made_up(probe)
    connector = past_the_proxy(probe, endpoint, forged)
    if _in_the_connection(probe, endpoint) and not await _first_words(probe, endpoint, connector, Vantage.STRANGER):
        return probe.seen(Outcome.REFUSED, Stage.GREETING)
    if endpoint.protocol is Protocol.HTTP:
        header = probe.stack.setup.proxies.header
        return await _forged_on_the_web(probe, endpoint, connector, forged, header)
    try:
        reply = await _used(probe, endpoint, connector)
    except NotServed as end:
        reply = end.reply or Reply()
    believed = await _is_logged(probe, forged)
    return probe.seen(Outcome.ACCEPTED if believed else Outcome.REFUSED, Stage.AUTH, reply, believed=believed)


async def _forged_on_the_web(
    probe: Probe, endpoint: Endpoint, connector: Connector, forged: str, header: str
) -> Observation:
    word, how = probe.unique_word(), forwarding_past_the_proxy(probe, endpoint, header, forged)
    async with browser(probe, endpoint, connector=connector, how=how) as http:
        reply = await http.get(f"/static/{word}", follow=False)
    taken_for = await _logged_client(probe, word)
    outcome = Outcome.ACCEPTED if taken_for == forged else Outcome.REFUSED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status)), taken_for=taken_for)


@behaviour(
    "proxy/{endpoint}/forged-through-proxy",
    endpoint=HTTPS_443,
    needs=SITE,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"endpoint": (HTTPS_443,)},
    of_setup=(Feature.PROXY_HEADER,),
    timeout=SECONDS,
)
async def forged_through_proxy(probe: Probe, endpoint: Endpoint) -> Observation:
    """Browser that names another address in X-Forwarded-For, through the proxy, is not believed

    Anybody behind the proxy passes for anybody, and evades the login limits.

    RFC 7239 section 8.1; nginx, ngx_http_realip_module: `real_ip_recursive`
    """
    if probe.stack.setup.proxies.header.lower() != LISTED.lower():
        raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply(text="the proxy replaces this header"))
    client, forged, word = made_up(probe), made_up(probe), probe.unique_word()
    async with _browser_of(probe, endpoint, client) as http:
        reply = await http.get(f"/static/{word}", headers={LISTED: forged}, follow=False)
    taken_for = await _logged_client(probe, word)
    outcome = Outcome.ACCEPTED if taken_for == forged else Outcome.REFUSED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status)), believed=taken_for == forged)


@behaviour(
    "proxy/25/forged-relaynet",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    of_setup=(Feature.PROXY_PROTOCOL,),
    timeout=SECONDS,
)
async def forged_relaynet(probe: Probe) -> Observation:
    """Stranger who goes round the proxy and passes for a host in RELAYNETS may not relay

    The server is an open relay for whoever knows an address in RELAYNETS or SUBNET.

    Mailu docs, "Configuration reference" (RELAYNETS, REAL_IP_FROM)
    """
    endpoint = SMTP_25_OPPORTUNISTIC
    _in_the_connection(probe, endpoint)
    connector = introduced(probe, probe.address_of(Vantage.RELAYNET), Vantage.STRANGER)
    if not await _first_words(probe, endpoint, connector, Vantage.STRANGER):
        return probe.seen(Outcome.REFUSED, Stage.GREETING)
    async with probe.smtp(endpoint, connector=connector) as smtp:
        await smtp.mail(f"{probe.unique_word()}@{ELSEWHERE}")
        reply = await smtp.command(f"RCPT TO:<someone@{ELSEWHERE}>", Stage.RCPT)
    outcome = Outcome.ACCEPTED if reply.code.startswith("2") else Outcome.REFUSED
    return probe.seen(Outcome.DEFERRED if reply.code.startswith("4") else outcome, Stage.RCPT, reply)


async def _first_words(probe: Probe, endpoint: Endpoint, connector: Connector, vantage: Vantage) -> bytes:
    """What the server says first, when a client has spoken as its protocol begins; empty where it hangs up.

    Raises `NotServed(UNANSWERED, GREETING)` where it does neither.
    """
    there = probe.at(endpoint)
    try:
        async with LineStream.open(
            connector, FRONT, there.port, vantage=vantage, transcript=probe.transcript, timeout=REPLY_SECONDS
        ) as stream:
            first = _client_hello() if there.tls is Tls.IMPLICIT else ask(there.protocol)
            await stream.send(first, f"({len(first)} bytes, as {there.words} begins)")
            async with stream.reply(Stage.GREETING):
                return await stream.some()
    except OSError:  # a reset
        return b""
    except NotServed as end:
        if not end.hung_up:
            raise
        return b""


def _client_hello() -> bytes:
    """How a client begins with TLS."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    return out.read()


@behaviour(
    "proxy/{endpoint}/limiter",
    needs=(*MAILBOX, "smtp", LIMITER),
    disturbs=(LIMITER,),
    wanted=Outcome.ACCEPTED,
    better={"attacker_is_limited": Direction.TRUE},
    severity=Severity.CRITICAL,
    each={"endpoint": (HTTPS_443, IMAPS_993)},
    of_setup=(Feature.PROXIED,),
    timeout=SECONDS,
)
async def limiter(probe: Probe, endpoint: Endpoint) -> Observation:
    """Six failed logins of one client behind the proxy, {endpoint.words}: it is limited, and another client logs in

    One attacker locks out everybody behind the proxy, or is never stopped.

    core/admin/mailu/limiter.py; Mailu docs, "Configuration reference" (AUTH_RATELIMIT_IP, REAL_IP_FROM)
    """
    _in_the_connection(probe, endpoint)
    attacker, other = Vantage.OTHER_STRANGER, Vantage.STRANGER
    async with forgotten(probe):
        await asyncio.gather(*(_tried(probe, endpoint, *login, attacker) for login in STRANGERS))
        limited = not await _tried(probe, endpoint, LOCKED_OUT.address, LOCKED_OUT.password, attacker)
        served = await _tried(probe, endpoint, USER.address, USER.password, other)
    outcome = Outcome.ACCEPTED if served else Outcome.AUTH_FAILED
    return probe.seen(outcome, Stage.AUTH, attacker_is_limited=limited)


async def _tried(probe: Probe, endpoint: Endpoint, user: str, password: str, vantage: Vantage) -> bool:
    """Whether a login works. Raises NotServed where nobody listens or answers."""
    try:
        if endpoint.protocol is Protocol.HTTP:
            async with Site.open(probe, vantage) as site:
                await site.login(user, password)
        else:
            await log_in(probe, endpoint, user, password, vantage)
    except NotServed as end:
        if end.outcome in (Outcome.UNREACHABLE, Outcome.UNANSWERED):
            raise
        return False
    return True


@behaviour(
    "proxy/{endpoint}/redirects",
    needs=SITE,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"endpoint": (HTTPS_443,)},
    of_setup=(Feature.PROXIED,),
    timeout=SECONDS,
)
async def redirects(probe: Probe, endpoint: Endpoint) -> Observation:
    """From the start page to the login through the proxy: no loop, and never away from HTTPS or the host

    Browsers say "too many redirects", or end at an address that nobody serves.

    core/nginx/conf/nginx.conf (`absolute_redirect off`, `$proxy_x_forwarded_proto`), 1.9 to master
    """
    async with browser(probe, endpoint) as http:
        reply = await http.get("/")
        at = str(reply.url).partition("://")[0]
    way = [f"{hop.status} {_relative(hop.location)}" for hop in reply.chain]
    strays = [where for hop in reply.chain if (where := _away(hop.location))]
    outcome = Outcome.ACCEPTED if reply.status == 200 and at == "https" and not strays else Outcome.ALTERED
    if reply.looped:
        outcome = Outcome.UNANSWERED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status)), way=way, loops=reply.looped, strays=strays)


def _away(location: str) -> str:
    """Where a redirect leads that names another scheme or port than browsers are at."""
    scheme, separator, rest = location.partition("://")
    if not separator or not scheme.isalpha():
        return ""
    return "" if scheme == "https" and ":" not in rest.partition("/")[0].removesuffix(":443") else location


def _relative(location: str) -> str:
    return re.sub(r"^https?://[^/]*", "", location).partition("?")[0]


@behaviour(
    "proxy/{endpoint}/session",
    needs=SITE,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"endpoint": (HTTPS_443,)},
    of_setup=(Feature.PROXIED,),
    timeout=SECONDS,
)
async def session(probe: Probe, endpoint: Endpoint) -> Observation:
    """Login through the proxy, and a page of the session that it begins

    The login is accepted, and the browser is asked for it again: the session is lost.

    core/admin/mailu/configuration.py (SESSION_COOKIE_SECURE), sso/views/base.py
    """
    async with Site.open(probe) as site:
        reply = await site.login(USER.address, USER.password)
        page = await site.inner_page("/user/settings")
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply(str(page.status)), cookies=reply.cookies)


@behaviour(
    "proxy/{endpoint}/upload",
    needs=SITE,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": (HTTPS_443,)},
    of_setup=(Feature.PROXIED,),
    timeout=SECONDS,
)
async def upload(probe: Probe, endpoint: Endpoint) -> Observation:
    """Request with a body of nearly MESSAGE_SIZE_LIMIT through the proxy

    Attachments of the allowed size cannot be sent by web mail.

    core/nginx/conf/nginx.conf (client_max_body_size), 1.9 to master
    """
    reply = await _upload(probe, endpoint, _size_limit(probe) - 1_000_000)
    return probe.seen(Outcome.REFUSED if reply.status == 413 else Outcome.ACCEPTED, Stage.DATA, _status(reply))


@behaviour(
    "proxy/{endpoint}/upload-too-large",
    needs=SITE,
    wanted=Outcome.REFUSED,
    severity=Severity.MINOR,
    each={"endpoint": (HTTPS_443,)},
    deep=True,
    of_setup=(Feature.PROXIED,),
    timeout=SECONDS,
)
async def upload_too_large(probe: Probe, endpoint: Endpoint) -> Observation:
    """Request with a body of far more than MESSAGE_SIZE_LIMIT through the proxy is refused

    Anybody fills the memory and disk of the server.

    core/nginx/conf/nginx.conf (client_max_body_size: MESSAGE_SIZE_LIMIT and 8 MiB), 1.9 to master
    """
    reply = await _upload(probe, endpoint, _size_limit(probe) + 20_000_000)
    return probe.seen(Outcome.REFUSED if reply.status == 413 else Outcome.ACCEPTED, Stage.DATA, _status(reply))


def _size_limit(probe: Probe) -> int:
    text = setting(probe, "MESSAGE_SIZE_LIMIT", "50000000", FRONT)
    return min(int(text), 60_000_000) if text.isdecimal() and len(text) < 12 else 50_000_000


def _status(reply: HttpReply) -> Reply:
    return Reply("413" if reply.status == 413 else "", "", "too large" if reply.status == 413 else "taken")


async def _upload(probe: Probe, endpoint: Endpoint, size: int) -> HttpReply:
    async with browser(probe, endpoint) as http:
        kind = {"Content-Type": "application/octet-stream"}
        return await http.post("/sso/login", content=bytes(size), headers=kind, follow=False)
