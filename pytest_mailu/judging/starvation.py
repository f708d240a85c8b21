"""Whether this machine was too busy for an answer to count: what runs into our own deadlines then was not asked.

The measure is the share of a processor that a program gets: the processor time that a small, known piece of work takes,
divided by the time until it is done, waiting included. It is taken once a second while a run goes on, needs no rights,
knows nothing of Mailu, and is the same on Linux and macOS. On two cores, it is about 0.3 at a load of 9, and 0.05 at a
load of 27. Neither how late timers fire (hardly ever by 0.1 s) nor the kernel's pressure (/proc/pressure/cpu: 99 % both
times) tells these apart: a program that mostly waits is woken in time, and on a machine that is in use something always
waits for a processor.

The rule:

* what ran into a deadline of ours while programs got less than `ENOUGH` was not asked. It is asked again when the
  machine is calm, alone, with a longer deadline;
* what runs into a deadline while programs get enough counts, as ever: a release that hangs has regressed;
* where new timed out on a busy machine and old did not, one good answer is not enough: it takes as many as `SURE`;
* where the machine stays too busy, the comparison is inconclusive, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_mailu.core.client_commands import failed_requests
from pytest_mailu.core.model import Comparison, Observation, Outcome, Stage, Verdict, met
from pytest_mailu.core.transcript import Event, Kind, Speaker, waited_in_vain
from pytest_mailu.judging.judge import looks_needed
from pytest_mailu.judging.wavering import LOOKS

ENOUGH = 0.2
"""The share of a processor below which deadlines say nothing. They allow for the load that a run makes itself."""
SHORTEST = 5.0
"""Seconds of the shortest deadline for something that a server does. What ends sooner ran into none."""
SURE = LOOKS[0]
"""How many answers of each side, on a calm machine, it takes to say that new hangs no more often than old."""
PERIOD = 1.0
"""Seconds between two samples."""
TOO_BUSY = "this machine was too busy to tell; run it again with less beside it"

_WAITED = frozenset({Outcome.UNANSWERED, Outcome.LOST, Outcome.DEFERRED})
"""Outcomes that a deadline of ours may be the reason for: no answer, nothing arrived, still on its way."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A known piece of work. It ended `at` (seconds since the epoch), needed `cpu` seconds, and took `wall` seconds."""

    at: float
    cpu: float
    wall: float


def share(samples: Iterable[Sample], begin: float, end: float) -> float:
    """The share of a processor that a program got from `begin` to `end`; 1.0 where nothing is known of that time."""
    during = [sample for sample in samples if begin <= sample.at <= end + PERIOD]
    wall = sum(sample.wall for sample in during)
    return sum(sample.cpu for sample in during) / wall if wall else 1.0


def timed_out(wanted: Outcome | None, seen: Observation) -> bool:
    """Whether an answer may have failed by a deadline of ours.

    A reply with a code is an answer, and so is a status of 500 and above in what was said: a server that says 502 was
    not waited for. What became of the message behind an accepted one is waited for. A command that was answered by
    nothing (a search that finds no message, a mailbox that has fewer) is an answer, however long the session took;
    but not where we waited for more to come, and noted that.
    """
    if seen.seconds < SHORTEST or seen.stage is Stage.SETTINGS:
        return False
    if seen.outcome is None:
        return True
    if seen.outcome not in _WAITED or (wanted is not None and met(wanted, seen.outcome)):
        return False
    if seen.outcome is Outcome.LOST:
        return seen.stage is not Stage.COMMAND or waited_in_vain(seen.transcript)
    return not (seen.reply is not None and seen.reply.code) and not failed_requests(seen.transcript)


def stuck(comparison: Comparison) -> bool:
    """Whether one side alone ran into deadlines, in all its attempts, and that is what is told.

    The second may hang for the first one's sake: a session that hangs holds what the next one waits for (Dovecot 2.3
    waits two minutes for the lock of a mailbox).
    """
    if comparison.verdict not in (Verdict.REGRESSED, Verdict.GAINED):
        return False
    seen = comparison.new if comparison.verdict is Verdict.REGRESSED else comparison.old
    return bool(seen) and all(timed_out(comparison.question.wanted, each) for each in seen)


def unless_starved(wanted: Outcome | None, seen: Observation, share: float) -> Observation:
    """The observation; not asked where it may have run into a deadline while programs got too small a `share`."""
    if share >= ENOUGH or not timed_out(wanted, seen):
        return seen
    what = seen.trouble or f"{seen.outcome} at {seen.stage}"
    note = f"{what} after {seen.seconds:.0f} s, while a program got {share:.0%} of a processor"
    return replace(seen, outcome=None, trouble=TOO_BUSY, transcript=(*seen.transcript, _note(note)))


def in_time(seen: Observation, timeout: float, share: float) -> Observation:
    """The observation of a longer deadline than `timeout`: not asked where it needed that on a machine that is calm.

    So what is too slow by our usual deadline does not pass by a longer one, unless the machine is the reason.
    """
    if seen.outcome is None or seen.seconds <= timeout or share < ENOUGH:
        return seen
    return replace(seen, outcome=None, trouble=f"not done within {timeout:g} s")


def answers_needed(comparison: Comparison, *, suspicious: bool) -> int:
    """How many answers of both sides on a calm machine are enough.

    It is `suspicious` where new timed out on a busy one, and old did not.
    """
    needed = looks_needed(comparison, shared=False)
    return needed if comparison.verdict is Verdict.REGRESSED or not suspicious else max(needed, SURE)


def too_busy() -> Observation:
    """The observation of what was not asked, since the machine did not become calm."""
    return Observation(None, Stage.CONNECT, trouble=TOO_BUSY)


def _note(text: str) -> Event:
    return Event(Speaker.PROBE, Kind.NOTE, text)
