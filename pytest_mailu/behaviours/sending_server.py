"""Another mail server with a message for a user: it tries again while it is put off (RFC 5321 section 4.5.4)."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.wire.transport.errors import NotServed

PUT_OFF = (Outcome.DEFERRED, Outcome.UNANSWERED, Outcome.UNREACHABLE)
"""Ends of an attempt after which a server tries again."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: its end in short, and the reply that took the message, or why not."""

    words: str
    result: Reply | NotServed

    @property
    def reply(self) -> Reply | None:
        """The reply of a Mailu that took the message."""
        return self.result if isinstance(self.result, Reply) else None

    @property
    def is_over(self) -> bool:
        """Whether no other attempt follows: the message was taken, or refused for good."""
        return isinstance(self.result, Reply) or self.result.outcome not in PUT_OFF


NONE_YET = Attempt("", NotServed(Outcome.UNREACHABLE, Stage.CONNECT))
"""What comes before the first attempt."""


async def attempt(probe: Probe, message: Message, patience: float) -> Attempt:
    """Try once. `patience` is how many seconds the server waits for a reply."""
    try:
        async with probe.smtp(SMTP_25_OPPORTUNISTIC, timeout=patience) as smtp:
            done = await smtp.send(message.sender, message.recipients, message.content)
    except NotServed as end:
        code = end.reply.code if end.reply is not None else ""
        return Attempt("hung up" if end.hung_up else f"{end.outcome} {code}".strip(), end)
    return Attempt("taken", done.reply)


async def taken_in_the_end(probe: Probe, message: Message, last: Attempt, *, patience: float, seconds: float) -> Reply:
    """The reply that took the message, after `last` or after other attempts within `seconds`.

    Raises NotServed as the last attempt ended.
    """

    async def over() -> bool:
        nonlocal last
        last = await attempt(probe, message, patience)
        return last.is_over

    if not last.is_over:
        await eventually(over, seconds)
    if isinstance(last.result, NotServed):
        raise last.result
    return last.result
