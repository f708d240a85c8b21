"""Room on the engine's disk: what is too little, and that what says nothing is no error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.data import room
from pytest_mailu.stack.data.helper import Helper, Mounted


class FakeHelper:
    """Has `free` bytes, or raises `error`; `mounts` are those of the last script."""

    def __init__(self, free: int, *, volume: bool = True, error: StackError | None = None) -> None:
        self.free, self.volume, self.error = free, volume, error
        self.mounts: list[Mounted] = []
        self.engine = SimpleNamespace(client=SimpleNamespace(api=self))

    def inspect_volume(self, name: str) -> dict[str, str]:
        if not self.volume:
            raise NotFound("no such volume")
        return {"Name": name}

    def run(self, script: bytes, argument: object, mounts: list[Mounted], seconds: float) -> dict[str, Any]:
        self.mounts = mounts
        if self.error is not None:
            raise self.error
        return {"free": self.free}


def looked(helper: FakeHelper) -> StackError | None:
    return room.look(helper, "mailu-x-old_above", 10.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "full"),
    [
        ("24000 4096", True),
        ("25000 4096", False),
        ("0 4096", True),
        ("", False),
        ("stat: cannot read file system information", False),
    ],
)
def test_less_than_a_stack_needs_is_too_little(answer: str, full: bool) -> None:
    error = room.told(CommandResult(0, answer, ""))
    assert (error is not None) is full
    assert error is None or (not error.own_doing and "docker system df" in error.remedy)


def test_a_command_that_failed_says_nothing() -> None:
    assert room.told(CommandResult(1, "0 4096", "")) is None


def test_the_volume_that_takes_what_is_written_is_looked_at_where_it_is_there() -> None:
    helper = FakeHelper(5)
    error = looked(helper)
    assert error is not None
    assert "0 MB of 100 MB are free" in error.cause
    assert [each.source for each in helper.mounts] == ["mailu-x-old_above"]
    # A volume that is named and not there would be made, without our labels.
    helper = FakeHelper(5, volume=False)
    assert looked(helper) is not None
    assert helper.mounts == []


def test_an_engine_that_has_no_room_for_the_look_itself_is_full_and_other_trouble_is_not() -> None:
    class NoRoom:
        def create_host_config(self, **_: Any) -> None:
            raise APIError("mkdir /var/lib/docker/overlay2/x: no space left on device")

        def inspect_volume(self, name: str) -> dict[str, str]:
            return {"Name": name}

    engine: Any = SimpleNamespace(client=SimpleNamespace(api=NoRoom()))
    assert room.look(Helper(engine, "image", "name"), "volume", 10.0) is not None
    assert looked(FakeHelper(0, error=StackError("the engine ran no container", ""))) is None
