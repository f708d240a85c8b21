"""Mail over POP3. Each behaviour looks only at its own message."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import POP3S_995
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import User, own_mailbox
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.pop3.session import Pop3Session
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

POPPER = own_mailbox("pop3-reader")
DELETER = own_mailbox("pop3-deleter")
"""A mailbox for deletions: in a shared one, other behaviours would see messages disappear."""


async def _arrived(probe: Probe, user: User = POPPER) -> Message:
    """Deliver a message to the user's mailbox. Raises CannotAsk where it does not arrive, since that is no matter of
    POP3."""
    message = probe.mail.compose(to=user.address)
    seen = await probe.mail.in_mailbox(message, user, await probe.mail.deliver(message))
    if seen.outcome not in (Outcome.DELIVERED, Outcome.ALTERED):
        raise CannotAsk(f"the message to be fetched was {seen.outcome}")
    return message


@shared
async def _waiting(probe: Probe) -> Message:
    """A message that has arrived, for those who only read it."""
    return await _arrived(probe)


async def _login(pop3: Pop3Session, user: User = POPPER) -> None:
    await pop3.login(user.address, user.password)


async def _number(pop3: Pop3Session, message: Message) -> int | None:
    """The number of a message in this session, or None where it is missing."""
    for number in sorted(await pop3.list(), reverse=True):
        if message.message_id.encode() in await pop3.top(number, 0):
            return number
    return None


@behaviour("mailbox/995/uidl-stable", endpoint=POP3S_995, wanted=Outcome.ACCEPTED, severity=Severity.CRITICAL)
async def uidl_stable(probe: Probe) -> Observation:
    """POP3 UIDL is the same in the next session

    Programs that leave mail on the server download all of it every time.

    RFC 1939 section 7 (UIDL); Mailu sets no pop3_uidl_format, so Dovecot's default counts
    """
    message = await _waiting(probe)
    seen = []
    for _ in range(2):
        async with probe.pop3(POP3S_995) as pop3:
            await _login(pop3)
            number = await _number(pop3, message)
            seen.append((await pop3.uidl()).get(number or 0))
    outcome = Outcome.ACCEPTED if seen[0] and seen[0] == seen[1] else Outcome.ALTERED
    return probe.seen(outcome, Stage.COMMAND, length=len(seen[0] or ""))


@behaviour(
    "mailbox/995/fetch",
    endpoint=POP3S_995,
    wanted=Outcome.ACCEPTED,
    better={"size_right": Direction.TRUE, "top_right": Direction.TRUE},
    severity=Severity.CRITICAL,
)
async def fetch(probe: Probe) -> Observation:
    """Message is complete over POP3 RETR, and its header over TOP

    Mail fetched over POP3 is damaged, or programs that read headers first get nothing.

    RFC 1939 sections 5 (LIST, RETR) and 7 (TOP)
    """
    message = await _waiting(probe)
    async with probe.pop3(POP3S_995) as pop3:
        await _login(pop3)
        number = await _number(pop3, message)
        if number is None:
            return probe.seen(Outcome.LOST, Stage.COMMAND)
        size = (await pop3.list())[number]
        content = await pop3.retr(number)
        top = await pop3.top(number, 1)
    head, _, body = content.partition(b"\r\n\r\n")
    facts: dict[str, Any] = {
        "size_right": size == len(content),
        "top_right": top == head + b"\r\n\r\n" + body.split(b"\r\n")[0] + b"\r\n",
    }
    outcome = Outcome.ACCEPTED if body == message.body and facts["top_right"] else Outcome.ALTERED
    return probe.seen(outcome, Stage.COMMAND, **facts)


@behaviour("mailbox/995/delete", endpoint=POP3S_995, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def delete(probe: Probe) -> Observation:
    """Message deleted over POP3 is gone in the next session; RSET keeps it

    Programs get the same mail again and again, or mail is deleted that should stay.

    RFC 1939 sections 5 (DELE, RSET) and 6
    """
    message = await _arrived(probe, DELETER)
    there = []
    for regret in (True, False, False):
        async with probe.pop3(POP3S_995) as pop3:
            await _login(pop3, DELETER)
            number = await _number(pop3, message)
            there.append(number is not None)
            if number is not None:
                await pop3.dele(number)
                if regret:
                    await pop3.rset()
    return probe.seen(Outcome.ACCEPTED if there == [True, True, False] else Outcome.LOST, Stage.COMMAND, there=there)


@behaviour(
    "mailbox/995/deleted-without-quit", endpoint=POP3S_995, wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR
)
async def without_quit(probe: Probe) -> Observation:
    """Message marked for deletion stays when the session breaks off before QUIT

    Mail is deleted although the program did not finish fetching it.

    RFC 1939 section 6: a session that ends without QUIT removes nothing
    """
    message = await _arrived(probe)
    with suppress(_BrokenOff):
        async with probe.pop3(POP3S_995) as pop3:
            await _login(pop3)
            await pop3.dele(await _number(pop3, message) or 0)
            raise _BrokenOff
    async with probe.pop3(POP3S_995) as pop3:
        await _login(pop3)
        number = await _number(pop3, message)
    return probe.seen(Outcome.LOST if number is None else Outcome.ACCEPTED, Stage.COMMAND)


class _BrokenOff(Exception):
    """Leaves a session without QUIT."""


@behaviour("mailbox/995/beside-imap", endpoint=POP3S_995, wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR)
async def beside_imap(probe: Probe) -> Observation:
    """Message read over IMAP is there over POP3, and fetching over POP3 sets \\Seen

    Users who read on two devices miss mail on one of them, or see all of it as new.

    RFC 1939 section 3: the maildrop is what lies in INBOX; Dovecot's pop3 sets \\Seen with RETR
    """
    message = await _arrived(probe)
    flags = []
    async with probe.pop3(POP3S_995) as pop3:
        await _login(pop3)
        number = await _number(pop3, message)
        if number is None:
            return probe.seen(Outcome.LOST, Stage.COMMAND)
        flags.append(await _flags(probe, message))
        await pop3.retr(number)
    flags.append(await _flags(probe, message))
    async with probe.pop3(POP3S_995) as pop3:
        await _login(pop3)
        still = await _number(pop3, message) is not None
    return probe.seen(Outcome.ACCEPTED if still else Outcome.LOST, Stage.COMMAND, looked_at=flags[0], fetched=flags[1])


async def _flags(probe: Probe, message: Message) -> list[str]:
    async with probe.mailbox(POPPER) as mailbox:
        found = await mailbox.wait_for_message(message.message_id, 2.0, folders=["INBOX"])
    return [flag for message in found for flag in message.flags if flag != "\\Recent"]


@behaviour("mailbox/995/refuses-missing", endpoint=POP3S_995, wanted=Outcome.REFUSED, severity=Severity.MINOR)
async def refuses_missing(probe: Probe) -> Observation:
    """Request for a missing message over POP3 is refused

    Programs take an empty answer for a message.

    RFC 1939 section 5 (RETR)
    """
    async with probe.pop3(POP3S_995) as pop3:
        await _login(pop3)
        reply = (await pop3.command("RETR 999999")).reply
    if reply.code == "+OK":
        return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, reply)
    raise NotServed(Outcome.REFUSED, Stage.COMMAND, reply)
