"""Observations with names that both sides share, in the place of addresses and tokens that differ each time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.core.population import hide_own_mailboxes
from pytest_mailu.probe.running_stack import RunningStack
from pytest_mailu.wire.transport.errors import NotServed


class Observations:
    """Makes the observations of one probe. They contain neither the stack's addresses nor the probe's own tokens."""

    def __init__(self, stack: RunningStack) -> None:
        self._names = stack
        self._tokens: list[str] = []

    def unique_word(self) -> str:
        """A unique word for names of what a behaviour creates; observations show it as `<token>`."""
        word = secrets.token_hex(6)
        self.hide_token(word)
        return word

    def hide_token(self, token: str) -> None:
        """Show a token, which differs each time, as `<token>` in observations."""
        self._tokens.append(token)

    def hide_tokens_of(self, other: Observations) -> None:
        """Show the tokens of what was done for this probe as `<token>` too."""
        self._tokens += other._tokens

    def seen(self, outcome: Outcome, stage: Stage, reply: Reply | None = None, **facts: Any) -> Observation:
        """The observation of what this probe asked."""
        shared = None if reply is None else replace(reply, text=self.with_common_names(reply.text))
        return Observation(outcome, stage, shared, self.with_common_names(facts))

    def with_facts(self, seen: Observation, **facts: Any) -> Observation:
        """The observation with more facts."""
        return replace(seen, facts={**seen.facts, **self.with_common_names(facts)})

    def not_served(self, end: NotServed) -> Observation:
        """The observation that a server's refusal, or its silence, amounts to."""
        return self.seen(end.outcome, end.stage, end.reply)

    def with_common_names(self, value: Any) -> Any:
        """The value with this stack's addresses, own mailboxes and tokens under names that both sides share."""
        # A stack works its addresses out anew each time: once for all that is in the value.
        return self._named(value, self._names.addresses)

    def _named(self, value: Any, addresses: Mapping[str, str]) -> Any:
        if isinstance(value, str):
            for address, name in addresses.items():
                if address not in value:
                    continue
                value = re.sub(rf"(?<![\d.]){re.escape(address)}(?![\d]|\.\d)", f"<{name}>", value)
            for token in self._tokens:
                value = value.replace(token, "<token>")
            return hide_own_mailboxes(value)
        if isinstance(value, Mapping):
            return {str(self._named(key, addresses)): self._named(inner, addresses) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._named(inner, addresses) for inner in value]
        return value
