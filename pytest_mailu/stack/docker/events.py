"""The engine's events about the containers of a stack: what happened, and whether somebody else did it.

A container that exits by itself has one event, `die`. A container that is stopped through the engine has `kill`, then
`die` (Docker's reference of `docker events`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import DockerException
from docker.types import CancellableStream

from pytest_mailu.stack.docker.engine import Engine

SERVICE = "com.docker.compose.service"
PROJECT = "com.docker.compose.project"
_ACTIONS = ("start", "die", "kill", "oom", "pause", "unpause", "stop", "restart", "destroy", "connect", "disconnect")
SIGHUP = "signal 1"
"""On SIGHUP, services read their settings anew and go on running."""
_EXTERNAL_ACTIONS = {"kill", "pause", "unpause", "stop", "restart", "destroy", "connect", "disconnect"}


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """One event. `code` is the exit status of a container that died."""

    when: float
    service: str
    action: str
    code: int | None = None
    note: str = ""

    def __str__(self) -> str:
        return f"{self.service}: {self.action}{f' ({self.note})' if self.note else ''}"


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """How a container ended."""

    service: str
    code: int | None
    own_doing: bool
    reason: str


class EventWatch:
    """Receives the engine's events in a thread, from `start` to `stop`."""

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._project = project
        self._stream: CancellableStream[Any] | None = None
        self._events: list[ContainerEvent] = []
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._marks: dict[str, int] = {}
        self._disconnected = threading.Event()

    def start(self) -> None:
        """Opens the stream of events. Blocking: call it in a thread."""
        self._stream = self._engine.client.api.events(
            since=int(time.time()),
            filters={"type": ["container", "network"], "event": list(_ACTIONS)},
            decode=True,
        )
        threading.Thread(target=self._listen, args=(self._stream,), daemon=True, name="mailu-events").start()

    def stop(self) -> None:
        """Closes the stream. Events received so far are kept."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError, DockerException, AttributeError):
                stream.close()

    @property
    def disconnected(self) -> bool:
        """Whether the stream ended before `stop`, so that later events are unknown."""
        return self._disconnected.is_set()

    def expect_restart(self, services: Iterable[str]) -> None:
        """We restart or recreate these services: `exit_of` counts only what follows their next start."""
        with self._lock:
            self._marks |= dict.fromkeys(services, len(self._events))

    def since(self, when: float) -> list[ContainerEvent]:
        """What happened after `when` (seconds since the epoch)."""
        with self._lock:
            return [event for event in self._events if event.when >= when]

    def exit_of(self, service: str) -> ContainerExit | None:
        """How the latest container of `service` ended, or None while it runs as far as is known."""
        with self._lock:
            mark = self._marks.get(service, 0)
            events = [event for event in self._events[mark:] if event.service == service]
        if mark:
            # The event of the old container's end may arrive after we have asked for the start of the new one.
            started = [number for number, event in enumerate(events) if event.action == "start"]
            events = events[started[0] :] if started else []
        return exit_in(service, events)

    def external_events(self, when: float) -> list[ContainerEvent]:
        """What others did to the stack after `when` (seconds since the epoch)."""
        return [event for event in self.since(when) if event.action in _EXTERNAL_ACTIONS]

    def _listen(self, stream: CancellableStream[Any]) -> None:
        with contextlib.suppress(Exception):  # the stream ends when it is closed, or with the engine
            for event in stream:
                if event := self._read(event):
                    with self._lock:
                        self._events.append(event)
        if self._stream is not None:
            self._disconnected.set()

    def _read(self, event: Mapping[str, Any]) -> ContainerEvent | None:
        actor = event.get("Actor") or {}
        attributes = actor.get("Attributes") or {}
        when = event.get("timeNano", 0) / 1e9
        if event.get("Type") == "network":
            service = self._names.get(attributes.get("container", ""), "")
            if not service or not attributes.get("name", "").startswith(f"{self._project}_"):
                return None
            return ContainerEvent(
                when, service, event["Action"], note=attributes["name"].removeprefix(f"{self._project}_")
            )
        if attributes.get(PROJECT) != self._project:
            return None
        self._names[actor.get("ID", "")] = attributes.get(SERVICE, "")
        code = attributes.get("exitCode")
        note = f"signal {attributes['signal']}" if attributes.get("signal") else ""
        return ContainerEvent(when, attributes.get(SERVICE, ""), event["Action"], int(code) if code else None, note)


def exit_in(service: str, events: list[ContainerEvent]) -> ContainerExit | None:
    """How `service` ended, from its events in order; None while it runs. Pure."""
    killed = oom = False
    end: ContainerExit | None = None
    for event in events:
        match event.action:
            case "start":
                killed, oom, end = False, False, None
            case "kill" if event.note != SIGHUP:
                killed = True
            case "oom":
                oom = True
            case "die":
                if killed:
                    reason = "was stopped from outside"
                elif oom:
                    reason = "ran out of memory"
                else:
                    reason = f"exited with status {event.code}"
                end = ContainerExit(service, event.code, not killed and not oom, reason)
    return end
