"""Scripted replies: which recipients are refused, deferred or delayed, and how often.

Some local parts are scripts themselves, so that a test needs no set-up; text behind `-` or `+` is ignored:

* `rcpt-451@`, `data-550-abc@`: that code at that stage, always
* `greylist-2-abc@`: 451 to the first two attempts at RCPT, then 250
* `delay-5@`: the answer to RCPT comes after five seconds
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Dict, Iterable, Mapping, Optional
from typing import Counter as Count

STAGES = ("mail", "rcpt", "data")
_ORDER = re.compile(r"(rcpt|data|greylist|delay)-(\d{1,3})(?:[-+].*)?$")
_MAX_DELAY = 600.0
_MOST_TRIES = 10_000


class ScriptError(ValueError):
    """The rule makes no sense; the text says why."""


@dataclass(frozen=True)
class ScriptedReply:
    """A reply, and the seconds before it. An empty reply means the usual one."""

    reply: str = ""
    delay: float = 0.0


USUAL_REPLY = ScriptedReply()


@dataclass
class Rule:
    """`recipient` and `sender` are globs; at stage `mail` only the sender is known. `times` None is for ever."""

    stage: str
    recipient: str = "*"
    sender: str = "*"
    listener: str = ""
    code: int = 0
    enhanced: str = ""
    text: str = "by order of the test"
    times: Optional[int] = None
    delay: float = 0.0

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ScriptError(f"stage {self.stage!r} is none of {', '.join(STAGES)}")
        if self.code and not 200 <= int(self.code) <= 599:
            raise ScriptError(f"code {self.code!r} is no SMTP reply code")
        if not 0 <= float(self.delay) <= _MAX_DELAY:
            raise ScriptError(f"delay {self.delay!r} is not within 0 and {_MAX_DELAY:.0f} s")
        if any(mark in f"{self.enhanced}{self.text}" for mark in "\r\n"):
            raise ScriptError("a reply is one line")

    def fits(self, stage: str, listener: str, sender: str, recipient: str) -> bool:
        """Whether the rule applies to this attempt."""
        return (
            self.stage == stage
            and self.times != 0
            and self.listener in ("", listener)
            and fnmatchcase(sender.lower(), self.sender.lower())
            and (stage == "mail" or fnmatchcase(recipient.lower(), self.recipient.lower()))
        )

    def take(self) -> ScriptedReply:
        """The rule's reply; one of its `times` is used up."""
        if self.times:
            self.times -= 1
        words = (str(self.code), self.enhanced, self.text) if self.code else ()
        return ScriptedReply(" ".join(word for word in words if word), self.delay)


class Scripts:
    """The active rules; the first one that applies decides."""

    def __init__(self, rules: Iterable[Mapping[str, Any]] = ()) -> None:
        self._rules: Dict[int, Rule] = {}
        self._last = 0
        self._tries: Count[str] = Counter()
        for rule in rules:
            self.add(rule)

    def add(self, rule: Mapping[str, Any]) -> int:
        """Add a rule; returns its number. Raises ScriptError."""
        try:
            added = Rule(**rule)
        except TypeError as error:
            raise ScriptError(str(error)) from error
        self._last += 1
        self._rules[self._last] = added
        return self._last

    def remove(self, number: int) -> bool:
        """Remove a rule; returns whether it was there."""
        return self._rules.pop(number, None) is not None

    def verdict(self, stage: str, listener: str, sender: str, recipient: str = "") -> ScriptedReply:
        """What to answer to this recipient (at `mail`: this sender). Counts it as one attempt."""
        for rule in self._rules.values():
            if rule.fits(stage, listener, sender, recipient):
                return rule.take()
        return self._by_name(stage, recipient) if stage != "mail" else USUAL_REPLY

    def _by_name(self, stage: str, recipient: str) -> ScriptedReply:
        order = _ORDER.match(recipient.rpartition("@")[0].lower())
        if not order:
            return USUAL_REPLY
        verb, number = order.group(1), int(order.group(2))
        if verb == stage and 200 <= number <= 599:
            return ScriptedReply(f"{number} {number // 100}.7.1 by order of the address")
        if verb == "delay" and stage == "rcpt":
            return ScriptedReply(delay=min(float(number), _MAX_DELAY))
        if verb == "greylist" and stage == "rcpt":
            if len(self._tries) >= _MOST_TRIES:
                self._tries.clear()
            self._tries[recipient.lower()] += 1
            if self._tries[recipient.lower()] <= number:
                return ScriptedReply("451 4.7.1 come back later, by order of the address")
        return USUAL_REPLY
