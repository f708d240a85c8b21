"""SASL in detail: every mechanism, initial responses, and logins that are cancelled or malformed."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import MECHANISMS, answer, as_fact, without_capabilities
from pytest_mailu.behaviours.needs import to_log_in
from pytest_mailu.core.endpoints import IMAPS_993, POP3S_995, SIEVE_4190, SUBMISSIONS_465, Endpoint, Protocol
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.smtp.reply import positive
from pytest_mailu.wire.transport.errors import HUNG_UP, NotServed

USER = own_mailbox("mechanisms-user")
SASL = (IMAPS_993, POP3S_995, SIEVE_4190)
BROKEN = {"malformed": "this is no base64!", "cancelled": "*", "empty": "="}
"""Responses to a challenge: not base64, RFC 4954's way to cancel, and an empty one."""


@behaviour(
    "access/{endpoint}/sasl-{mechanism}",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": SASL, "mechanism": MECHANISMS},
)
async def sasl(probe: Probe, endpoint: Endpoint, mechanism: str) -> Observation:
    """SASL login with {mechanism} on {endpoint.words}

    Programs that use AUTHENTICATE (or AUTH) with {mechanism} cannot log in.

    RFC 9051 section 6.2.2; RFC 5034; RFC 5804 section 2.1
    """
    match endpoint.protocol:
        case Protocol.IMAP:
            async with probe.imap(endpoint) as imap:
                done = await imap.authenticate(USER.address, USER.password, mechanism)  # type: ignore[arg-type]
                reply = without_capabilities(done.reply)
        case Protocol.POP3:
            async with probe.pop3(endpoint) as pop3:
                reply = await pop3.authenticate(USER.address, USER.password, mechanism)  # type: ignore[arg-type]
        case _:
            async with probe.sieve(endpoint) as sieve:
                reply = await sieve.authenticate(USER.address, USER.password, mechanism)  # type: ignore[arg-type]
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/sasl-initial-response",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    each={"endpoint": SASL[:2]},
)
async def initial_response(probe: Probe, endpoint: Endpoint) -> Observation:
    """SASL PLAIN with an initial response on {endpoint.words}

    Programs that send the response with the command cannot log in.

    RFC 4959 (SASL-IR); RFC 5034 section 4
    """
    if endpoint.protocol is Protocol.IMAP:
        async with probe.imap(endpoint) as imap:
            done = await imap.authenticate(USER.address, USER.password, initial_response=True)
            reply = without_capabilities(done.reply)
    else:
        async with probe.pop3(endpoint) as pop3:
            reply = await pop3.authenticate(USER.address, USER.password, initial_response=True)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/auth-{mechanism}-in-steps",
    needs=to_log_in,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": (SUBMISSIONS_465,), "mechanism": MECHANISMS},
)
async def in_steps(probe: Probe, endpoint: Endpoint, mechanism: str) -> Observation:
    """SMTP AUTH {mechanism} without an initial response on {endpoint.words}

    Programs and devices that wait for the server's challenge cannot send.

    RFC 4954 section 4
    """
    async with probe.smtp(endpoint) as smtp:
        reply = await smtp.login(USER.address, USER.password, mechanism, initial_response=False)  # type: ignore[arg-type]
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply)


@behaviour(
    "access/{endpoint}/auth-{mechanism}-{kind}",
    needs=to_log_in,
    wanted=Outcome.REFUSED,
    better={"still_there": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"endpoint": (SUBMISSIONS_465,), "mechanism": MECHANISMS, "kind": BROKEN},
)
async def broken(probe: Probe, endpoint: Endpoint, mechanism: str, kind: str) -> Observation:
    """SMTP AUTH {mechanism} with a response that is {kind} on {endpoint.words} is refused

    Programs that cancel a login or get it wrong hang or lose the connection; at worst they are logged in.

    RFC 4954 section 4: 501 for `*` and for what is not base64
    """
    async with probe.smtp(endpoint) as smtp:
        asked = await answer(smtp, f"AUTH {mechanism}")
        if not positive(asked):
            raise NotServed(Outcome.REFUSED, Stage.AUTH, asked)
        reply = await answer(smtp, BROKEN[kind])
        if reply.code == "334":
            reply = await answer(smtp, BROKEN[kind])
        after = await answer(smtp, "NOOP") if reply.code else Reply()
    outcome = Outcome.ACCEPTED if reply.code == "235" else Outcome.REFUSED
    return probe.seen(outcome, Stage.AUTH, reply, challenge=as_fact(asked), still_there=positive(after))


@behaviour(
    "access/{endpoint}/cancelled",
    needs=to_log_in,
    wanted=Outcome.REFUSED,
    severity=Severity.MINOR,
    each={"endpoint": (IMAPS_993,)},
)
async def imap_cancelled(probe: Probe, endpoint: Endpoint) -> Observation:
    """AUTHENTICATE PLAIN on {endpoint.words} can be cancelled with `*`

    Programs that cancel a login hang or lose the connection.

    RFC 9051 section 6.2.2
    """
    async with probe.imap(endpoint) as imap:
        await imap.stream.send(b"c AUTHENTICATE PLAIN\r\n")
        async with imap.stream.reply(Stage.AUTH):
            asked = await imap.stream.line()
        if not asked.startswith(b"+"):
            raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH, Reply(text=asked.decode(errors="replace")))
        await imap.stream.send(b"*\r\n")
        try:
            async with imap.stream.reply(Stage.AUTH):
                words = (await imap.stream.line()).decode(errors="replace").split(" ", 2)
        except NotServed as end:
            if not end.hung_up:
                raise
            return probe.seen(Outcome.REFUSED, Stage.AUTH, HUNG_UP)
    outcome = Outcome.ACCEPTED if words[1:2] == ["OK"] else Outcome.REFUSED
    return probe.seen(outcome, Stage.AUTH, Reply("".join(words[1:2]), "", "".join(words[2:])))
