"""The order of a rehearsal, and what it makes of three sides, on sides that are scripted here."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.in_place import CopiedData, Origin
from pytest_mailu.core.model import Comparison, Observation, Outcome, SideInfo, Stage, Verdict
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.running.rehearsal import Rehearsal
from pytest_mailu.stack.data.own import Survey
from pytest_mailu.wire.transport.errors import NotServed
from tests.questions import asked

GOOD = Observation(Outcome.ACCEPTED, Stage.COMMAND)
BAD = Observation(Outcome.LOST, Stage.COMMAND)
UNASKED = Observation(None, Stage.CONNECT, trouble="this machine was too busy")
OLD, VIA, NEW = (Release.parse(name) for name in ("1.9.50", "2.0.43", "2024.06.24"))


class FakeSide:
    """Answers by id; what was done to it is in `done`, together with the others."""

    def __init__(self, name: str, release: Release, answers: Mapping[str, Observation], done: list[str]) -> None:
        self.name = name
        self.info = SideInfo(str(release))
        self.behaviours = None
        self.survey = Survey({"users": 3}, ("one row is odd",))
        self.failing: StackError | None = None
        self.full: StackError | None = None
        self.running = True
        self._answers = answers
        self._done = done
        self.stack = SimpleNamespace(
            rest=self._rest,
            wake=self._wake,
            data_digests=self._digests,
            no_room=self._no_room,
            check_room=self._check_room,
            own_data_untouched=self._own_data_untouched,
            taken_over=CopiedData(files=3, bytes=1000, digests={"mail": "a1"}),
            timings={"ready": 2.0, "started": 1.0},
        )

    async def _rest(self) -> float:
        self._done.append(f"{self.name} rests")
        return 4.0

    async def _wake(self) -> None:
        self._done.append(f"{self.name} wakes")

    async def _digests(self) -> dict[str, str]:
        return {"mail": "a1"}

    async def _no_room(self) -> StackError | None:
        return self.full

    async def _check_room(self) -> None:
        if self.full is not None:
            raise self.full

    async def _own_data_untouched(self) -> bool:
        return True

    async def open(self) -> None:
        self._done.append(f"{self.name} opens")
        if self.failing is not None:
            self.running = False
            raise self.failing

    async def close(self) -> None:
        self._done.append(f"{self.name} closes")

    def probe(self) -> Any:
        return self

    def mailbox(self, _: object) -> Any:
        return _Mailbox()

    def restarts(self, variant: str) -> frozenset[str]:
        return frozenset()

    async def prepare(self, variant: str) -> None:
        pass

    def shared_looks(self, id: str) -> frozenset[Hashable]:
        return frozenset()

    def recorded_attempts(self, id: str) -> int:
        return 0

    async def observe(self, behaviour: Behaviour, attempt: int, *, shared: bool = True) -> Observation | None:
        self._done.append(f"{self.name} {behaviour.id}")
        return self._answers.get(behaviour.id, GOOD)


class _Mailbox:
    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def select(self) -> None:
        pass


def survival(id_: str, *, once: bool = False, done: list[str] | None = None) -> Behaviour:
    async def never(_: Any) -> Observation:
        raise LookupError

    async def live(_: Any) -> None:
        if done is not None:
            done.append(f"live {id_}")

    async def parting(_: Any) -> None:
        if done is not None:
            done.append(f"parting {id_}")

    return Behaviour(
        asked(id_, wanted=Outcome.ACCEPTED),
        never,
        in_place=True,
        live=live,
        parting=parting if done is not None else None,
        once=once,
    )


def ordinary(id_: str) -> Behaviour:
    async def never(_: Any) -> Observation:
        raise LookupError

    return Behaviour(asked(id_, wanted=Outcome.ACCEPTED), never)


class Trial:
    """A rehearsal over fake sides: `fresh`, `upgraded` and `via` say what each side answers where it is not good."""

    def __init__(self, *, via: Mapping[str, Observation] | None = None, **answers: Mapping[str, Observation]) -> None:
        self.done: list[str] = []
        self.told: dict[str, Comparison] = {}
        self.failing: dict[str, StackError] = {}
        self._answers = {**answers, "via-2-0": via or {}}
        self.old = FakeSide("old", OLD, answers.get("old", {}), self.done)
        fresh = FakeSide("fresh", NEW, answers.get("fresh", {}), self.done)
        plan = Plan(side_spec("1.9.50"), side_spec("2024.06.24"), in_place=True)
        hops = (VIA, NEW) if via is not None else (NEW,)
        self.newest: list[Any] = []
        self.rehearsal = Rehearsal(
            plan,
            self.old,
            fresh,
            self.make,
            hops,
            lambda _: None,
            self.newest.append,  # type: ignore[arg-type]
        )

    def make(self, label: str, release: Release, source: Any) -> Any:
        side = FakeSide(label, release, self._answers.get(label, {}), self.done)
        side.failing = self.failing.get(label)
        return side

    def run(self, *behaviours: Behaviour) -> None:
        def publish(comparison: Comparison) -> None:
            self.told[comparison.question.id] = comparison

        asyncio.run(self.rehearsal.run(behaviours, publish))


def test_old_is_lived_in_asked_and_at_rest_before_new_starts_on_its_data() -> None:
    trial = Trial()
    trial.run(survival("upgrade/a/x", done=trial.done), ordinary("access/a/x"))
    order = [
        *("live upgrade/a/x", "old access/a/x", "old upgrade/a/x", "parting upgrade/a/x", "old rests"),
        *("upgraded opens", "upgraded upgrade/a/x"),
    ]
    places = [trial.done.index(step) for step in order]
    assert places == sorted(places), trial.done
    assert {each.verdict for each in trial.told.values()} == {Verdict.SAME}
    assert [side.name for side in trial.newest] == ["upgraded"]


@pytest.mark.parametrize("moment", ["live", "parting"])
def test_what_could_not_be_made_on_old_is_not_the_same_afterwards(moment: str) -> None:
    """An empty mailbox before the upgrade and an empty one after it would look alike."""

    async def fails(_: Any) -> None:
        raise OSError("the engine hangs")

    trial = Trial()
    trial.run(replace(survival("upgrade/mail/folders", done=[]), **{moment: fails}), survival("upgrade/mail/other"))
    broken, other = trial.told["upgrade/mail/folders"], trial.told["upgrade/mail/other"]
    assert (broken.verdict, other.verdict) == (Verdict.INCONCLUSIVE, Verdict.SAME)
    assert broken.why is not None
    assert str(broken.why) == "old: could not be made on the old release: the engine hangs"


def test_what_the_old_release_does_not_offer_is_not_there_before() -> None:
    async def refused(_: Any) -> None:
        raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND)

    there = {"upgrade/webdav/calendar": Observation(Outcome.NOT_OFFERED, Stage.COMMAND)}
    trial = Trial(old=there, upgraded=there)
    trial.run(replace(survival("upgrade/webdav/calendar"), live=refused))
    assert trial.told["upgrade/webdav/calendar"].verdict is Verdict.ABSENT


def test_what_several_share_has_the_time_of_the_one_that_has_most() -> None:
    filled: list[str] = []

    async def fill(_: Any) -> None:
        await asyncio.sleep(0.01)
        filled.append("once")

    first, second = (replace(survival(f"upgrade/mail/{name}"), live=fill) for name in ("messages", "uids"))
    trial = Trial()
    trial.run(replace(first, timeout=180.0), replace(second, timeout=0.0))
    assert filled == ["once"]
    assert {each.verdict for each in trial.told.values()} == {Verdict.SAME}


def test_what_survived_is_looked_at_before_the_matrix_makes_things_of_its_own() -> None:
    """On 2024.06.24 → .57, an alias that a behaviour of the API was making counted as a loss of the upgrade."""
    trial = Trial(upgraded={"upgrade/a/x": BAD})
    trial.run(ordinary("access/a/x"), survival("upgrade/a/x"), ordinary("access/a/y"), survival("upgrade/a/y"))
    after = [step for step in trial.done if step.startswith("upgraded ") and "/" in step]
    assert {step.split("/")[0] for step in after[:3]} == {"upgraded upgrade"}, after
    assert [step for step in after if "access/" in step] == after[-2:]
    assert set(trial.told) == {"access/a/x", "access/a/y", "upgrade/a/x", "upgrade/a/y"}


@pytest.mark.parametrize(
    ("fresh", "upgraded", "verdict", "origin"),
    [
        (GOOD, GOOD, Verdict.SAME, None),
        (GOOD, BAD, Verdict.REGRESSED, Origin.DATA),
        (BAD, BAD, Verdict.REGRESSED, Origin.BOTH),
        (BAD, GOOD, Verdict.SAME, Origin.FRESH),
        (UNASKED, BAD, Verdict.REGRESSED, None),
    ],
)
def test_a_fault_of_the_release_is_told_from_one_of_the_upgrade(
    fresh: Observation, upgraded: Observation, verdict: Verdict, origin: Origin | None
) -> None:
    trial = Trial(fresh={"access/a/x": fresh}, upgraded={"access/a/x": upgraded})
    trial.run(ordinary("access/a/x"))
    told = trial.told["access/a/x"]
    assert (told.verdict, told.origin) == (verdict, origin)
    assert trial.rehearsal.result.fresh_only == (("access/a/x",) if origin is Origin.FRESH else ())


def test_the_release_on_the_way_that_lost_something_is_named() -> None:
    trial = Trial(via={"upgrade/a/x": BAD}, upgraded={"upgrade/a/x": BAD, "upgrade/a/y": BAD})
    trial.run(survival("upgrade/a/x"), survival("upgrade/a/y"), survival("upgrade/a/z"))
    assert trial.told["upgrade/a/x"].hop == "2.0.43"
    assert trial.told["upgrade/a/y"].hop == "2024.06.24"
    assert trial.told["upgrade/a/z"].hop == ""
    assert [hop.release for hop in trial.rehearsal.result.hops] == ["2.0.43", "2024.06.24"]
    assert trial.done.index("via-2-0 rests") < trial.done.index("upgraded opens")


def test_what_is_delivered_at_the_first_step_is_looked_at_there_only() -> None:
    trial = Trial(via={}, upgraded={"upgrade/queue/x": BAD})
    trial.run(survival("upgrade/queue/x", once=True))
    assert trial.told["upgrade/queue/x"].verdict is Verdict.SAME
    assert "upgraded upgrade/queue/x" not in trial.done


def test_what_was_found_in_the_users_data_is_part_of_the_result_also_where_old_does_not_start() -> None:
    trial = Trial()
    trial.run(ordinary("access/a/x"))
    result = trial.rehearsal.result
    assert (result.people, result.checks, result.own_untouched) == ({"users": 3}, ("one row is odd",), True)
    trial = Trial()
    trial.old.running = False
    trial.run(ordinary("access/a/x"))
    result = trial.rehearsal.result
    assert (result.people, result.checks, result.own_untouched) == ({"users": 3}, ("one row is odd",), None)


def test_a_migration_that_fails_by_its_own_doing_is_a_result_with_its_log_lines() -> None:
    trial = Trial(upgraded={"access/a/x": BAD})
    trial.failing["upgraded"] = StackError(
        "admin exited", "look", ("UNIQUE constraint",), service="admin", own_doing=True
    )
    trial.run(ordinary("access/a/x"))
    (hop,) = trial.rehearsal.result.hops
    assert hop.failure == "admin exited\nUNIQUE constraint"
    assert trial.told["access/a/x"].verdict is Verdict.REGRESSED
    assert trial.rehearsal.result.way_back is None


def test_trouble_of_the_engine_ends_the_rehearsal() -> None:
    trial = Trial()
    trial.failing["upgraded"] = StackError("the engine is gone", "start it")
    with pytest.raises(StackError, match="the engine is gone"):
        trial.run(ordinary("access/a/x"))


FULL = StackError("the disk of the Docker engine is full", "free some space")


def test_a_disk_that_gets_full_ends_the_rehearsal_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_mailu.running.rehearsal.ROOM_SECONDS", 0.01)
    trial = Trial()

    async def never_done(_: Any) -> None:
        trial.old.full = FULL
        await asyncio.sleep(60)

    with pytest.raises(StackError, match="disk of the Docker engine is full"):
        trial.run(replace(survival("upgrade/a/x"), live=never_done), ordinary("access/a/x"))
    assert trial.told == {}


def test_where_the_disk_is_full_at_the_end_the_rehearsal_has_no_result() -> None:
    """What the last looks saw then says nothing: no GO comes of it."""
    trial = Trial()

    async def fills() -> float:
        trial.old.full = FULL
        return 1.0

    trial.old.stack.rest = fills
    with pytest.raises(StackError, match="disk of the Docker engine is full"):
        trial.run(survival("upgrade/a/x"))
    assert trial.told == {}


def test_after_it_old_runs_again_on_data_that_is_as_it_was() -> None:
    trial = Trial()
    trial.run(survival("upgrade/a/x"))
    back = trial.rehearsal.result.way_back
    assert back is not None
    assert (back.untouched, back.works) == (True, True)
    assert trial.done.index("downgraded closes") < trial.done.index("old wakes")


def test_a_run_that_is_ended_while_the_way_back_is_tried_has_what_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """On 2.0.43 → 2024.06.24, a run that was interrupted then had compared nothing."""
    trial = Trial(upgraded={"upgrade/a/x": BAD})

    async def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_mailu.running.rehearsal.way_back", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trial.run(survival("upgrade/a/x"), survival("upgrade/a/y"), survival("upgrade/a/z"))
    assert trial.told["upgrade/a/x"].verdict is Verdict.REGRESSED
    assert len(trial.told) == 2


def test_data_that_has_changed_is_told() -> None:
    trial = Trial()

    async def other() -> dict[str, str]:
        return {"mail": "b2"}

    trial.old.stack.data_digests = other
    trial.run(survival("upgrade/a/x"))
    assert trial.rehearsal.result.way_back is not None
    assert trial.rehearsal.result.way_back.untouched is False


def test_where_old_does_not_start_there_is_nothing_to_upgrade() -> None:
    trial = Trial(old={"access/a/x": BAD})
    trial.old.running = False
    trial.run(ordinary("access/a/x"))
    assert trial.told["access/a/x"].verdict is Verdict.GAINED
    assert trial.rehearsal.result.hops == ()


def test_every_stack_of_the_rehearsal_is_removed() -> None:
    trial = Trial(via={})
    trial.run(survival("upgrade/a/x"))
    asyncio.run(trial.rehearsal.close())
    assert {"fresh closes", "via-2-0 closes", "upgraded closes"} <= set(trial.done)
