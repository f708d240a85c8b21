"""`--mailu-compose-new`: which side gets which compose file, read where it lies, and what both have of the data."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.core.setups import DEFAULT, SetUp
from pytest_mailu.sides.release import DOWNGRADED, OLD, ReleaseSide
from pytest_mailu.stack.compose.command import Compose
from pytest_mailu.stack.plan import StackPlan

HOSTILE: dict[str, Any] = {
    "privileged": True,
    "network_mode": "host",
    "pid": "host",
    "devices": ["/dev/sda:/dev/sda"],
    "cap_add": ["SYS_ADMIN"],
    "security_opt": ["apparmor:unconfined"],
    "extra_hosts": ["db=10.0.0.5"],
    "ports": ["25:25"],
    "volumes": ["/var/run/docker.sock:/var/run/docker.sock", "/:/host"],
}
FOREIGN = (*(HOSTILE.keys() - {"volumes"}), "docker.sock", "/dev/sda", "10.0.0.5")


class Started(Exception):
    """Carries what a stack would have been started with."""

    def __init__(self, plan: StackPlan) -> None:
        super().__init__()
        self.plan = plan


def write(folder: Path, name: str, word: str, **more: Any) -> Path:
    """A compose file with what it names beside it; `word` tells it from another one."""
    folder.mkdir(exist_ok=True)
    services: dict[str, Any] = {
        service: {"image": f"registry.example/{word}/{service}:2.0", "env_file": ["mailu.env"]}
        for service in CORE_SERVICES
    }
    services["imap"]["volumes"] = ["./mail:/mail", "./overrides:/overrides:ro", "/srv/shared:/shared", "index:/index"]
    services["smtp"]["hostname"] = "${NAME}"
    services["antispam"] |= more.pop("antispam", {})
    (folder / "mailu.env").write_text(f"SITENAME={word}\n")
    (folder / ".env").write_text(f"NAME={word}\n")
    (folder / "overrides").mkdir(exist_ok=True)
    (folder / "overrides" / "dovecot.conf").write_text(f"# {word}\n")
    (folder / name).write_text(json.dumps({"services": {**services, **more}, "volumes": {"index": {}}}))
    return folder / name


def started(label: str, old: Path, new: Path | None, setup: SetUp = DEFAULT, env_new: Path | None = None) -> StackPlan:
    """What the stack of a side is started with."""
    plan = Plan(side_spec("2.0.43"), side_spec("2024.06.24"), compose=old, compose_new=new, env_new=env_new)

    async def open_side() -> None:
        async def prepare() -> None: ...

        session: Any = SimpleNamespace(
            prepare=prepare, labels=None, engine=None, compose=await Compose.find({}), subnets=None
        )
        await ReleaseSide(label, Release.parse("2024.06.24"), plan, session, print, setup=setup).open()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_mailu.sides.release.Stack", _starts)
        with pytest.raises(Started) as caught:
            asyncio.run(open_side())
    return caught.value.plan


def _starts(plan: StackPlan, *_: object) -> Any:
    raise Started(plan)


@pytest.mark.parametrize(
    ("label", "word"),
    [(OLD, "today"), ("new", "later"), ("upgraded", "later"), ("via-2-0", "later"), (DOWNGRADED, "today")],
)
def test_every_side_but_that_of_today_gets_the_new_file_and_what_lies_beside_it(
    tmp_path: Path, label: str, word: str
) -> None:
    plan = started(
        label, write(tmp_path / "a", "compose.yml", "today"), write(tmp_path / "b", "docker-compose.yml", "later")
    )
    assert plan.core is not None
    assert {service["image"].split("/")[1] for service in plan.core["services"].values()} == {word}
    assert plan.core["services"]["smtp"]["hostname"] == word
    assert plan.user["SITENAME"] == word
    assert plan.files == {"imap": {"/overrides/dovecot.conf": f"# {word}\n".encode()}}


def test_without_a_new_file_both_sides_have_the_one_that_there_is(tmp_path: Path) -> None:
    old = write(tmp_path / "a", "compose.yml", "today")
    assert started(OLD, old, None).core == started("new", old, None).core


def test_settings_for_the_new_side_win_over_its_file(tmp_path: Path) -> None:
    old, new = write(tmp_path / "a", "compose.yml", "today"), write(tmp_path / "b", "compose.yml", "later")
    (tmp_path / "new.env").write_text("SITENAME=option\n")
    assert started("new", old, new, env_new=tmp_path / "new.env").user["SITENAME"] == "option"
    assert started(OLD, old, new, env_new=tmp_path / "new.env").user["SITENAME"] == "today"


@pytest.mark.parametrize("place", ["a", "b", "a/prepared"])
def test_an_upgrade_in_place_finds_the_data_again_wherever_the_new_file_lies(tmp_path: Path, place: str) -> None:
    old = write(tmp_path / "a", "compose.yml", "today")
    new = write(tmp_path / place, "new.yml", "later")
    plans = [started(label, old, new) for label in (OLD, "upgraded")]
    mounts = [plan.core["services"]["imap"]["volumes"] for plan in plans if plan.core is not None]
    assert mounts[0] == mounts[1]
    assert len(mounts[0]) == 3


def test_what_leads_out_of_the_stack_is_dropped_from_the_new_file_too(tmp_path: Path) -> None:
    old = write(tmp_path / "a", "compose.yml", "today")
    new = write(tmp_path / "b", "compose.yml", "later", antispam=HOSTILE, mine={"image": "mine:1", **HOSTILE})
    core = started("new", old, new).core
    assert core is not None
    assert "mine" in core["services"]
    assert [key for key in FOREIGN if key in json.dumps({name: core["services"][name] for name in CORE_SERVICES})] == []
    mine = core["services"]["mine"]
    assert not mine.get("privileged")
    assert not {"network_mode", "pid", "devices", "cap_add", "ports"} & mine.keys()
    assert not [volume for service in core["services"].values() for volume in service["volumes"] if volume[0] == "/"]


@pytest.mark.parametrize(
    ("more", "cause"),
    [({"world": {"image": "x"}}, "a service called `world`"), ({"mine": {"build": "."}}, "mine of .* is built")],
)
def test_what_cannot_be_sealed_in_is_refused_with_the_name_of_the_new_file(
    tmp_path: Path, more: dict[str, Any], cause: str
) -> None:
    old = write(tmp_path / "a", "compose.yml", "today")
    new = write(tmp_path / "b", "prepared.yml", "later", **more)
    with pytest.raises(UsageError, match=cause) as caught:
        started("new", old, new)
    assert "prepared.yml" in caught.value.cause
    assert caught.value.remedy
    started(OLD, old, new)


def test_each_side_runs_the_optional_services_of_its_own_file(tmp_path: Path) -> None:
    web, dav = ({name: {"image": f"registry.example/x/{name}:2.0"}} for name in ("webmail", "webdav"))
    old, new = write(tmp_path / "a", "c.yml", "today", **web), write(tmp_path / "b", "c.yml", "later", **dav)
    setup = DEFAULT.with_services(["fetchmail"], [], ["webmail"], ["webdav"])
    assert setup.services == {"fetchmail"}
    for label, own in ((OLD, "webmail"), ("new", "webdav")):
        plan = started(label, old, new, setup)
        assert plan.core is not None
        assert plan.core["services"].keys() - set(CORE_SERVICES) == {own}
        assert (plan.added, plan.removed) == ({"fetchmail"}, frozenset())
