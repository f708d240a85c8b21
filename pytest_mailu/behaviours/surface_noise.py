"""Line noise on every port: afterwards the port still answers. Scanners send such things all day."""

from __future__ import annotations

import asyncio

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import log_in
from pytest_mailu.core.endpoints import (
    ENDPOINTS,
    HTTPS_443,
    IMAPS_993,
    SMTP_25_OPPORTUNISTIC,
    SUBMISSIONS_465,
    Endpoint,
    Protocol,
    Tls,
)
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import HOSTNAME, own_mailbox
from pytest_mailu.probe.admin_site import browser
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.tls_context import client_context

USER = own_mailbox("noise-user")
ALWAYS = (SMTP_25_OPPORTUNISTIC, SUBMISSIONS_465, IMAPS_993, HTTPS_443)
NOISE = {
    "high bytes": bytes(range(128, 256)) + b"\r\n",
    "control characters": bytes(range(1, 10)) + b"\x00\x7f\x1b[2J\r\n",
    "long line": b"A" * 100_000 + b"\r\n",
    "long command": b"EHLO " + b"a." * 20_000 + b"\r\n",
    "empty lines": b"\r\n" * 500,
    "half a command": b"EHL",
    "half a literal": b"a1 LOGIN {100}\r\nabc",
    "huge literal": b"a1 LOGIN {4294967295}\r\n",
    "bare line feeds": b"NOOP\nNOOP\nNOOP\n",
    "another protocol": b"GET / HTTP/1.0\r\n\r\n",
    "TLS record": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 100,
    "PROXY line": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
}
"""What is sent on a connection of its own each."""
PAUSE = 0.3
"""Seconds to listen after each: what the server says does not matter."""


@behaviour(
    "surface/{endpoint}/noise",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"endpoint": ENDPOINTS},
    deep={"endpoint": tuple(endpoint for endpoint in ENDPOINTS if endpoint not in ALWAYS)},
)
async def noise(probe: Probe, endpoint: Endpoint) -> Observation:
    """Line noise on {endpoint.words}: afterwards it still answers

    A scanner that sends rubbish takes the service away from everyone.

    RFC 5321 section 4.5.3 (limits); RFC 9051 section 4 (syntax); real scanners
    """
    endpoint = probe.at(endpoint)
    ways = (Tls.NONE, Tls.IMPLICIT) if endpoint.tls is Tls.IMPLICIT else (Tls.NONE,)
    await asyncio.gather(
        *(_send(probe, endpoint, tls, words, payload) for tls in ways for words, payload in NOISE.items())
    )
    try:
        return await _answers(probe, endpoint)
    except CannotAsk as end:
        # It closes the connection or says rubbish itself: the noise has hit it.
        return probe.seen(Outcome.UNANSWERED, Stage.COMMAND, Reply(text=end.reason))


async def _answers(probe: Probe, endpoint: Endpoint) -> Observation:
    """Whether the port serves as usual; raises NotServed where it does not."""
    if endpoint.protocol is Protocol.HTTP:
        async with browser(probe, endpoint) as http:
            status = (await http.get("/", follow=False)).status
        return probe.seen(Outcome.ACCEPTED if status < 500 else Outcome.REFUSED, Stage.COMMAND, status=status)
    if endpoint.protocol is Protocol.SMTP:
        async with probe.smtp(endpoint) as smtp:
            reply = await smtp.command("NOOP")
    else:
        reply = await log_in(probe, endpoint, USER.address, USER.password)
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, reply)


async def _send(probe: Probe, endpoint: Endpoint, tls: Tls, words: str, payload: bytes) -> None:
    """Send this on a new connection, listen for a moment, and hang up. What happens meanwhile is no answer.

    Raises NotServed where the port is closed: there is nothing to disturb.
    """
    context = client_context() if tls is Tls.IMPLICIT else None
    try:
        async with LineStream.open(
            probe.connector, FRONT, endpoint.port, transcript=probe.transcript, context=context, sni=HOSTNAME
        ) as stream:
            await stream.send(payload, f"({words}, {len(payload)} bytes)")
            async with stream.reply(Stage.COMMAND, PAUSE):
                while await stream.some():
                    pass
    except NotServed as end:
        if end.outcome is Outcome.UNREACHABLE:
            raise
    except (CannotAsk, OSError):
        pass
