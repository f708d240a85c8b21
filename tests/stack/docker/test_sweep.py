"""Clean-up removes what is certainly nobody's any more, judged object by object, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from requests.exceptions import ReadTimeout

from pytest_mailu.core.errors import UsageError
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.heartbeat import BEAT, FRESH
from pytest_mailu.stack.docker.labels import CREATED, KEPT, OWNER, RUN, Owner, RunIdentity
from pytest_mailu.stack.docker.sweep import AT_ONCE, Choice, remove, sweep

DEAD = replace(Owner.me(), started="1")
UNKNOWN = replace(Owner.me(), host="another-host")


class Shelf:
    """An engine's API with containers, networks and volumes by name, each with its labels."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Mapping[str, str]]] = {"containers": {}, "networks": {}, "volumes": {}}

    def put(self, kind: str, name: str, labels: Mapping[str, str]) -> None:
        self.things[kind][name] = labels

    def _found(self, kind: str, filters: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        wanted = [label.partition("=") for label in filters["label"]]
        return [
            {"Id": name, "Name": name, "Names": [f"/{name}"], "Labels": labels}
            for name, labels in self.things[kind].items()
            if all(key in labels and (not equals or labels[key] == value) for key, equals, value in wanted)
        ]

    def containers(self, *, all: bool, filters: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        return self._found("containers", filters)

    def networks(self, filters: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        return self._found("networks", filters)

    def volumes(self, filters: Mapping[str, list[str]]) -> dict[str, list[dict[str, Any]]]:
        return {"Volumes": self._found("volumes", filters)}

    def remove_container(self, name: str, *, v: bool, force: bool) -> None:
        assert v, "volumes without a name would stay"
        del self.things["containers"][name]

    def remove_network(self, name: str) -> None:
        del self.things["networks"][name]

    def remove_volume(self, name: str, *, force: bool) -> None:
        del self.things["volumes"][name]

    @property
    def names(self) -> set[str]:
        return {name for kind in self.things.values() for name in kind}


class Client:
    def __init__(self, api: Shelf) -> None:
        self.api = api


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def engine(shelf: Shelf) -> Engine:
    return Engine(cast(Any, Client(shelf)))


def of(owner: Owner, *, keep: bool = False, age: float = 0.0) -> tuple[str, dict[str, str]]:
    """The id and the labels of a run."""
    run = replace(RunIdentity.new(keep=keep), owner=owner, created=int(time.time() - age))
    return run.id, run.labels("old")


def test_the_dead_go_and_the_living_the_kept_and_the_unknown_stay(engine: Engine, shelf: Shelf) -> None:
    owners = {"dead": DEAD, "me": Owner.me(), "kept": DEAD, "far": UNKNOWN}
    for name, owner in owners.items():
        _, labels = of(owner, keep=name == "kept", age=10**6)
        for kind in shelf.things:
            shelf.put(kind, f"{name}-{kind}", labels)
    shelf.put("containers", "theirs", {"com.docker.compose.project": "mailu"})
    removed = sweep(engine)
    assert (removed.containers, removed.networks, removed.volumes) == (1, 1, 1)
    assert {name.partition("-")[0] for name in shelf.names} == {"me", "kept", "far", "theirs"}
    assert removed.complaints == []


def test_each_object_is_judged_by_its_own_label(engine: Engine, shelf: Shelf) -> None:
    """Somebody gives a thing the id of a living run, and a dead owner: only that thing goes."""
    run, labels = of(Owner.me())
    shelf.put("containers", "mine", labels)
    shelf.put("volumes", "forged", {**labels, OWNER: DEAD.write()})
    sweep(engine)
    assert shelf.names == {"mine"}
    assert sweep(engine, Choice(run=run)).skipped
    assert shelf.names == {"mine"}


@pytest.mark.parametrize("owner", ["", "not json", "[" * 5_000, '{"host": 1}', "null"])
def test_a_broken_label_is_skipped_and_named_and_ends_nothing(owner: str, engine: Engine, shelf: Shelf) -> None:
    shelf.put("networks", "odd", {RUN: "4f3a9c12", OWNER: owner, CREATED: "yesterday"})
    shelf.put("networks", "dead", of(DEAD)[1])
    removed = sweep(engine, Choice(older=1))
    assert shelf.names == {"odd"}
    assert any("odd" in line for line in removed.complaints)


def test_a_heartbeat_is_a_sign_of_life_where_the_process_cannot_be_seen(engine: Engine, shelf: Shelf) -> None:
    for name, beat in (("beats", time.time()), ("silent", time.time() - 2 * FRESH), ("broken", "x")):
        _, labels = of(UNKNOWN, age=10**6)
        shelf.put("containers", name, labels)
        shelf.put("volumes", f"{name}-beat", {**labels, BEAT: str(beat).partition(".")[0]})
    sweep(engine)
    assert {"beats", "silent", "broken"} <= shelf.names
    sweep(engine, Choice(older=3600))
    assert shelf.names == {"beats", "beats-beat"}


def test_a_copied_machine_is_alive_while_its_heart_beats(
    engine: Engine, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies share name and machine id; from here, the other one looks as if it had run before the last boot."""
    monkeypatch.setattr("pytest_mailu.stack.docker.labels._machine", lambda: "a" * 32)
    copied = replace(Owner.me(), boot="another boot")
    (alive, labels), (gone, others) = of(copied), of(copied)
    for name, its in ((alive, labels), (gone, others)):
        shelf.put("containers", f"{name}-front", its)
    shelf.put("volumes", f"{alive}_beat-1", {**labels, BEAT: str(int(time.time() - 60))})
    shelf.put("volumes", f"{gone}_beat-1", {**others, BEAT: str(int(time.time() - FRESH - 60))})
    sweep(engine)
    assert shelf.names == {f"{alive}-front", f"{alive}_beat-1"}


def test_what_can_never_be_proven_dead_goes_by_age_or_by_id(engine: Engine, shelf: Shelf) -> None:
    young, labels = of(UNKNOWN, age=60)
    shelf.put("containers", "young", labels)
    _, labels = of(UNKNOWN, age=10**6)
    shelf.put("containers", "old", labels)
    kept, labels = of(UNKNOWN, keep=True, age=10**6)
    shelf.put("containers", "kept", labels)
    shelf.put("containers", "living", of(Owner.me(), age=10**6)[1])
    sweep(engine, Choice(older=3600))
    assert shelf.names == {"young", "kept", "living"}
    sweep(engine, Choice(run=young))
    sweep(engine, Choice(run=kept))
    assert shelf.names == {"living"}


def test_our_own_side_is_removed_by_run_and_side(engine: Engine, shelf: Shelf) -> None:
    run = RunIdentity.new()
    shelf.put("containers", "old", run.labels("old"))
    shelf.put("containers", "new", run.labels("new"))
    remove(engine, run.id, "old")
    assert shelf.names == {"new"}


@pytest.mark.parametrize(
    "text", ["", "x", "4f3a9c1", "4F3A9C12", "36", "h", "-1h", "1w", "999999d", "4f3a9c12 ", "../x"]
)
def test_what_is_neither_an_id_nor_an_age_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--mailu-sweep"):
        Choice.read(text)


def test_ids_and_ages_are_read() -> None:
    assert Choice.read("4f3a9c12") == Choice(run="4f3a9c12")
    assert Choice.read("36h") == Choice(older=36 * 3600)
    assert Choice.read("7d") == Choice(older=7 * 86400)


def test_kept_means_kept(engine: Engine, shelf: Shelf) -> None:
    _, labels = of(DEAD, keep=True, age=10**6)
    assert labels[KEPT] == "yes"
    shelf.put("containers", "kept", labels)
    sweep(engine)
    sweep(engine, Choice(older=1))
    assert shelf.names == {"kept"}


def test_a_kept_stack_goes_by_its_id_as_soon_as_its_process_has_ended(engine: Engine, shelf: Shelf) -> None:
    """Its last heartbeat is young then."""
    run, labels = of(DEAD, keep=True)
    shelf.put("containers", "kept", labels)
    shelf.put("volumes", "beat", {**labels, BEAT: str(int(time.time()))})
    assert sweep(engine, Choice(run=run))
    assert shelf.names == set()


def test_an_engine_that_stops_answering_is_asked_no_more(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C, with the engine frozen, a run waited a minute for each sixteen of what was left."""
    asked: list[str] = []

    def frozen(name: str, **_: bool) -> None:
        asked.append(name)
        raise ReadTimeout("no answer in 60 s")

    monkeypatch.setattr(shelf, "remove_container", frozen)
    for number in range(5 * AT_ONCE):
        shelf.put("containers", f"c{number}", of(DEAD)[1])
        shelf.put("volumes", f"v{number}", of(DEAD)[1])
    removed = sweep(Engine(cast(Any, Client(shelf))))
    assert len(asked) <= AT_ONCE
    assert len(shelf.names) == 10 * AT_ONCE
    assert removed.complaints == ["could not be removed: no answer in 60 s"]
