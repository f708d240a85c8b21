"""Volumes that show another one's data: what is asked of the engine, and that it really works there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.stack.data import overlay
from pytest_mailu.stack.data.copier import Sources


class FakeHelper:
    """An engine that makes volumes in one folder; `runs` are the scripts that were run."""

    def __init__(self, mountable: bool = True) -> None:
        self.labels = {"org.pytest-mailu.run": "r"}
        self.runs: list[object] = []
        self.removed: list[str] = []
        self.made: dict[str, dict[str, Any]] = {}
        self._mountable = mountable
        self.engine = SimpleNamespace(client=SimpleNamespace(api=self))

    def create_volume(self, name: str, **how: Any) -> None:
        self.made[name] = how

    def inspect_volume(self, name: str) -> dict[str, str]:
        return {"Mountpoint": f"/volumes/{name}/_data"}

    def remove_volume(self, name: str, **_: Any) -> None:
        self.removed.append(name)

    def run(self, script: bytes, argument: object, mounts: Any, seconds: float) -> dict[str, Any]:
        self.runs.append(argument)
        if isinstance(argument, dict) and not self._mountable:
            raise overlay.StackError("invalid argument", "")
        return {"files": 0, "bytes": 0, "shared": 0, "left_out": 0, "digests": {}}


def prepared(helper: FakeHelper, layers: dict[str, tuple[str, ...]]) -> overlay.Overlay:
    sources = Sources({name: f"old_{name}" for name in layers}, layers)
    return overlay.prepare(helper, "mailu-x-upgraded", sources, 10.0)  # type: ignore[arg-type]


def test_the_new_layer_lies_over_those_of_the_old_release() -> None:
    made = prepared(FakeHelper(), {"mail": ("/volumes/old_mail/_data",)})
    above = "/volumes/mailu-x-upgraded_above/_data/mail"
    assert made.options["mail"]["type"] == "overlay"
    lower = "lowerdir=/volumes/old_mail/_data"
    assert made.options["mail"]["o"] == f"{lower},upperdir={above}/upper,workdir={above}/work,redirect_dir=on"
    assert made.layers["mail"] == (f"{above}/upper", "/volumes/old_mail/_data")


def test_the_next_step_lies_over_both() -> None:
    made = prepared(FakeHelper(), {"mail": ("/one/upper", "/zero")})
    assert made.options["mail"]["o"].startswith("lowerdir=/one/upper:/zero,")


@pytest.mark.parametrize("folder", ["/a:b", "/a,b", '/a"b', "/a\\b", "/a b", f"/{'x' * 3500}"])
def test_a_folder_that_no_mount_option_can_carry_is_copied(folder: str) -> None:
    assert not prepared(FakeHelper(), {"mail": (folder,)})


def test_a_source_whose_folder_is_not_known_is_copied() -> None:
    assert not prepared(FakeHelper(), {"mail": (), "data": ("/data",)})


def test_where_the_engine_cannot_mount_it_the_data_is_copied_and_nothing_of_the_trial_stays() -> None:
    helper = FakeHelper(mountable=False)
    assert not prepared(helper, {"mail": ("/volumes/old_mail/_data",)})
    assert helper.removed == ["mailu-x-upgraded_overlay-trial"]


def test_all_that_is_made_bears_the_labels_of_the_run() -> None:
    helper = FakeHelper()
    prepared(helper, {"mail": ("/volumes/old_mail/_data",)})
    assert {tuple(how["labels"]) for how in helper.made.values()} == {("org.pytest-mailu.run",)}
