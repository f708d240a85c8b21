"""The conditions for each service of a release to be ready."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.databases import Database
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.optional_services import OPTIONAL_SERVICES
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.docker.isolation import WORLD
from pytest_mailu.stack.readiness.conditions import Condition, InternalServices
from pytest_mailu.stack.readiness.databases import takes_logins
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.errors import CannotAsk


@dataclass(frozen=True, slots=True)
class ServiceReadiness:
    """The conditions of one stack. `check_front` runs the health check of the image of `front`.

    `sockets` shows the TCP sockets inside a service (proc(5), /proc/net/tcp and tcp6); `optional` are the optional
    services of the stack with images of Mailu's; `databases` are those that it uses.
    """

    release: Release
    world: World
    check_front: Callable[[], Awaitable[CommandResult | None]]
    sockets: Callable[[str], Awaitable[CommandResult]]
    optional: Collection[str] = ()
    databases: Collection[Database] = ()

    def conditions(self) -> dict[str, list[Condition]]:
        """Service → its conditions. None of them uses a port that is under test."""
        inner = InternalServices(self.world.proxy)
        symbol = "IS_LOCAL_DOMAIN_H" if self.release.stops_spoofing_in_rspamd else ""
        return {
            WORLD: [self._world_answers],
            "admin": [inner.answers_http("admin", self.release.admin_port, self.release.admin_ready_path)],
            "smtp": [inner.greets("smtp", 25, b"220 ")],
            "imap": [inner.greets("imap", 2525, b"220 ")],
            "antispam": [inner.rspamd_scans("antispam", symbol=symbol)],
            "front": [self._front_is_well],
            **{
                name: [self._listens(name, service.port)] if service.port else []
                for name, service in OPTIONAL_SERVICES.items()
                if name in self.optional
            },
            **self.database_conditions(),
        }

    def database_conditions(self) -> dict[str, list[Condition]]:
        """Those for the services with databases, which have to be met before `admin` is started: it does not wait."""
        found: dict[str, list[Condition]] = {}
        for database in self.databases:
            found.setdefault(database.service, []).append(takes_logins(self.world.proxy, database))
        return found

    def refuses_spoofed_mail(self, stranger: str) -> Condition:
        """See `InternalServices.refuses_spoofed_mail`."""
        return InternalServices(self.world.proxy).refuses_spoofed_mail("smtp", stranger)

    def has_handled_a_login(self) -> Condition:
        """See `InternalServices.has_handled_a_login`."""
        return InternalServices(self.world.proxy).has_handled_a_login("admin", self.release.admin_port)

    def _listens(self, service: str, port: int) -> Condition:
        """Met when something in the service listens on a port. Nobody but `front` is in its network to ask it."""

        async def condition() -> str:
            try:
                ran = await self.sockets(service)
            except StackError as error:
                return error.cause
            return "" if is_listening(ran.output, port) else f"nothing listens on port {port} yet"

        return condition

    async def _world_answers(self) -> str:
        try:
            await self.world.ping()
        except CannotAsk as trouble:
            return str(trouble)
        return ""

    async def _front_is_well(self) -> str:
        try:
            ran = await self.check_front()
        except StackError as error:
            return error.cause
        if ran is None or not ran.code:
            return ""
        return f"its own health check reports {(ran.output + ran.errors).strip()[-200:]!r}"


def is_listening(sockets: str, port: int) -> bool:
    """Whether tables of /proc/net/tcp and tcp6 have a socket that listens on a port."""
    return re.search(rf"(?m)^\s*\d+: [0-9A-F]+:{port:04X} \S+ 0A ", sockets) is not None
