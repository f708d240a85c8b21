"""One running Mailu in its sealed world: up, changed for a variant, looked into, and down."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from docker.errors import DockerException
from docker.models.containers import Container
from testinfra.host import Host

from pytest_mailu import population
from pytest_mailu.errors import StackError
from pytest_mailu.model import SideInfo, Vantage
from pytest_mailu.releases import CORE_SERVICES, Release
from pytest_mailu.stack import accounts, images, warmth
from pytest_mailu.stack.certificates import certificate
from pytest_mailu.stack.compose import CONFIGURED, Compose, Model, read_model, sealed, subnet_was_taken, variables
from pytest_mailu.stack.engine import Engine
from pytest_mailu.stack.evidence import Ran, archive, execute, log_lines, read_file, testinfra_host
from pytest_mailu.stack.hints import hint
from pytest_mailu.stack.images import Image, Progress, Pull
from pytest_mailu.stack.labels import RUN, SIDE, Run
from pytest_mailu.stack.networks import Layout
from pytest_mailu.stack.readiness import Condition, Inner, NotReady, wait_for
from pytest_mailu.stack.seal import WORLD, check_sealed
from pytest_mailu.stack.settings import Settings, settings_for
from pytest_mailu.stack.signatures import private_key
from pytest_mailu.stack.subnets import Subnets
from pytest_mailu.stack.sweep import remove
from pytest_mailu.stack.variants import MX, Variant
from pytest_mailu.stack.watch import SERVICE, Death, Watch
from pytest_mailu.stack.world import DOOR_PORT, PORTS, World, make_plan
from pytest_mailu.stack.zipapp_build import build_zipapp
from pytest_mailu.stack.zones import RELAYED_HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TRIES = 4
"""How often other subnets are chosen when somebody took ours between the choice and the making."""
_OVERRIDES: Mapping[str, str] = MappingProxyType(
    {"front": "nginx", "imap": "dovecot", "smtp": "postfix", "antispam": "rspamd"}
)
"""Service → its folder in the user's `overrides`, as Mailu's own compose file mounts them."""


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What one stack is to be. `side` is `old` or `new`; `user` the user's settings.

    `core`, `configured` and `files` come from `usercompose.bring`: the model, the services that read mailu.env, and
    what is copied into each container.
    """

    side: str
    release: Release
    user: Mapping[str, str] = field(default_factory=dict)
    overrides: Path | None = None
    core: Model | None = None
    configured: tuple[str, ...] = CONFIGURED
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    pull: Pull = Pull.MISSING
    seconds: float = 120.0


class Stack:
    """A stack from `up` to `down`. Ready means: `world`, `door`, `layout`, `settings` and `info` may be used."""

    world: World
    layout: Layout
    settings: Settings

    def __init__(  # noqa: PLR0917 - each of them once, in the order in which they come about
        self,
        plan: StackPlan,
        run: Run,
        engine: Engine,
        compose: Compose,
        subnets: Subnets,
        progress: Progress = lambda _: None,
    ) -> None:
        self.plan = plan
        self.run = run
        self.project = run.project(plan.side)
        self.variant: Variant = MX
        self.timings: dict[str, float] = {}
        self._engine = engine
        self._compose = compose
        self._subnets = subnets
        self._progress = progress
        self._watch = Watch(engine, self.project)
        self._containers: dict[str, Container] = {}
        self._images: dict[str, Image] = {}
        self._version = ""
        self._ready_at = 0.0
        self._snapshot: dict[str, tuple[object, ...]] = {}
        self._changing = asyncio.Lock()
        self._secret_key = secrets.token_hex(8)

    @property
    def release(self) -> Release:
        """What runs here."""
        return self.plan.release

    @property
    def door(self) -> int:
        """The world's port on 127.0.0.1."""
        return self.world.door

    @property
    def services(self) -> tuple[str, ...]:
        """Mailu's services (and the user's own), without the world."""
        return tuple(name for name in self._core["services"] if name != WORLD)

    @property
    def _core(self) -> Model:
        return self.plan.core or read_model(self.release.compose_file)

    async def up(self) -> None:
        """From nothing to ready. Whatever goes wrong, nothing is left behind. Raises StackError."""
        self._last = time.monotonic()
        try:
            await self._fetch()
            await self._engine.call(self._watch.start)
            await self._create()
            await self._furnish(self._containers)
            await self._start()
            self._settle()
        except BaseException:
            await self.down()
            raise

    async def down(self) -> None:
        """Removes everything of this stack. Never raises but for cancellation; what stays is in the next sweep."""
        self._watch.stop()
        await asyncio.shield(asyncio.to_thread(remove, self._engine, self.run.id, self.plan.side))

    async def apply(self, variant: Variant) -> None:
        """Puts the stack into `variant`: makes the services anew that read what changed. Data and queue stay.

        Raises StackError; `own_doing` as ever. Nobody else may ask the stack while this runs.
        """
        async with self._changing:
            if variant.name == self.variant.name:
                return
            services = tuple(dict.fromkeys((*self.variant.services, *variant.services)))
            model = self._model(self.settings.with_changes(variant.changes))
            self._progress(f"{self.release}: making {', '.join(services)} anew for {variant.name}")
            self._last = time.monotonic()
            self._watch.expect_start(services)
            await self._compose(
                self.project,
                model,
                *("up", "--no-start", "--no-deps", "--force-recreate", "--no-build", "--pull", "never", "-t", "0"),
                *services,
                variables=self._variables(),
                seconds=self.plan.seconds,
            )
            await self._look()
            remade = {name: self._containers[name] for name in services}
            await self._furnish(remade)
            await self._start_all(remade)
            await self._wait({name: self._conditions()[name] for name in services})
            self.variant = variant
            self._mark(f"variant {variant.name}")
            self._settle()

    # Looking in

    def container(self, service: str) -> Container:
        """The container of a service (or of the world)."""
        try:
            return self._containers[service]
        except KeyError:
            raise StackError(f"{self.release} has no service {service}", f"it has {', '.join(self.services)}") from None

    def containers(self) -> dict[str, Container]:
        """All containers by service."""
        return dict(self._containers)

    async def exec(
        self, service: str, *command: str, user: str = "", environment: Mapping[str, str] | None = None
    ) -> Ran:
        """Runs a command in a service's container."""
        return await asyncio.to_thread(execute, self.container(service), command, user=user, environment=environment)

    def testinfra(self, service: str) -> Host:
        """The service's container for testinfra (blocking calls)."""
        return testinfra_host(self.container(service))

    async def logs(self, service: str, since: float | None = None, until: float | None = None) -> tuple[str, ...]:
        """Log lines of a service between two moments (seconds since the epoch)."""
        return tuple(await asyncio.to_thread(log_lines, self.container(service), since, until))

    def info(self) -> SideInfo:
        """Where this side comes from, for reports and recordings."""
        local = [name for name, image in self._images.items() if not image.digest]
        return SideInfo(
            release=str(self.release),
            version=self._version,
            provenance="images that exist on this machine only" if local else "images as the registry gives them out",
            images={
                service: self._images[image].identity
                for service, image in self._image_names().items()
                if image in self._images
            },
            settings=self.settings.shown(),
            replaced=dict(self.settings.replaced),
        )

    async def taint(self) -> str:
        """What happened to the containers from outside since the stack was ready; empty when nothing did."""
        happenings = [str(happening) for happening in self._watch.from_outside(self._ready_at)]
        if happenings:
            return "; ".join(dict.fromkeys(happenings))
        now = await self._engine.call(self._photograph)
        changed = [name for name, state in self._snapshot.items() if now.get(name) != state]
        deaths = [death for name in changed if (death := self._watch.death(name)) and death.own_doing]
        return "; ".join(f"{name}: not as it was" for name in changed if name not in {d.service for d in deaths})

    async def check_alive(self) -> None:
        """Raises StackError, with `own_doing`, when a service has ended since the stack was ready."""
        if death := self._any_death():
            raise await self._explain(NotReady(death.service, death.words, own_doing=death.own_doing))

    # Coming up, step by step

    async def _fetch(self) -> None:
        self._images = await images.ensure(self._engine, self._image_names().values(), self.plan.pull, self._progress)
        self._mark("images")

    def _image_names(self) -> dict[str, str]:
        names = {name: str(service.get("image", "")) for name, service in self._core["services"].items()}
        if self.plan.core is None:
            names |= {name: self.release.image(name) for name in CORE_SERVICES}
        return names | {WORLD: names["admin"]}

    def _image(self, service: str) -> Image:
        return self._images[self._image_names()[service]]

    async def _create(self) -> None:
        self._progress(f"{self.release}: creating networks and containers")
        for attempt in range(1, _TRIES + 1):
            self.layout = await self._subnets.take()
            self.settings = settings_for(
                self.release, self.layout, self._secret_key, self.plan.user, services=self.services
            )
            try:
                await self._compose(
                    self.project,
                    self._model(self.settings),
                    *("create", "--no-build", "--pull", "never"),
                    variables=self._variables(),
                    seconds=self.plan.seconds,
                )
                break
            except StackError as error:
                if not subnet_was_taken(error) or attempt == _TRIES:
                    raise
                await asyncio.to_thread(remove, self._engine, self.run.id, self.plan.side)
        await self._look()
        self._mark("created")

    def _variables(self) -> dict[str, str]:
        return variables(self.release, self.layout, self._image_names()[WORLD])

    def _model(self, settings: Settings) -> Model:
        return sealed(self._core, settings.values, self.run.labels(self.plan.side), self.plan.configured)

    @property
    def _labels(self) -> tuple[str, str]:
        return f"{RUN}={self.run.id}", f"{SIDE}={self.plan.side}"

    async def _look(self) -> None:
        """What compose has made, and whether it is sealed: nothing is started before that is certain."""
        found, networks = await asyncio.gather(
            self._engine.containers(*self._labels), self._engine.call(self._engine.networks_now, *self._labels)
        )
        self._containers = {c.labels[SERVICE]: c for c in found}
        check_sealed({name: c.attrs for name, c in self._containers.items()}, networks, self.project)

    async def _furnish(self, containers: Mapping[str, Container]) -> None:
        """Copies in what a bind mount would bring elsewhere: engines may be on another machine."""
        jobs = [(c, files) for name, c in containers.items() if (files := self._files(name))]
        await asyncio.gather(*(asyncio.to_thread(c.put_archive, "/", archive(files)) for c, files in jobs))
        if "antispam" in containers and (warm := await asyncio.to_thread(warmth.recall, self._image("antispam"))):
            await asyncio.to_thread(containers["antispam"].put_archive, "/", warm)
        if not self._version:
            self._version = await asyncio.to_thread(read_file, self._containers["admin"], "/version")
        self._mark("furnished")

    def _files(self, service: str) -> dict[str, bytes]:
        files = dict(self.plan.files.get(service, {}))
        if service == WORLD:
            places = {vantage: self.layout.segment(vantage) for vantage in Vantage}
            plan = make_plan(places, services={name: str(self.layout.service(name)) for name in CORE_SERVICES})
            files |= {"/world/world.pyz": build_zipapp(), "/world/plan.json": json.dumps(plan).encode()}
        if service == "front":
            own = certificate(population.HOSTNAME)
            files |= {"/certs/cert.pem": own.certificate.encode(), "/certs/key.pem": own.key.encode()}
        if self.plan.overrides and service in _OVERRIDES:
            folder = self.plan.overrides / _OVERRIDES[service]
            target = "/overrides" if service != "antispam" or self.release.since("2.0") else "/etc/rspamd/override.d"
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    files[f"{target}/{path.relative_to(folder)}"] = path.read_bytes()
        return files

    async def _start(self) -> None:
        """The world first; antispam last, so that the domains exist when Rspamd reads their list."""
        self._progress(f"{self.release}: starting")
        first = {name: c for name, c in self._containers.items() if name in (WORLD, "admin", "redis")}
        late = {name: c for name, c in self._containers.items() if name == "antispam"}
        rest = {name: c for name, c in self._containers.items() if name not in first and name not in late}
        await self._start_all(first)
        self.world = World(await self._engine.call(self._published))
        await self._start_all(rest)
        self._mark("started")
        conditions = self._conditions()
        await self._wait({"admin": conditions["admin"]})
        self._mark("admin answers")
        await self._populate()
        self._mark("accounts")
        await self._start_all(late)
        await self._wait(conditions)
        await self._stop_spoofing()
        self._mark("ready")
        await asyncio.to_thread(warmth.remember, self._image("antispam"), self._containers["antispam"])

    async def _stop_spoofing(self) -> None:
        """Rspamd's milter reads the list of domains late, but all of Rspamd reads what its controller has stored anew
        when it is hung up on: half a second instead of 40."""
        if not self.release.stops_spoofing_in_rspamd:
            return
        await asyncio.to_thread(self._containers["antispam"].kill, "HUP")
        stranger = str(self.layout.stranger.client)
        await self._wait({"antispam": [Inner(self.door).refuses_spoofed_mail("smtp", stranger)]})

    async def _start_all(self, containers: Mapping[str, Container]) -> None:
        async def start(name: str, container: Container) -> None:
            try:
                await asyncio.to_thread(container.start)
            except DockerException as error:
                raise StackError(
                    f"the service {name} of Mailu {self.release} could not be started",
                    "see what the engine says below",
                    (str(error),),
                    service=name,
                ) from error

        await asyncio.gather(*(start(name, container) for name, container in containers.items()))

    def _published(self) -> int:
        container = self._containers[WORLD]
        container.reload()
        bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{DOOR_PORT}/tcp") or []
        if not bindings:
            raise NotReady(WORLD, "has no published port: it did not stay", own_doing=False)
        return int(bindings[0]["HostPort"])

    def _conditions(self) -> dict[str, list[Condition]]:
        inner = Inner(self.door)
        symbol = "IS_LOCAL_DOMAIN_H" if self.release.stops_spoofing_in_rspamd else ""
        return {
            WORLD: [self._world_answers],
            "admin": [inner.answers_http("admin", self.release.admin_port, self.release.admin_ready_path)],
            "smtp": [inner.greets("smtp", 25, b"220 ")],
            "imap": [inner.greets("imap", 2525, b"220 ")],
            "antispam": [inner.rspamd_scans("antispam", symbol=symbol)],
            "front": [self._healthy("front")],
        }

    async def _world_answers(self) -> str:
        from pytest_mailu.wire.ends import Trouble

        try:
            await self.world.ping()
        except Trouble as trouble:
            return str(trouble)
        return ""

    def _healthy(self, service: str) -> Condition:
        """The image's own health check: the release says itself when it is well."""
        check = self._image(service).healthcheck

        async def condition() -> str:
            if not check:
                return ""
            ran = await self.exec(service, *check)
            return f"its own health check says {(ran.output + ran.errors).strip()[-200:]!r}" if ran.code else ""

        return condition

    async def _wait(self, conditions: Mapping[str, list[Condition]]) -> None:
        try:
            await wait_for(conditions, self._any_death, self.plan.seconds)
        except NotReady as error:
            raise await self._explain(error) from None

    def _any_death(self) -> Death | None:
        return next((death for name in self._containers if (death := self._watch.death(name))), None)

    async def _explain(self, error: NotReady) -> StackError:
        """The same with the last log lines of the service, and a hint where one is known."""
        container = self._containers.get(error.service)
        lines = await asyncio.to_thread(log_lines, container, tail=15) if container else []
        own = error.own_doing and error.service != WORLD
        return StackError(
            f"the service {error.service} of Mailu {self.release} {error.words}",
            hint(error.service, lines, own_doing=own),
            tuple(lines),
            service=error.service,
            own_doing=own,
        )

    async def _populate(self) -> None:
        path = "/tmp/population.json"  # noqa: S108 - inside the container
        text = accounts.document(self.release, private_key(), f"{RELAYED_HOST}:{PORTS['relayed']}")
        await asyncio.to_thread(self._containers["admin"].put_archive, "/", archive({path: text.encode()}))
        ran = await self.exec(
            "admin",
            *accounts.import_command(path),
            user=self.release.admin_user,
            environment=accounts.IMPORT_ENVIRONMENT,
        )
        if ran.code:
            lines = tuple((ran.output + ran.errors).strip().splitlines()[-12:])
            raise StackError(
                f"Mailu {self.release} did not take the accounts of the test (flask mailu config-import)",
                "see what it says below; a release whose import differs needs a newer pytest-mailu",
                lines,
                service="admin",
            )

    def _settle(self) -> None:
        self._snapshot = self._photograph()
        self._ready_at = time.time()

    def _photograph(self) -> dict[str, tuple[object, ...]]:
        """What of each container's state must stay as it is."""
        found: dict[str, tuple[object, ...]] = {}
        for name, container in self._containers.items():
            try:
                attributes: dict[str, Any] = self._engine.client.api.inspect_container(str(container.id))
            except DockerException:
                found[name] = ("gone",)
                continue
            state = attributes["State"]
            networks = attributes["NetworkSettings"]["Networks"]
            found[name] = (state["Status"], state["Pid"], state["StartedAt"], state["Paused"], tuple(sorted(networks)))
        return found

    def _mark(self, what: str) -> None:
        now = time.monotonic()
        self.timings[what] = round(now - self._last, 2)
        self._last = now


@asynccontextmanager
async def running(stacks: Iterable[Stack]) -> AsyncIterator[None]:
    """All stacks up at once, and all down at the end, whatever happens. Raises the first StackError."""
    several = list(stacks)
    try:
        try:
            async with asyncio.TaskGroup() as group:
                for stack in several:
                    group.create_task(stack.up())
        except* StackError as errors:
            raise errors.exceptions[0] from None
        yield
    finally:
        await asyncio.gather(*(stack.down() for stack in several))
