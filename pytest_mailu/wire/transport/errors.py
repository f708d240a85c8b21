"""The two ways in which a conversation with a server ends early."""

from __future__ import annotations

from pytest_mailu.core.model import Outcome, Reply, Stage

HUNG_UP = Reply(text="(hangs up)")
"""Stands in place of the reply where the server closes the connection without one."""


class NotServed(Exception):
    """The server did not serve the request: refused, deferred, not offered, no answer. That is an observation.

    `reply` holds the server's words where it said any, `HUNG_UP` where it closed the connection instead; for failed TLS
    handshakes and refused connections the reason.
    """

    def __init__(self, outcome: Outcome, stage: Stage, reply: Reply | None = None) -> None:
        super().__init__(outcome, stage, reply)
        self.outcome = outcome
        self.stage = stage
        self.reply = reply

    @property
    def hung_up(self) -> bool:
        """Whether the server closed the connection in place of a reply."""
        return self.reply is HUNG_UP

    def __str__(self) -> str:
        words = (self.reply.code, self.reply.enhanced, self.reply.text) if self.reply else ()
        return f"{self.outcome} at {self.stage}: {' '.join(filter(None, words))}".removesuffix(": ")


class CannotAsk(Exception):
    """The question could not be put: a failure of the environment, or a reply that breaks the protocol.

    A connection that is closed in the middle of a reply counts here too. `reason` is one line for people.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
