"""By whose doing did a container end? The engine's events tell."""

from __future__ import annotations

from typing import Any, cast

from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.events import PROJECT, SERVICE, ContainerEvent, ContainerExit, EventWatch, exit_in


def story(*actions: str, code: int = 1) -> list[ContainerEvent]:
    return [ContainerEvent(float(n), "smtp", a, code if a == "die" else None) for n, a in enumerate(actions)]


def test_a_service_that_exits_did_it_itself() -> None:
    assert exit_in("smtp", story("start", "die")) == ContainerExit("smtp", 1, True, "exited with status 1")


def test_a_service_that_was_killed_or_stopped_from_outside_did_not() -> None:
    for end in (
        exit_in("smtp", story("start", "kill", "die", code=137)),
        exit_in("smtp", story("kill", "die")),
    ):
        assert end is not None
        assert not end.own_doing
        assert "from outside" in end.reason


def test_running_out_of_memory_is_trouble_of_the_machine() -> None:
    end = exit_in("smtp", story("start", "oom", "die", code=137))
    assert end is not None
    assert not end.own_doing
    assert "memory" in end.reason


def test_one_that_was_started_again_lives() -> None:
    assert exit_in("smtp", story("start", "kill", "die", "start")) is None
    again = exit_in("smtp", story("start", "kill", "die", "start", "die"))
    assert again is not None
    assert again.own_doing


def test_a_signal_that_does_not_end_it_and_no_events_at_all_are_no_death() -> None:
    assert exit_in("smtp", []) is None
    assert exit_in("smtp", story("start", "kill")) is None


def event(action: str, service: str = "smtp", project: str = "mailu-1-old", **more: str) -> dict[str, Any]:
    attributes = {PROJECT: project, SERVICE: service, **more}
    return {
        "Type": "container",
        "Action": action,
        "timeNano": 5_500_000_000,
        "Actor": {"ID": "c1", "Attributes": attributes},
    }


def test_events_of_other_projects_are_not_ours_and_networks_are_told_by_name() -> None:
    watch = EventWatch(cast(Engine, None), "mailu-1-old")
    assert watch._read(event("die", project="mailu-2-old")) is None
    assert watch._read(event("die", exitCode="3")) == ContainerEvent(5.5, "smtp", "die", 3)
    cut = {"name": "mailu-1-old_default", "container": "c1", "type": "bridge"}
    network = {
        "Type": "network",
        "Action": "disconnect",
        "timeNano": 6_000_000_000,
        "Actor": {"ID": "n1", "Attributes": cut},
    }
    assert watch._read(network) == ContainerEvent(6.0, "smtp", "disconnect", note="default")
    assert watch._read({**network, "Actor": {"ID": "n2", "Attributes": {**cut, "container": "unknown"}}}) is None
