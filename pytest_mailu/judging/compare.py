"""Structural comparison of two observations: typed differences by path, volatile parts matched by path and form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pytest_mailu.core.globs import any_of, matches
from pytest_mailu.core.measures import Measure, ratio, read_measure
from pytest_mailu.core.model import Difference, Observation


@dataclass(frozen=True, slots=True)
class Volatile:
    """A part of a value that differs from one moment to the next, at the paths that match `path` (a glob).

    Only what `form` matches is set aside (shown as `<name>`), so a change of the words around it is still seen.
    """

    path: str
    form: re.Pattern[str]
    name: str

    def settle(self, path: str, value: str) -> str:
        """The value with its volatile part under a common name, where `path` is one that has it."""
        return self.form.sub(f"<{self.name}>", value) if matches(self.path, path) else value


VOLATILE = (
    # Postfix names the queue file it took the message into (cleanup(8)); Dovecot's submission proxy passes that on.
    Volatile("reply.text", re.compile(r"(?<=queued as )[0-9A-Za-z]+"), "queue id"),
    Volatile("facts.*.text", re.compile(r"(?<=queued as )[0-9A-Za-z]+"), "queue id"),
    # Postfix tells how many bytes BDAT brought (smtpd(8)): they depend on the names of mailboxes and on dates.
    Volatile("reply.text", re.compile(r"(?<=Ok: )\d+(?= bytes queued)"), "size"),
    # Dovecot's session id behind LMTP and login replies.
    Volatile("reply.text", re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{16,}+(?= (?:Saved|<))"), "session id"),
    # Dovecot's imap says how long a command took: "(0.001 + 0.000 + 0.012 secs)" (imap_client_command_sync).
    Volatile("*text", re.compile(r"\(\d+\.\d+ \+ \d+\.\d+(?: \+ \d+\.\d+)? secs\)"), "time taken"),
    # RFC 1939 section 7: an APOP banner carries process id and clock.
    Volatile("*text", re.compile(r"<[0-9a-f]+\.[0-9a-f.]+@[^<> ]+>"), "apop stamp"),
    # Rspamd's anti-spoofing names the tests that failed, in any order (Mailu 2.0 core/rspamd/conf/composites.conf).
    Volatile("reply.text", re.compile(r"(?<=anti-spoofing: )[^)]*"), "tests"),
)
"""What no behaviour needs to declare for itself."""


def differences(old: Observation, new: Observation, volatile: Sequence[str] = ()) -> tuple[Difference, ...]:
    """Every path at which the two differ, in order of the paths; those that match a glob of `volatile` are left out."""
    before, after = view(old), view(new)
    found = []
    for path in sorted(before.keys() | after.keys()):
        if any_of(volatile, path):
            continue
        if path not in before:
            found.append(Difference(path, "added", None, _plain(after[path])))
        elif path not in after:
            found.append(Difference(path, "removed", _plain(before[path]), None))
        elif isinstance(before[path], Measure) and isinstance(after[path], Measure):
            if (times := ratio(before[path], after[path])) is not None:
                found.append(Difference(path, "changed", str(before[path]), f"{after[path]}: {times:.2g} times"))
        elif before[path] != after[path]:
            found.append(Difference(path, "changed", before[path], after[path]))
    return tuple(found)


def noise(attempts: Sequence[Observation]) -> frozenset[str]:
    """The paths at which a side differs from itself."""
    return frozenset(
        difference.path for first, second in pairwise(attempts) for difference in differences(first, second)
    )


def view(observation: Observation) -> dict[str, Any]:
    """An observation as a flat mapping from path to scalar or `Measure`.

    It is without what says nothing: time, transcript, logs.
    """
    leaves: dict[str, Any] = {"outcome": observation.outcome, "stage": observation.stage}
    if observation.reply is not None:
        leaves["reply.code"] = observation.reply.code
        leaves["reply.enhanced"] = observation.reply.enhanced
        leaves["reply.text"] = observation.reply.text
    leaves.update(_flat("facts", observation.facts))
    return {path: _settled(path, value) for path, value in leaves.items()}


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (measured := read_measure(value)) is not None:
        yield path, measured
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}", inner)
    elif isinstance(value, list | tuple):
        if all(isinstance(member, str | int | float | bool | None) for member in value):
            # A list of words (capabilities, mechanisms) is a set to whoever reads it: the order says nothing.
            yield from _members(path, value)
        else:
            for index, inner in enumerate(value):
                yield from _flat(f"{path}[{index}]", inner)
    else:
        yield path, value


def _members(path: str, values: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for value in values:
        seen[str(value)] = seen.get(str(value), 0) + 1
    for value, count in seen.items():
        yield f"{path}[{value}]", True if count == 1 else count


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Measure) else value


def _settled(path: str, value: Any) -> Any:
    if isinstance(value, str):
        for volatile in VOLATILE:
            value = volatile.settle(path, value)
    return value
