"""`--mailu-compose`: the user's own compose file, made part of the sealed world.

Used are images, commands, environment and the services beside Mailu's core. Dropped is everything that leads out of the
stack: networks, published ports, names, labels, devices, and the user's data: each folder and volume becomes a new
volume. Files that are mounted read-only (overrides) are copied in.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import CORE_SERVICES, IMAGES, Release
from pytest_mailu.core.secrets import MASK, Redactor, secrets_in, secrets_in_text, without_secrets_in_command
from pytest_mailu.stack.compose.command import CONFIGURED, Compose, Model, template
from pytest_mailu.stack.compose.user_folder import read_tree
from pytest_mailu.stack.docker.isolation import WORLD
from pytest_mailu.stack.settings.environment import REPLACED, reason_to_drop, without_credential

_DROPPED_SERVICES = ("resolver",)
"""The world is the resolver."""
_ALLOWED_KEYS = frozenset(
    (
        *("image", "command", "entrypoint", "hostname", "user", "working_dir", "tmpfs", "ulimits"),
        *("read_only", "shm_size", "init", "platform", "cap_drop", "stop_signal", "mem_limit", "cpus"),
    )
)
"""What is used of a service; everything else is dropped, known or not."""
_OFFICIAL = ("ghcr.io/mailu", "mailu", "docker.io/mailu")
_MAILU_IMAGES = frozenset(
    (*IMAGES.values(), "unbound", "fetchmail", "radicale", "oletools", "clamav", "traefik-certdumper")
)
_RESERVED_TARGETS = ("/certs", "/dkim")
"""Folders of the test stack's own files: nothing of the user's is copied there."""
_MEMORY = 4 << 30
"""Bytes of memory that a service of the user's own may have at most."""


@dataclass(frozen=True, slots=True)
class UserCompose:
    """A user's compose file, ready for `StackPlan`. `environment` is what the user's mailu.env says in it.

    `secrets` are the values in it that must not be shown.
    """

    core: Model
    environment: Mapping[str, str]
    configured: tuple[str, ...] = CONFIGURED
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


async def read_user_compose(path: Path, release: Release, compose: Compose) -> UserCompose:
    """Reads `path` by compose, for one side. Raises UsageError where that fails or a core service is missing."""
    answer = await compose.config(path, {"MAILU_VERSION": release.tag})
    if answer.code:
        raise UsageError(
            f"docker compose cannot read {path}",
            "try it yourself: docker compose -f FILE config",
            await _redacted(path, answer.errors),
        )
    try:
        model = json.loads(answer.output)
    except (ValueError, RecursionError):
        raise UsageError(
            f"docker compose reads {path}, but its answer is not JSON, or too long", "simplify it"
        ) from None
    core, binds = transform(model, release, path)
    shared = {name: value.replace("$$", "$") for name, value in _environment(model["services"]["admin"]).items()}
    configured = tuple(n for n, s in model["services"].items() if n in CONFIGURED or "SUBNET" in _environment(s))
    made = _made_by_the_engine(model["services"])
    files = {
        name: read for name, mounts in binds.items() if (read := await asyncio.to_thread(_read, name, mounts, made))
    }
    secrets = _secrets(model["services"], files)
    return UserCompose(core, shared, tuple(n for n in configured if n in core["services"]), files, secrets)


_PARSED = 200_000
"""Bytes of a compose file that is looked through for values which compose may quote."""
_QUOTED = re.compile(r"""(["`'])[^"`'\n]{6,}\1""")


async def _redacted(path: Path, errors: str) -> tuple[str, ...]:
    """What compose says, without what it quotes from the file: that may be a value."""
    try:
        content = (await asyncio.to_thread(read_tree, path, "given to --mailu-compose")).get("", b"")
    except UsageError:
        return ()  # then there is nothing to go by, and nothing is shown
    if len(content) > _PARSED:
        return ()
    text = content.decode(errors="replace")
    secrets = secrets_in_text(text) | await asyncio.to_thread(_environment_values, text)
    said = _QUOTED.sub(rf"\1{MASK}\1", Redactor(secrets).text(errors))
    return tuple(line[:500] for line in said.splitlines() if line.strip())[-8:]


def _environment_values(text: str) -> frozenset[str]:
    """The values of environments in a compose file that compose itself cannot read."""
    try:
        services = yaml.safe_load(text)["services"].values()
        found = [service.get("environment") for service in services]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, RecursionError, ValueError):
        return frozenset()  # what is no YAML is quoted by line number only
    settings: dict[str, str] = {}
    for environment in found:
        if isinstance(environment, dict):
            settings |= {str(name): str(value) for name, value in environment.items()}
        elif isinstance(environment, list):
            settings |= {str(entry).partition("=")[0]: str(entry).partition("=")[2] for entry in environment}
    return secrets_in(settings)


def _secrets(services: Mapping[str, Any], files: Mapping[str, Mapping[str, bytes]]) -> frozenset[str]:
    found: set[str] = set()
    for service in services.values():
        found |= secrets_in({name: value.replace("$$", "$") for name, value in _environment(service).items()})
        found |= secrets_in_text(_command_line(service))
    for content in (content for those in files.values() for content in those.values()):
        found |= secrets_in_text(content.decode(errors="replace"))
    return frozenset(found)


def _command_line(service: Mapping[str, Any]) -> str:
    words = [service.get("entrypoint") or [], service.get("command") or []]
    return " ".join(part if isinstance(part, str) else " ".join(map(str, part)) for part in words)


def _without_credentials(command: Any) -> Any:
    """A command of the user's file with other passwords; the words of a list may belong together."""
    if isinstance(command, str):
        return without_secrets_in_command(command, REPLACED)
    if not isinstance(command, list):
        return command
    line = without_secrets_in_command("\0".join(map(str, command)).replace("\0", " \0"), REPLACED)
    return [word.removesuffix(" ") for word in line.split("\0")]


def transform(model: Model, release: Release, path: Path) -> tuple[Model, dict[str, dict[str, str]]]:
    """The user's model without what leads out, and its read-only mounts: service → target → source. Pure."""
    services: Mapping[str, Mapping[str, Any]] = model.get("services") or {}
    if missing := [name for name in CORE_SERVICES if name not in services]:
        raise UsageError(
            f"{path} has no service {', '.join(missing)}",
            f"services must have Mailu's own names: {', '.join(CORE_SERVICES)}",
        )
    if WORLD in services:
        raise UsageError(
            f"{path} has a service called `{WORLD}`, which is the name of the sealed surroundings of a test stack",
            "give your service another name",
        )
    shared = _environment(services["admin"])
    kept: dict[str, Any] = {}
    binds: dict[str, dict[str, str]] = {}
    volumes: dict[str, dict[str, Any]] = {}
    for name, service in services.items():
        if name in _DROPPED_SERVICES:
            continue
        if "image" not in service:
            raise UsageError(
                f"the service {name} of {path} is built, not pulled", "build it first and name the result with `image:`"
            )
        mine = {key: value for key, value in service.items() if key in _ALLOWED_KEYS and value is not None}
        for key in ("command", "entrypoint"):
            if key in mine:
                mine[key] = _without_credentials(mine[key])
        mine["image"] = image_for(service["image"], release)
        mine["environment"] = {
            key: without_credential(key, value) or value
            for key, value in _environment(service).items()
            if not reason_to_drop(key) and (name not in CONFIGURED or shared.get(key) != value)
        }
        mounts = service.get("volumes") or []
        binds[name] = {m["target"]: m["source"] for m in mounts if _is_copied(m)}
        mine["volumes"] = [f"{_new_volume(m, volumes)}:{m['target']}" for m in mounts if _gets_new_volume(m)]
        kept[name] = mine if name in CORE_SERVICES else {**mine, **_sealed_defaults(mine)}
    return {"services": kept, "volumes": volumes}, binds


def image_for(image: str, release: Release) -> str:
    """The image of the same name in `release`, if it is one of Mailu's; other images stay as they are."""
    reference = image.partition("@")[0]
    head, slash, last = reference.rpartition("/")
    name, _, _ = last.partition(":")
    plain = name.rpartition("-")[2] if head in _OFFICIAL else name
    if not slash or plain not in _MAILU_IMAGES:
        return image
    home = release.registry if head in _OFFICIAL else head
    return f"{home}/{name}:{release.tag}"


def _sealed_defaults(service: Mapping[str, Any]) -> dict[str, Any]:
    """For one of the user's own services: what world.yml has for the core services."""
    sealed = template("world")["x-sealed"]
    return {
        "cap_drop": sorted({*service.get("cap_drop", ()), *sealed["cap_drop"]}),
        "pids_limit": sealed["pids_limit"],
        "mem_limit": str(min(int(service.get("mem_limit") or _MEMORY), _MEMORY)),
        "networks": {"default": {}},
        "dns": ["${MAILU_WORLD}"],
        "dns_search": ["."],
        "restart": "no",
        "logging": sealed["logging"],
        "healthcheck": {"disable": True},
    }


def _environment(service: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in (service.get("environment") or {}).items()}


def _is_reserved(target: str) -> bool:
    return any(PurePosixPath(target).is_relative_to(place) for place in _RESERVED_TARGETS)


def _is_copied(mount: Mapping[str, Any]) -> bool:
    return mount.get("type") == "bind" and bool(mount.get("read_only")) and not _is_reserved(mount["target"])


def _gets_new_volume(mount: Mapping[str, Any]) -> bool:
    return mount.get("type") in ("bind", "volume") and not _is_copied(mount) and not mount["target"].endswith(".sock")


def _new_volume(mount: Mapping[str, Any], volumes: dict[str, dict[str, Any]]) -> str:
    """A new volume for a folder or volume of the user: the same one wherever the same source is mounted."""
    source = mount.get("source") or mount["target"]
    characters = (c if c.isascii() and c.isalnum() else "-" for c in PurePosixPath(source).name.lower())
    stem = "".join(characters).strip("-")[:40] or "data"
    name = f"{stem}-{hashlib.sha256(source.encode(errors='surrogatepass')).hexdigest()[:8]}"
    volumes[name] = {}
    return name


def _made_by_the_engine(services: Mapping[str, Any]) -> frozenset[str]:
    """The folders that the engine makes, empty, where they are missing: those of mounts in the short syntax."""
    mounts = [mount for service in services.values() for mount in service.get("volumes") or []]
    return frozenset(m["source"] for m in mounts if (m.get("bind") or {}).get("create_host_path") and "source" in m)


def _read(service: str, mounts: Mapping[str, str], made: frozenset[str] = frozenset()) -> dict[str, bytes]:
    """The files under read-only mounts: path in the container → content. Blocking.

    A folder of `made` that is missing has no files. Any other missing one raises UsageError.
    """
    files: dict[str, bytes] = {}
    for target, source in mounts.items():
        if source in made and not os.path.lexists(source):
            continue
        read = read_tree(Path(source), f"mounted read-only in {service}")
        files |= {f"{target.rstrip('/')}/{path}" if path else target: content for path, content in read.items()}
    return files
