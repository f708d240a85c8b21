"""Asks a behaviour of a stack, once. Whatever happens becomes an observation."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Hashable
from dataclasses import replace

from pytest_mailu.behaviours.declaration import Behaviour, Live
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, Outcome, Stage, met
from pytest_mailu.core.transcript import Event, Kind, Speaker
from pytest_mailu.probe.probe import Probe
from pytest_mailu.sides.side_stack import SideStack
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

_SERVICE_GONE = (None, Outcome.UNREACHABLE, Outcome.UNANSWERED, Outcome.DEFERRED)
"""How it ends where a service is gone. It counts only where nobody disturbed the stack, whatever outcome is wanted."""
LAST_LINES = 5
"""How many of a service's last log lines each observation keeps, where the service ended."""


async def observe(behaviour: Behaviour, stack: SideStack, circle: Hashable = None) -> Observation:
    """What the stack does. What a server did is an outcome; every other exception means that it could not be asked.

    Behaviours of one `circle` share what they send and look at; without one, nothing is shared.
    """
    probe = Probe(stack, time.time(), circle)
    clock = time.monotonic()
    started = time.time()
    seen = await _asked(behaviour, probe, stack.failure)
    stack.effort.update(probe.transcript.effort)
    stack.looks.setdefault(behaviour.id, set()).update(probe.looks)
    if stack.events_lost or seen.outcome in _SERVICE_GONE or not met(behaviour.question.wanted, seen.outcome):
        seen = await _unless_disturbed(seen, stack)
    return replace(
        seen,
        transcript=seen.transcript or probe.transcript.events,
        started=started,
        seconds=round(time.monotonic() - clock + probe.seconds_before, 3),
    )


async def not_made(prepare: Live, probe: Probe, seconds: float) -> str:
    """Make what is to survive an upgrade; why it could not be made, empty where it was.

    It is empty too where the release does not offer such a thing: it is not there, as the look before the upgrade says.
    """
    try:
        async with asyncio.timeout(seconds):
            await prepare(probe)
    except TimeoutError:
        return f"not done within {seconds:g} s"
    except Exception as error:
        if isinstance(error, NotServed) and error.outcome is Outcome.NOT_OFFERED:
            return ""
        return str(error) or type(error).__name__
    return ""


async def _asked(behaviour: Behaviour, probe: Probe, failure: StackError | None) -> Observation:
    try:
        async with asyncio.timeout(behaviour.timeout):
            return await behaviour.ask(probe)
    except NotServed as end:
        return probe.not_served(end)
    except CannotAsk as trouble:
        seen = _not_asked(trouble.reason)
        return seen if failure is None else replace(seen, logs=failure.details[-LAST_LINES:])
    except StackError as error:
        return replace(_not_asked(error.cause), logs=error.details[-LAST_LINES:])
    except TimeoutError:
        return _not_asked(f"not done within {behaviour.timeout:g} s")
    except Exception as error:  # a mistake in one behaviour must not end the run
        return _not_asked(f"the behaviour itself failed: {error!r}", *traceback.format_exc().splitlines())


async def _unless_disturbed(seen: Observation, stack: SideStack) -> Observation:
    """The observation; not asked where the stack was disturbed meanwhile, which is no fault of the behaviour."""
    if seen.stage is Stage.SETTINGS:
        return seen
    disturbance = await stack.disturbance()
    if disturbance is None:
        return seen
    return replace(seen, outcome=None, trouble=disturbance.cause, logs=disturbance.details[-LAST_LINES:])


def _not_asked(reason: str, *notes: str) -> Observation:
    events = tuple(Event(Speaker.PROBE, Kind.NOTE, note) for note in notes)
    return Observation(None, Stage.CONNECT, trouble=reason, transcript=events)
