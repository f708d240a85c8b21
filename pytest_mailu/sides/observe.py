"""Asks a behaviour of a stack, once. Whatever happens becomes an observation."""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, Stage, met
from pytest_mailu.core.transcript import Event, Kind, Speaker
from pytest_mailu.probe.probe import Probe
from pytest_mailu.sides.side_stack import SideStack
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed


async def observe(behaviour: Behaviour, stack: SideStack) -> Observation:
    """What the stack does. What a server did is an outcome; every other exception means that it could not be asked."""
    probe = Probe(stack, time.time())
    clock = time.monotonic()
    started = time.time()
    seen = await _asked(behaviour, probe)
    if stack.events_lost or seen.outcome is None or not met(behaviour.question.wanted, seen.outcome):
        seen = await _unless_disturbed(seen, stack)
    return replace(
        seen,
        transcript=seen.transcript or probe.transcript.events,
        started=started,
        seconds=round(time.monotonic() - clock, 3),
    )


async def _asked(behaviour: Behaviour, probe: Probe) -> Observation:
    try:
        async with asyncio.timeout(behaviour.timeout):
            return await behaviour.ask(probe)
    except NotServed as end:
        return probe.not_served(end)
    except CannotAsk as trouble:
        return _not_asked(trouble.reason)
    except StackError as error:
        return _not_asked(error.cause)
    except TimeoutError:
        return _not_asked(f"not done within {behaviour.timeout:g} s")
    except Exception as error:  # a mistake in one behaviour must not end the run
        return _not_asked(f"the behaviour itself failed: {error!r}", *traceback.format_exc().splitlines())


async def _unless_disturbed(seen: Observation, stack: SideStack) -> Observation:
    """The observation; not asked where the stack was disturbed meanwhile, which is no fault of the behaviour."""
    if seen.stage is Stage.SETTINGS:
        return seen
    disturbance = await stack.disturbance()
    return replace(seen, outcome=None, trouble=disturbance) if disturbance else seen


def _not_asked(reason: str, *notes: str) -> Observation:
    events = tuple(Event(Speaker.PROBE, Kind.NOTE, note) for note in notes)
    return Observation(None, Stage.CONNECT, trouble=reason, transcript=events)
