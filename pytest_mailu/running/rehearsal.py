"""An upgrade in place, rehearsed: old is lived in, its data is copied, new is started on the copy, all is asked again.

Three stacks answer: old, new from scratch, and new on old's data. What regressed on the data is compared with the
fresh install, so that a fault of the release is told from one of the upgrade.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pytest_mailu.behaviours.declaration import BASE_VARIANT, Behaviour, Live
from pytest_mailu.core import serialization as jsonio
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.in_place import Hop, InPlace, Origin, WayBack
from pytest_mailu.core.model import Comparison, Observation, Recording, SideInfo, Stage, Verdict
from pytest_mailu.core.plan import Plan, ReleaseSpec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.version import __version__
from pytest_mailu.judging.judge import UNCERTAIN, judge
from pytest_mailu.running.processor_watch import ProcessorWatch
from pytest_mailu.running.scheduler import Scheduler
from pytest_mailu.sides.base import Side
from pytest_mailu.sides.observe import not_made
from pytest_mailu.sides.recording import RecordingSide
from pytest_mailu.sides.release import ReleaseSide
from pytest_mailu.sides.way_back import MakeSide, way_back

Publish: TypeAlias = Callable[[Comparison], None]

LOOKS = 2
"""How often each survival behaviour looks before the upgrade: what is not steady then is not lost later."""
_AT_A_TIME = 6
ROOM_SECONDS = 3.0
"""How often the room on the engine's disk is looked at."""


@dataclass(slots=True)
class _Progress:
    """What the rehearsal knows so far."""

    hops: list[Hop] = field(default_factory=list)
    fresh_only: list[str] = field(default_factory=list)
    looks: dict[str, list[tuple[str, Observation]]] = field(default_factory=dict)
    """For each survival behaviour what was seen at each hop."""
    not_made: dict[Live, str] = field(default_factory=dict)
    """What could not be made on the old release, and why."""


class Rehearsal:
    """Drives the three sides. `newest` is the side that stands for new: at last the one on old's data.

    `hops` are the releases to go through, the last one included; `upgraded_to` is told of each side on old's data.
    """

    def __init__(  # noqa: PLR0917 - each of them once
        self,
        plan: Plan,
        old: ReleaseSide,
        fresh: ReleaseSide,
        make: MakeSide,
        hops: Sequence[Release],
        notify: Callable[[str], None],
        upgraded_to: Callable[[Side], None],
        watch: ProcessorWatch | None = None,
    ) -> None:
        self._plan = plan
        self._old = old
        self._fresh = fresh
        self._make = make
        self._releases = tuple(hops)
        self._notify = notify
        self._upgraded_to = upgraded_to
        self._watch = watch
        self._progress = _Progress()
        self._upgraded: list[ReleaseSide] = []
        self.result = InPlace()

    @property
    def newest(self) -> ReleaseSide:
        """The side on old's data, once there is one; before that the fresh install."""
        return self._upgraded[-1] if self._upgraded else self._fresh

    async def run(self, behaviours: Iterable[Behaviour], publish: Publish) -> None:
        """Ask everything, and hand over each comparison of old with new on old's data.

        Survival behaviours are looked at before and after. Raises StackError where a stack cannot be started for a
        reason that is not its own, and where the disk gets full.
        """
        full: list[StackError] = []

        async def watch_room() -> None:
            full.append(await self._until_full())
            limit.reschedule(0)

        try:
            async with asyncio.timeout(None) as limit:
                watching = asyncio.ensure_future(watch_room())
                try:
                    await self._run(behaviours, publish)
                finally:
                    watching.cancel()
        except TimeoutError:
            if full:
                raise full[0] from None
            raise

    async def _until_full(self) -> StackError:
        """Waits until the engine's disk is full, as a stack that runs sees it."""
        while True:
            for side in (self._old, *self._upgraded):
                if side.running and (error := await side.stack.no_room()):
                    return error
            await asyncio.sleep(ROOM_SECONDS)

    async def _run(self, behaviours: Iterable[Behaviour], publish: Publish) -> None:
        chosen = list(behaviours)
        survival = [behaviour for behaviour in chosen if behaviour.in_place]
        ordinary = [behaviour for behaviour in chosen if not behaviour.in_place]
        if not self._old.running:
            # There is no data to upgrade: what the fresh install does is told as in every other run.
            self.result = await self._surveyed(InPlace())
            await self._scheduler(self._old, self._fresh).run(chosen, publish)
            return
        fresh: dict[str, Comparison] = {}

        def keep(comparison: Comparison) -> None:
            fresh[comparison.question.id] = comparison

        self._notify("in place: living in the old release")
        # Those of one function share what it makes: it has the time of the one that has most.
        makers = {behaviour.live: behaviour for behaviour in sorted(survival, key=lambda each: each.timeout)}
        await self._each(list(makers.values()), lambda each: self._prepare(each, each.live))
        await self._scheduler(self._old, self._fresh).run(ordinary, keep)
        await self._old.prepare(BASE_VARIANT)
        before = {behaviour.id: await self._look(self._old, behaviour, LOOKS) for behaviour in survival}
        await self._each(survival, lambda each: self._prepare(each, each.parting))
        before |= self._resting_on_nothing(survival)
        digests = await self._upgrade(survival)
        remembered = _remembered(self._old.info, {id_: each.old for id_, each in fresh.items()} | before)
        held: list[Comparison] = []

        def told(comparison: Comparison) -> None:
            judged = self._with_origin(comparison, fresh.get(comparison.question.id))
            # With the last result the run is over: one is told when the way back was tried as well. The others are told
            # at once, so that a run that is ended meanwhile has them.
            if comparison.question.id not in before:
                publish(judged)
                return
            held.append(judged)
            if len(held) > 1:
                publish(held.pop(0))

        again: list[Behaviour] = []
        for behaviour in survival:
            if behaviour.once and (seen := self._progress.looks.get(behaviour.id)):
                told(judge(behaviour.question, before[behaviour.id], [seen[0][1]], behaviour.volatile))
            else:
                again.append(behaviour)
        scheduler = Scheduler(remembered, self.newest, repeat=1, watch=self._watch)
        # Survival first: ordinary behaviours make aliases, users and mail of their own, which are no part of the data.
        await scheduler.run(again, told)
        await scheduler.run(ordinary, told)
        self.result = InPlace(tuple(self._progress.hops), tuple(self._progress.fresh_only))
        self.result = await self._surveyed(replace(self.result, way_back=await self._way_back(digests)))
        await self._old.stack.check_room()  # where the disk got full, nothing that was seen at the end counts
        for comparison in held:
            publish(comparison)

    def _scheduler(self, old: Side, new: Side) -> Scheduler:
        return Scheduler(old, new, repeat=self._plan.repeat, watch=self._watch)

    async def _surveyed(self, result: InPlace) -> InPlace:
        """The result with what was found in the user's own data, and whether that is as it was."""
        found = self._old.survey
        untouched = await self._old.stack.own_data_untouched() if self._old.running else None
        return replace(result, checks=found.checks, people=found.people, own_untouched=untouched)

    async def _way_back(self, digests: Mapping[str, str]) -> WayBack | None:
        spec = self._plan.old
        assert isinstance(spec, ReleaseSpec)  # noqa: S101 - the plan was checked
        return await way_back(self._old, spec.release, self.newest, digests, self._make)

    async def _prepare(self, behaviour: Behaviour, prepare: Live | None) -> None:
        """Let a survival behaviour make what is to survive."""
        if prepare is None:
            return
        if why := await not_made(prepare, self._old.probe(), behaviour.timeout):
            self._notify(f"in place: {behaviour.id} could not be prepared: {why}")
            self._progress.not_made[prepare] = why

    def _resting_on_nothing(self, survival: Iterable[Behaviour]) -> dict[str, tuple[Observation, ...]]:
        """What is known, before the upgrade, of behaviours for which nothing could be made: they cannot be told."""
        failed = self._progress.not_made
        reasons = {
            behaviour.id: failed[made]
            for behaviour in survival
            for made in (behaviour.live, behaviour.parting)
            if made in failed
        }
        return {
            id_: (Observation(None, Stage.CONNECT, trouble=f"could not be made on the old release: {why}"),)
            for id_, why in reasons.items()
        }

    async def _look(self, side: ReleaseSide, behaviour: Behaviour, times: int) -> tuple[Observation, ...]:
        return tuple([await side.observe(behaviour, number) for number in range(times)])

    async def _upgrade(self, survival: Sequence[Behaviour]) -> Mapping[str, str]:
        """Go from release to release, each on the data of the one before; the fingerprints of old's data."""
        source = self._old
        digests: Mapping[str, str] = {}
        for release in self._releases:
            stopped = await source.stack.rest()
            last = release == self._releases[-1]
            side = self._make("upgraded" if last else f"via-{release.series}".replace(".", "-"), release, source)
            self._upgraded.append(side)
            self._upgraded_to(side)
            hop = Hop(str(release), stop_seconds=round(stopped, 1))
            try:
                await side.open()
            except StackError as error:
                self._progress.hops.append(replace(hop, failure="\n".join((error.cause, *error.details))))
                if not error.own_doing:
                    raise
                return digests
            digests = digests or side.stack.taken_over.digests
            self._progress.hops.append(_measured(hop, side))
            if not last:
                for behaviour in survival:
                    if behaviour.once and behaviour.id in self._progress.looks:
                        continue
                    seen = await self._look(side, behaviour, 1)
                    self._progress.looks.setdefault(behaviour.id, []).append((str(release), seen[-1]))
            source = side
        return digests

    def _with_origin(self, comparison: Comparison, fresh: Comparison | None) -> Comparison:
        """The comparison with what the fresh install did, and at which hop something was lost."""
        if fresh is None:
            return replace(comparison, hop=self._lost_at(comparison))
        fails, fails_fresh = (each.verdict is Verdict.REGRESSED for each in (comparison, fresh))
        if fails_fresh and not fails:
            self._progress.fresh_only.append(comparison.question.id)
        origin = None
        # What the fresh install could not tell is told of neither: the data may be the reason, or the release.
        if fresh.verdict not in UNCERTAIN and (fails or fails_fresh):
            origin = Origin.BOTH if fails and fails_fresh else Origin.DATA if fails else Origin.FRESH
        return replace(comparison, fresh=fresh.new, origin=origin)

    def _lost_at(self, comparison: Comparison) -> str:
        """The first hop after which a survival behaviour looked as bad as at the end; empty for the only one."""
        if comparison.verdict is not Verdict.REGRESSED or len(self._releases) == 1:
            return ""
        for release, seen in self._progress.looks.get(comparison.question.id, ()):
            if judge(comparison.question, comparison.old, [seen]).verdict is Verdict.REGRESSED:
                return release
        return str(self._releases[-1])

    async def _each(self, behaviours: Sequence[Behaviour], do: Callable[[Behaviour], Awaitable[None]]) -> None:
        slots = asyncio.Semaphore(_AT_A_TIME)

        async def one(behaviour: Behaviour) -> None:
            async with slots:
                await do(behaviour)

        await asyncio.gather(*(one(behaviour) for behaviour in behaviours))

    async def close(self) -> Sequence[BaseException | None]:
        """Remove the stacks that the rehearsal started."""
        return await asyncio.gather(*(side.close() for side in (self._fresh, *self._upgraded)), return_exceptions=True)


def _measured(hop: Hop, side: ReleaseSide) -> Hop:
    """The hop with what it took; the migrations are part of the time until the release answers."""
    timings = side.stack.timings
    ready = sum(timings.get(step, 0.0) for step in ("started", "admin answers", "accounts", "ready"))
    copied = timings.get("data copied", 0.0)
    return replace(hop, copy_seconds=copied, ready_seconds=round(ready, 1), data=side.stack.taken_over)


def _remembered(side: SideInfo, observations: Mapping[str, tuple[Observation, ...]]) -> RecordingSide:
    """A side that answers with what old did before it was stopped."""
    seen = {id_: attempts for id_, attempts in observations.items() if attempts}
    return RecordingSide(Recording(jsonio.SCHEMA, __version__, side, tuple(sorted(observations)), seen))
