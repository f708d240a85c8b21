"""With a real engine: what is created is found again by its labels, and nothing is left behind."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.stack.compose.command import Compose, Model
from pytest_mailu.stack.docker.bridges import bridge_of
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.events import PROJECT, SERVICE, EventWatch
from pytest_mailu.stack.docker.heartbeat import BEAT, Heartbeat
from pytest_mailu.stack.docker.images import Pull, ensure
from pytest_mailu.stack.docker.isolation import SURROUNDINGS
from pytest_mailu.stack.docker.labels import RunIdentity
from pytest_mailu.stack.docker.networks import Layout, choose_layout, engine_networks
from pytest_mailu.stack.docker.routes import routes, routes6
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import remove, sweep
from pytest_mailu.stack.evidence.container_io import execute, log_lines, read_file
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.preflight import measure, preflight
from pytest_mailu.stack.stack import Stack, running
from tests.lab.gate import Gate
from tests.waiting import eventually

from .conftest import MortalRun
from .tiny import DECLARES, EXITS, WAITS, things

pytestmark = pytest.mark.engine
RELEASE = Release.parse("2.0.43")


def make_things(engine: Engine, run: RunIdentity, side: str = "old") -> None:
    """A running container in a network of its own, with a volume."""
    labels = run.labels(side)
    layout = choose_layout(engine_networks(engine.networks_now()))
    pool = {"Config": [{"Subnet": str(layout.inside.network)}]}
    name = f"{run.project(side)}_default"
    engine.client.api.create_network(name, ipam=pool, internal=True, labels=labels)
    engine.client.volumes.create(f"{run.project(side)}_data", labels=labels)
    engine.client.containers.run(
        WAITS,
        detach=True,
        network=name,
        volumes={f"{run.project(side)}_data": {"bind": "/data"}},
        labels={**labels, PROJECT: run.project(side), SERVICE: "admin"},
    )


def test_a_sweep_removes_what_a_dead_run_left_and_spares_the_living_and_the_kept(
    engine: Engine, run: RunIdentity, mortal_run: MortalRun
) -> None:
    dead_run = mortal_run.identity
    spared = replace(RunIdentity.new(keep=True), owner=dead_run.owner)
    try:
        for one in (run, dead_run, spared):
            make_things(engine, one)
        sweep(engine)
        assert things(engine, dead_run) == (1, 1, 1)
        mortal_run.dies()
        sweep(engine)  # another run beside this one may have been quicker
        eventually(lambda: things(engine, dead_run) == (0, 0, 0))
        assert things(engine, run) == (1, 1, 1)
        assert things(engine, spared) == (1, 1, 1)
    finally:
        remove(engine, spared.id)


def test_volumes_without_a_name_go_with_their_container(engine: Engine, mortal_run: MortalRun) -> None:
    """As images declare them: they carry no label, so nothing would find them later."""

    def volumes() -> set[str]:
        return {volume["Name"] for volume in engine.client.api.volumes()["Volumes"] or []}

    before = volumes()
    container = engine.client.containers.create(
        WAITS, network_mode="none", labels=mortal_run.identity.labels("old"), volumes=["/x"]
    )
    (own,) = {mount["Name"] for mount in container.attrs["Mounts"]}
    assert own in volumes() - before
    container.start()
    mortal_run.dies()
    sweep(engine)
    eventually(lambda: own not in volumes())


def test_volumes_without_a_name_that_were_handed_on_go_as_well(engine: Engine, mortal_run: MortalRun) -> None:
    """As compose hands them on to a container that it makes anew: for the engine they have a name then."""
    first = engine.client.containers.create(WAITS, network_mode="none", volumes=["/x"])
    (own,) = {mount["Name"] for mount in first.attrs["Mounts"]}
    mounts = {own: {"bind": "/x"}}
    labels = mortal_run.identity.labels("old")
    engine.client.containers.create(WAITS, network_mode="none", labels=labels, volumes=mounts)
    first.remove(v=False)
    mortal_run.dies()
    sweep(engine)
    eventually(lambda: own not in still_there(engine))


def test_a_run_shows_that_it_is_alive_and_the_sign_goes_with_it(engine: Engine, run: RunIdentity) -> None:
    beating = Heartbeat(engine, run.project("old"), run.labels("old"), every=0.05)
    beating.start()
    eventually(lambda: len([v for v in engine.volumes_now(f"org.pytest-mailu.run={run.id}") if BEAT in v["Labels"]]))
    first = engine.volumes_now(BEAT, f"org.pytest-mailu.run={run.id}")[0]["Name"]
    eventually(lambda: first not in {v["Name"] for v in engine.volumes_now(f"org.pytest-mailu.run={run.id}")})
    beating.stop()
    assert len(engine.volumes_now(f"org.pytest-mailu.run={run.id}")) == 1
    remove(engine, run.id, "old")
    assert things(engine, run) == (0, 0, 0)


def test_one_side_can_be_removed_without_the_other(engine: Engine, run: RunIdentity) -> None:
    make_things(engine, run, "old")
    make_things(engine, run, "new")
    removed = remove(engine, run.id, "old")
    assert (removed.containers, removed.networks, removed.volumes, removed.failures) == (1, 1, 1, [])
    assert things(engine, run) == (1, 1, 1)
    assert not remove(engine, "a run that never was")


def test_a_network_goes_though_the_engine_calls_it_in_use(engine: Engine, run: RunIdentity) -> None:
    """As it does when a container was removed while it was being started."""
    make_things(engine, run)
    network = f"{run.project('old')}_default"
    stranger = engine.client.containers.run(WAITS, detach=True, network=network)
    try:
        removed = remove(engine, run.id)
        assert (removed.networks, removed.failures) == (1, [])
        assert things(engine, run) == (0, 0, 0)
    finally:
        stranger.remove(force=True)


def test_the_watch_tells_an_exit_from_a_kill(engine: Engine, run: RunIdentity) -> None:
    watch = EventWatch(engine, run.project("old"))
    watch.start()
    try:
        made = {}
        for service, image in (("imap", EXITS), ("smtp", WAITS), ("admin", WAITS)):
            labels = {**run.labels("old"), PROJECT: run.project("old"), SERVICE: service}
            made[service] = engine.client.containers.run(image, detach=True, network_mode="none", labels=labels)
        made["smtp"].kill()
        eventually(lambda: watch.exit_of("imap") and watch.exit_of("smtp"))
        by_itself, killed = watch.exit_of("imap"), watch.exit_of("smtp")
        assert by_itself is not None
        assert killed is not None
        assert (by_itself.code, by_itself.own_doing) == (3, True)
        assert not killed.own_doing
        assert watch.exit_of("admin") is None
        assert "smtp" in {event.service for event in watch.external_events(0)}
    finally:
        watch.stop()


def test_a_watch_knows_that_the_engine_has_gone(
    run: RunIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gate(tmp_path / "engine") as gate:
        monkeypatch.setenv("DOCKER_HOST", gate.address)
        listening, stopped = (EventWatch(Engine.connect(), run.project(side)) for side in ("old", "new"))
        for watch in (listening, stopped):
            watch.start()
        stopped.stop()
        assert not listening.disconnected
        gate.shut()
        eventually(lambda: listening.disconnected)
        assert not stopped.disconnected


def test_an_image_that_is_not_here_is_named_with_what_to_do(engine: Engine) -> None:
    images = asyncio.run(ensure(engine, [WAITS, WAITS], Pull.MISSING))
    assert images[WAITS].version == "9.9.9"
    assert images[WAITS].identity.startswith("sha256:")
    with pytest.raises(StackError, match="is not on this machine"):
        asyncio.run(ensure(engine, [WAITS, "pytest-mailu.test/absent:1"], Pull.NEVER))
    nobody = "127.0.0.1:1/absent:1"
    with pytest.raises(StackError) as caught:
        asyncio.run(ensure(engine, [nobody], Pull.MISSING))
    assert nobody in caught.value.cause
    assert "--mailu-pull" in caught.value.remedy


def test_no_engine_and_no_compose_are_said_plainly(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_mailu.stack.compose.command.candidates", list)
    with pytest.raises(StackError, match="Compose"):
        asyncio.run(Compose.find({}))
    monkeypatch.setattr("pytest_mailu.stack.compose.command.candidates", lambda: [("/nonexistent/compose",)])
    with pytest.raises(StackError) as caught:
        asyncio.run(Compose.find({}))
    assert "/nonexistent/compose" in str(caught.value.details)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    with pytest.raises(StackError, match=r"nonexistent\.sock"):
        Engine.connect()


def test_this_engine_is_measured(engine: Engine) -> None:
    readings = asyncio.run(measure(engine))
    assert readings.engine
    assert readings.memory


def test_a_container_can_be_looked_into_running_or_not(engine: Engine, run: RunIdentity) -> None:
    container = engine.client.containers.create(WAITS, network_mode="none", labels=run.labels("old"))
    assert read_file(container, "/version") == "9.9.9"
    assert read_file(container, "/absent") == ""
    assert log_lines(container) == []
    with pytest.raises(StackError, match="not running"):
        execute(container, ("/run",))
    container.start()
    assert execute(container, ("/absent",)).code not in (0, None)


def core(image: str) -> Model:
    """Mailu's services, none of which is Mailu."""
    return {"services": {name: {"image": image} for name in CORE_SERVICES}, "volumes": {}}


def stack(
    engine: Engine, run: RunIdentity, subnets: SubnetAllocator, image: str = WAITS, side: str = "old", **user: str
) -> Stack:
    compose = asyncio.run(preflight(engine, 1))
    plan = StackPlan(side, RELEASE, core=core(image), pull=Pull.NEVER, seconds=60, user=user)
    return Stack(plan, run, engine, compose, subnets)


def test_a_stack_that_does_not_start_names_the_service_and_leaves_nothing(engine: Engine, run: RunIdentity) -> None:
    # The world runs on the Python of admin's image, and this one has none.
    with pytest.raises(StackError) as caught:
        asyncio.run(stack(engine, run, SubnetAllocator(engine)).up())
    assert caught.value.service in SURROUNDINGS
    assert not caught.value.own_doing
    assert things(engine, run) == (0, 0, 0)


def test_an_image_that_is_missing_leaves_nothing(engine: Engine, run: RunIdentity) -> None:
    with pytest.raises(StackError, match="absent"):
        asyncio.run(stack(engine, run, SubnetAllocator(engine), "pytest-mailu.test/absent:1").up())
    assert things(engine, run) == (0, 0, 0)


class Occupied(SubnetAllocator):
    """Gives a layout that somebody takes at that very moment, as often as `times` says."""

    def __init__(self, engine: Engine, run: RunIdentity, times: int) -> None:
        super().__init__(engine)
        self._run = run
        self._times = times
        self.given: list[Layout] = []

    async def allocate(self, *, six: bool = False) -> Layout:
        layout = await super().allocate(six=six)
        self.given.append(layout)
        if len(self.given) <= self._times:
            name = f"{self._run.id}-somebody-{len(self.given)}"
            pool = {"Config": [{"Subnet": str(layout.relaynet.network)}]}
            self._engine.client.api.create_network(name, ipam=pool, internal=True, labels=self._run.labels("somebody"))
        return layout


def test_a_subnet_that_is_taken_at_the_last_moment_is_chosen_again(engine: Engine, run: RunIdentity) -> None:
    subnets = Occupied(engine, run, times=1)
    with pytest.raises(StackError) as caught:
        asyncio.run(stack(engine, run, subnets).up())
    assert caught.value.service in SURROUNDINGS  # so all networks had been made
    assert len(subnets.given) == 2


def test_a_subnet_that_is_always_taken_ends_in_a_clear_message(engine: Engine, run: RunIdentity) -> None:
    subnets = Occupied(engine, run, times=99)
    with pytest.raises(StackError, match="subnet was taken"):
        asyncio.run(stack(engine, run, subnets).up())
    assert things(engine, run)[:1] == (0,)


def test_a_start_that_is_cancelled_leaves_nothing(engine: Engine, run: RunIdentity) -> None:
    one, subnets = stack(engine, run, SubnetAllocator(engine)), SubnetAllocator(engine)
    other = stack(engine, run, subnets, side="new")

    async def both() -> None:
        async with running([one, other]):
            pass

    async def interrupted() -> None:
        task = asyncio.create_task(both())
        while not (await asyncio.to_thread(things, engine, run))[1]:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    assert things(engine, run) == (0, 0, 0)


async def nameless_volumes(made: Stack) -> set[str]:
    """Creates a stack of images that declare volumes; those of its volumes that have no name and no label."""
    await made._fetch_images()
    await made._create()
    containers = made.project.containers.containers.values()
    names = {str(mount["Name"]) for container in containers for mount in container.attrs["Mounts"]}
    return {name for name in names if re.fullmatch(r"[0-9a-f]{64}", name)}


def still_there(engine: Engine) -> set[str]:
    return {str(volume["Name"]) for volume in engine.client.api.volumes()["Volumes"] or []}


def test_volumes_that_images_declare_go_with_the_stack(engine: Engine, run: RunIdentity) -> None:
    made = stack(engine, run, SubnetAllocator(engine), DECLARES)

    async def up_and_down() -> set[str]:
        own = await nameless_volumes(made)
        assert own <= still_there(engine)
        await made.down()
        return own

    own = asyncio.run(up_and_down())
    assert len(own) >= 2 * len(CORE_SERVICES)
    assert own & still_there(engine) == set()


KILLED = f"""
import asyncio, os, signal
from tests.stack.test_engine import *
engine = Engine.connect()
made = stack(engine, RunIdentity.new(), SubnetAllocator(engine), {DECLARES!r})
print(*asyncio.run(nameless_volumes(made)), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_volumes_that_images_declare_go_with_the_next_sweep_after_a_run_was_killed(engine: Engine) -> None:
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=root, capture_output=True, text=True, check=False)
    own = set(killed.stdout.split())
    assert (killed.returncode, len(own) >= 2 * len(CORE_SERVICES)) == (-signal.SIGKILL, True), killed.stderr
    sweep(engine)
    eventually(lambda: not own & still_there(engine))


def test_nobody_can_get_out_of_the_networks_that_are_made(engine: Engine, run: RunIdentity) -> None:
    made = stack(engine, run, SubnetAllocator(engine))

    async def create() -> None:
        await made._fetch_images()
        await made._create()

    asyncio.run(create())
    networks = {network["Name"]: network for network in engine.networks_now(f"org.pytest-mailu.run={run.id}")}
    ordinary = [name for name, network in networks.items() if not network["Internal"]]
    assert ordinary == [f"{run.project('old')}_outside"]
    containers = made.project.containers.containers.items()
    assert [name for name, c in containers if ordinary[0] in c.attrs["NetworkSettings"]["Networks"]] == ["ingress"]
    subnets = [IPv4Network(network["IPAM"]["Config"][0]["Subnet"]) for network in networks.values()]
    assert set(subnets) == set(made.layout.networks) - {
        made.layout.apart
    }  # for optional services, of which it has none
    internal = [subnet for subnet in subnets if subnet != made.layout.outside]
    if not made.project.unchecked:  # a user who is not root gets a notice
        for bridge in (bridge_of(network["Id"]) for network in networks.values() if network["Internal"]):
            checks = [Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter") for name in ("all", bridge)]
            assert any(path.read_text().strip() != "0" for path in checks)
    # A bridge with an address of this machine has a route here.
    assert not [route for route in routes() if any(route.overlaps(subnet) for subnet in internal)]


def test_nobody_can_get_out_of_networks_with_ipv6_either(engine: Engine, run: RunIdentity) -> None:
    """Docker 20.10 gives the bridge of an internal network an address of IPv6, at which this machine answers."""
    made = stack(engine, run, SubnetAllocator(engine), SUBNET6="fd00::/64")

    async def create() -> None:
        await made._fetch_images()
        await made._create()

    asyncio.run(create())
    six = made.layout.six
    assert six is not None
    networks = engine.networks_now(f"org.pytest-mailu.run={run.id}")
    pools = [pool["Subnet"] for network in networks if network["EnableIPv6"] for pool in network["IPAM"]["Config"]]
    assert {IPv6Network(subnet) for subnet in pools if ":" in subnet} == set(six.networks)
    assert not [network["Name"] for network in networks if network["EnableIPv6"] and not network["Internal"]]
    front = made.project.containers["front"]
    front.start()  # only now do its bridges carry anything
    front.reload()
    given = front.attrs["NetworkSettings"]["Networks"].values()
    assert {one["GlobalIPv6Address"] for one in given} == {
        str(segment.front) for segment in (six.inside, six.stranger, six.other, six.relaynet)
    }
    bridges = {bridge_of(network["Id"]) for network in networks if network["Internal"]}
    listed = Path("/proc/net/if_inet6").read_text().splitlines()
    assert not bridges & {line.split()[-1] for line in listed}
    assert not [route for route in routes6() if any(route.overlaps(subnet) for subnet in six.networks)]
