"""Rules by which the DNS server answers some questions otherwise: late, by TCP alone, without AD, SERVFAIL, or never.

So the world plays what resolvers on the internet do to a mail server: zones without DNSSEC, answers that are too large
for UDP, name servers that are slow or broken.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Dict, Iterable, Mapping, Optional
from typing import Counter as Count

from .plan import PlanError

USUAL, SERVFAIL, SILENCE = "", "servfail", "silence"
_MAX_DELAY = 30.0
"""Seconds. No resolver waits longer (resolv.conf(5): 30 at most)."""
_MOST_RULES = 1_000
_LONGEST_GLOB = 255


@dataclass
class DnsRule:
    """What is answered to questions for `name` (a glob over lower-case names without the last dot) and `type`.

    `type` may be empty, for all. Where it is not `signed`, AD is never set. With `tcp`, the answer over UDP is cut to
    nothing. `answer` is `servfail`, `silence` or empty for the usual one. `times` None is for ever. `uses` counts the
    answers, by `udp` and `tcp`.
    """

    name: str
    type: str = ""
    signed: bool = True
    tcp: bool = False
    delay: float = 0.0
    answer: str = USUAL
    times: Optional[int] = None
    uses: Count[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.name, self.type = str(self.name).lower(), str(self.type).upper()
        self.delay = float(self.delay)
        if not 0 < len(self.name) <= _LONGEST_GLOB:
            raise PlanError(f"a rule's name has 1 to {_LONGEST_GLOB} characters")
        if not 0 <= self.delay <= _MAX_DELAY:
            raise PlanError(f"delay {self.delay!r} is not within 0 and {_MAX_DELAY:.0f} s")
        if self.answer not in (USUAL, SERVFAIL, SILENCE):
            raise PlanError(f"answer {self.answer!r} is none of {SERVFAIL}, {SILENCE}")

    def fits(self, name: str, kind: str) -> bool:
        """Whether the rule applies to this question."""
        return self.times != 0 and self.type in ("", kind) and fnmatchcase(name, self.name)

    def use(self, transport: str) -> None:
        """Count an answer; one of the rule's `times` is used up."""
        self.uses[transport] += 1
        if self.times:
            self.times -= 1


class DnsRules:
    """The active rules; the first one that fits decides."""

    def __init__(self, rules: Iterable[Mapping[str, Any]] = ()) -> None:
        self._rules: Dict[int, DnsRule] = {}
        self._last = 0
        for rule in rules:
            self.add(rule)

    def add(self, rule: Mapping[str, Any]) -> int:
        """Add a rule; returns its number. Raises PlanError."""
        if len(self._rules) >= _MOST_RULES:
            raise PlanError(f"there are {_MOST_RULES} rules already")
        try:
            added = DnsRule(**{name: value for name, value in rule.items() if name != "uses"})
        except (TypeError, ValueError) as error:
            raise PlanError(str(error)) from error
        self._last += 1
        self._rules[self._last] = added
        return self._last

    def remove(self, number: int) -> Dict[str, int]:
        """Remove a rule, which may be gone already; how often it was used, by transport."""
        rule = self._rules.pop(number, None)
        return dict(rule.uses) if rule is not None else {}

    def find(self, name: str, kind: str) -> Optional[DnsRule]:
        """The rule for a question, or None."""
        return next((rule for rule in self._rules.values() if rule.fits(name, kind)), None)
