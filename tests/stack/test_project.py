"""What a stack asks Docker Compose for, by the engine that there is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.databases import POSTGRESQL
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.command import template
from pytest_mailu.stack.data.copier import Sources
from pytest_mailu.stack.data.own import OwnData
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.networks import Layout, choose_layout
from pytest_mailu.stack.plan import Inherited, StackPlan
from pytest_mailu.stack.project import ComposeProject
from tests.stack.scripted_engine import ScriptedEngine

ISOLATED = {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}
NO_ADDRESS = {"com.docker.network.bridge.inhibit_ipv4": "true"}


class Subnets:
    async def allocate(self, *, six: bool = False) -> Layout:
        return choose_layout([])


@pytest.mark.parametrize(
    ("version", "options"),
    [
        ("20.10.24+dfsg1", NO_ADDRESS),
        ("27.5.1", NO_ADDRESS),
        ("28.0.0", ISOLATED),
        ("28.0.0-rc.1", ISOLATED),
        ("28.5.2+azure-1", ISOLATED),
        ("29.1.0", ISOLATED),
        ("", NO_ADDRESS),
        ("dev", NO_ADDRESS),
        ("9" * 5000, NO_ADDRESS),
    ],
    ids=lambda value: value[:14] if isinstance(value, str) else "",
)
def test_internal_networks_are_isolated_by_what_the_engine_has_for_it(
    version: str, options: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def compose(project: str, model: Any, *arguments: str, **more: Any) -> None:
        asked.append(model)
        raise StackError("no container is made here", "this is a test")

    with ScriptedEngine(tmp_path / "engine", version) as scripted:
        monkeypatch.setenv("DOCKER_HOST", scripted.address)
        engine = Engine.connect()
        plan = StackPlan("old", Release.parse("2024.06.24"), added=frozenset(STARTED))
        subnets: Any = Subnets()
        project = ComposeProject(plan, RunIdentity.new(), engine, compose, subnets)  # type: ignore[arg-type]
        with pytest.raises(StackError, match="no container"):
            asyncio.run(project.create())
        engine.close()
    networks = asked[0]["networks"]
    internal = {name: network["driver_opts"] for name, network in networks.items() if network.get("internal")}
    ours = ("default", "edge-stranger", "edge-other", "edge-relaynet", "webmail", "radicale")
    ours += ("clamav", "oletools", "fts_attachments")
    assert internal == dict.fromkeys(ours, options)
    assert set(networks) - set(internal) == {"outside"}


def _project(plan: StackPlan) -> ComposeProject:
    nobody: Any = None
    return ComposeProject(plan, RunIdentity.new(), nobody, nobody, nobody)


def test_a_database_of_the_set_up_takes_the_place_of_the_user_s() -> None:
    core = template("mailu")
    core["services"]["database"] = {"image": "mariadb:10.6", "environment": {}}
    user = {"DB_FLAVOR": "postgresql", "DB_HOST": "database"}
    theirs = _project(StackPlan("old", Release.parse("2024.06.24"), user=user, core=core))
    assert theirs.image_names()["database"] == "mariadb:10.6"
    plan = StackPlan("old", Release.parse("2024.06.24"), user=user, core=core, brings_database=True)
    assert _project(plan).image_names()["database"] == POSTGRESQL.image
    assert _project(plan).volumes["database"].endswith("_database")


def test_the_password_of_the_database_is_kept_with_the_data() -> None:
    plan = StackPlan("old", Release.parse("2024.06.24"), user={"DB_FLAVOR": "mysql"})
    first = _project(plan)
    second = _project(replace(plan, side="new", inherited=Inherited(Sources({}), first.secret_key)))
    assert second.database_password == first.database_password != _project(plan).database_password


def _with_own_data(folder: Path, image: str = "postgres:15", source: str = "/mailu/pg") -> ComposeProject:
    core = template("mailu")
    core["services"]["db"] = {"image": image, "environment": {}, "volumes": ["pg-1:/var/lib/postgresql/data"]}
    core["volumes"]["pg-1"] = {}
    user = {"DB_FLAVOR": "postgresql", "DB_HOST": "db", "DB_USER": "theirs"}
    release = Release.parse("2024.06.24")
    inherited = Inherited(Sources({}), "k" * 16, own=OwnData(folder), releases=(release,))
    sources = {"data": "/mailu/data", "pg-1": source}
    return _project(StackPlan("old", release, user=user, core=core, inherited=inherited, sources=sources))


def test_the_user_s_own_database_is_taken_over_where_its_folder_is_in_their_data(tmp_path: Path) -> None:
    for name in ("data", "mail", "pg"):
        (tmp_path / name).mkdir()
    project = _with_own_data(tmp_path)
    assert project.own_database == {"pg-1": str(tmp_path / "pg")}
    assert project.databases[0].kept == ("theirs", "mailu")
    sources = OwnData(tmp_path).sources(project.volume_names, project.own_database)
    assert sources.volumes["pg-1"] == str(tmp_path / "pg")
    assert sources.layers["pg-1"] == (str(tmp_path / "pg"),)


@pytest.mark.parametrize(
    ("image", "source"), [("mailu/postgresql:1.9", "/mailu/pg"), ("postgres:15", "/srv/pg"), ("postgres:15", "")]
)
def test_another_image_or_a_folder_elsewhere_is_not_taken_over(image: str, source: str, tmp_path: Path) -> None:
    for name in ("data", "mail", "pg"):
        (tmp_path / name).mkdir()
    project = _with_own_data(tmp_path, image, source)
    assert project.own_database == {}
    assert project.databases[0].kept is None


def test_the_next_release_keeps_the_user_s_database() -> None:
    core = template("mailu")
    core["services"]["db"] = {"image": "postgres:15", "environment": {}}
    plan = StackPlan(
        "upgraded",
        Release.parse("2024.06.24"),
        user={"DB_FLAVOR": "postgresql", "DB_HOST": "db", "DB_NAME": "theirs"},
        core=core,
        inherited=Inherited(Sources({}), "k" * 16, keeps_database=True),
    )
    assert _project(plan).databases[0].kept == ("mailu", "theirs")
