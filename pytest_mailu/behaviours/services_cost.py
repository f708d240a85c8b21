"""What services cost: processor time and memory for the same work, idle time, and how much they do in a second.

Numbers vary, and compare only within one run: see `core.measures`. A difference is told where it is outside of noise,
and stops nothing by itself.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from pytest_mailu.behaviours.access_sessions import opened
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.commands import Usage
from pytest_mailu.core.endpoints import IMAPS_993, SMTP_25_OPPORTUNISTIC, SUBMISSIONS_465
from pytest_mailu.core.measures import measure
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.wire.transport.errors import CannotAsk

WORKER = own_mailbox("cost-worker")
READERS = tuple(own_mailbox(f"cost-reader-{number}") for number in range(4))
CROWD = tuple(own_mailbox(f"cost-crowd-{number}") for number in range(10))
DEAR = tuple(own_mailbox(f"cost-dear-{number}") for number in range(32))
"""Each logs in for the first time once: then Mailu hashes its password as the release does by default."""
ROUNDS = 3
DELIVERED = 8
SUBMITTED = 4
LOGINS = 8
"""Messages from outside, messages of users and logins in each round of work."""
IDLE_SECONDS = 4.0
BURST = 50
"""Messages of one round of load; four rounds are 200."""
SESSIONS = 100
MIB = float(1 << 20)

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def turn() -> asyncio.Lock:
    """Held while time is taken: the two sides of a run, which share the processors, take turns."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


@behaviour(
    "services/{service}/cost",
    severity=Severity.INFO,
    each={"service": CORE_SERVICES},
    alone=True,
    deep=True,
    timeout=240.0,
)
async def cost(probe: Probe, service: str) -> Observation:
    """Processor time and memory of {service} for the same work

    The machine is too small after the upgrade: everything is slow, or services are killed for want of memory.

    The engine's statistics (docker stats) over rounds of messages and logins
    """

    async def ask(own: Probe) -> dict[str, dict[str, Any]]:
        spent: dict[str, list[float]] = {name: [] for name in CORE_SERVICES}
        memory: dict[str, list[float]] = {name: [] for name in CORE_SERVICES}
        for _ in range(ROUNDS):
            before = await _usage(own)
            await _work(own)
            after = await _usage(own)
            for name in CORE_SERVICES:
                spent[name].append(after[name].cpu_seconds - before[name].cpu_seconds)
                memory[name].append(after[name].memory_bytes / MIB)
        return {
            name: {
                "processor_time": measure(spent[name], "s", least=0.15),
                "memory": measure(memory[name], "MiB", least=16.0),
            }
            for name in CORE_SERVICES
        }

    found = await probe.shared("services: what they use for the same work", ask)
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, **found[service])


@behaviour(
    "services/{service}/idle",
    severity=Severity.INFO,
    each={"service": CORE_SERVICES},
    alone=True,
    deep=True,
    timeout=120.0,
)
async def idle(probe: Probe, service: str) -> Observation:
    """Processor time of {service} while nothing is asked

    The machine is never idle: it needs more power, and everything beside it is slower.

    The engine's statistics (docker stats) over some seconds in which nobody asks anything
    """

    async def ask(own: Probe) -> dict[str, dict[str, Any]]:
        spent: dict[str, list[float]] = {name: [] for name in CORE_SERVICES}
        for _ in range(ROUNDS):
            before = await _usage(own)
            await asyncio.sleep(IDLE_SECONDS)
            after = await _usage(own)
            for name in CORE_SERVICES:
                share = (after[name].cpu_seconds - before[name].cpu_seconds) / IDLE_SECONDS
                spent[name].append(100 * share)
        return {name: {"processor_share": measure(spent[name], "%", least=2.0)} for name in CORE_SERVICES}

    found = await probe.shared("services: what they use while nothing is asked", ask)
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, **found[service])


@behaviour(
    "services/load/deliveries",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    alone=True,
    deep=True,
    timeout=300.0,
)
async def deliveries(probe: Probe) -> Observation:
    """Two hundred messages as fast as they are taken, and how many in a second

    Mail is put off or refused when much of it comes at once.

    Mailu #2869 (451 4.3.2: too few Postfix processes); core/postfix/conf/master.cf
    """
    rates = []
    async with turn():
        for _ in range(4):
            messages = [probe.mail.compose(to=READERS[number % len(READERS)].address) for number in range(BURST)]
            began = time.monotonic()
            await _deliver(probe, messages, at_a_time=20)
            rates.append(len(messages) / (time.monotonic() - began))
        await _queue_empties(probe)
    return probe.seen(Outcome.ACCEPTED, Stage.DELIVERY, a_second=measure(rates, "messages a second", least=2.0))


@behaviour(
    "services/load/logins",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    alone=True,
    deep=True,
    timeout=240.0,
)
async def logins(probe: Probe) -> Observation:
    """One hundred sessions of ten users at once, and how many logins in a second

    Users cannot log in while many are at work.

    core/nginx/conf/nginx.conf (worker_connections), core/nginx/dovecot/proxy.conf (client_limit)
    """
    users = [user for user in CROWD for _ in range(SESSIONS // len(CROWD))]
    rates = []
    refused: list[str] = []
    async with turn():
        for _ in range(ROUNDS):
            began = time.monotonic()
            answers = await opened(probe, IMAPS_993, users)
            rates.append(len(users) / (time.monotonic() - began))
            refused += [answer for answer in answers if answer]
    facts: dict[str, Any] = {"a_second": measure(rates, "logins a second", least=5.0)}
    if refused:
        return probe.seen(Outcome.REFUSED, Stage.AUTH, refused=len(refused), said=refused[0], **facts)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, **facts)


_dear: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


@behaviour(
    "services/load/login-with-real-rounds",
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    variant="real-rounds",
    alone=True,
    deep=True,
    timeout=120.0,
)
async def real_rounds(probe: Probe) -> Observation:
    """First login of users whose passwords are hashed as dearly as by default: how long it takes

    Logins are slower after every restart; many at once time out on a small machine.

    Mailu core/admin/mailu/configuration.py (CREDENTIAL_ROUNDS: 12, 13 since master); Mailu #1753
    """
    users = _dear.setdefault(probe.stack, iter(DEAR))
    seconds = []
    async with turn():
        for user in itertools.islice(users, 4):
            async with probe.imap(IMAPS_993) as imap:
                began = time.monotonic()
                await imap.login(user.address, user.password)
                seconds.append(time.monotonic() - began)
    if not seconds:
        raise CannotAsk("every user for this has logged in before")
    # The first one alone also loads what the others find loaded.
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, seconds=measure(seconds[1:], "s", least=0.1))


async def _usage(probe: Probe) -> Mapping[str, Usage]:
    found = await asyncio.gather(*(probe.services.usage(name) for name in CORE_SERVICES))
    return dict(zip(CORE_SERVICES, found, strict=True))


async def _work(probe: Probe) -> None:
    """One round: messages from outside and of users, and logins, until all is delivered."""
    incoming = [probe.mail.compose(to=READERS[number % len(READERS)].address) for number in range(DELIVERED)]
    outgoing = [probe.mail.compose(to=READERS[0].address, sender=WORKER.address) for _ in range(SUBMITTED)]
    await _deliver(probe, incoming, at_a_time=4)
    for message in outgoing:
        await probe.mail.submit(message, SUBMISSIONS_465, WORKER)
    for _ in range(LOGINS):
        async with probe.imap(IMAPS_993) as imap:
            await imap.login(WORKER.address, WORKER.password)
            await imap.select()
    await _queue_empties(probe)


async def _deliver(probe: Probe, messages: list[Message], at_a_time: int) -> None:
    await _limited((lambda message=message: probe.mail.deliver(message) for message in messages), at_a_time)


async def _limited(work: Any, at_a_time: int) -> None:
    slots = asyncio.Semaphore(at_a_time)

    async def one(task: Callable[[], Awaitable[Any]]) -> None:
        async with slots:
            await task()

    await asyncio.gather(*(one(task) for task in work))


async def _queue_empties(probe: Probe) -> None:
    async def empty() -> bool:
        ran = await probe.services.exec("smtp", "postqueue", "-j")
        return '"active"' not in ran.output and '"incoming"' not in ran.output

    if not await eventually(empty, 90.0):
        raise CannotAsk("the queue does not empty")
