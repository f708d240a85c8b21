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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.optional_services import OPTIONAL_SERVICES, WEBMAIL
from pytest_mailu.core.releases import CORE_SERVICES, IMAGES, Release
from pytest_mailu.core.secrets import secrets_in, secrets_in_text, without_secrets_in_command
from pytest_mailu.stack.compose.command import CONFIGURED, Compose, Model
from pytest_mailu.stack.compose.quotes import without_values
from pytest_mailu.stack.compose.seal import sealed_defaults
from pytest_mailu.stack.compose.user_folder import read_tree
from pytest_mailu.stack.docker.isolation import SURROUNDINGS
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
_WEB_MAILS = OPTIONAL_SERVICES[WEBMAIL].images
_MAILU_IMAGES = frozenset(
    (*IMAGES.values(), *_WEB_MAILS, "unbound", "fetchmail", "radicale", "oletools", "clamav", "traefik-certdumper")
)
_RESERVED_TARGETS = ("/certs", "/dkim")
"""Folders of the test stack's own files: nothing of the user's is copied there."""


@dataclass(frozen=True, slots=True)
class UserCompose:
    """A user's compose file, ready for `StackPlan`. `environment` is what the user's mailu.env says in it.

    `secrets` are the values in it that must not be shown. `aliases` are other names under which services find each
    other, and the service of each; `sources` the folders of the user that became volumes, by the name of the volume.
    """

    core: Model
    environment: Mapping[str, str]
    configured: tuple[str, ...] = CONFIGURED
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


async def read_user_compose(
    path: Path, release: Release, compose: Compose, meant_for: Path | None = None
) -> UserCompose:
    """Reads `path` by compose, for one side. `meant_for` is the file whose place it is going to take.

    Raises UsageError where that fails or a core service is missing.
    """
    answer = await compose.config(path, {"MAILU_VERSION": release.tag})
    if answer.code:
        raise UsageError(
            f"docker compose cannot read {path}",
            "try it yourself: docker compose -f FILE config",
            await asyncio.to_thread(without_values, path, answer.errors),
        )
    try:
        return await _taken_over(json.loads(answer.output), release, path, meant_for)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"docker compose reads {path}, but its answer is no compose file in JSON, or too long",
            "simplify it; see the answer with: docker compose -f FILE config --format json",
        ) from error


async def _taken_over(model: Model, release: Release, path: Path, meant_for: Path | None) -> UserCompose:
    """What is used of a compose file. Raises what Python raises where the model is none."""
    core, binds = transform(model, release, path, meant_for)
    shared = {name: value.replace("$$", "$") for name, value in _environment(model["services"]["admin"]).items()}
    configured = tuple(n for n, s in model["services"].items() if n in CONFIGURED or "SUBNET" in _environment(s))
    made = _made_by_the_engine(model["services"])
    files = {
        name: read for name, mounts in binds.items() if (read := await asyncio.to_thread(_read, name, mounts, made))
    }
    secrets = _secrets(model["services"], files)
    present = tuple(name for name in configured if name in core["services"])
    aliases, sources = _aliases(model["services"]), folders_of(model, path, meant_for)
    return UserCompose(core, shared, present, files, secrets, aliases, sources)


def folders_of(model: Model, path: Path, meant_for: Path | None = None) -> dict[str, str]:
    """The folders of the user that become volumes: name of the volume → folder. Pure."""
    moved = _folder(path), _folder(meant_for or path)
    mounts = [mount for service in model["services"].values() for mount in service.get("volumes") or []]
    return {
        _new_volume(mount, {}, *moved): str(mount["source"])
        for mount in mounts
        if mount.get("type") == "bind" and _gets_new_volume(mount)
    }


def _aliases(services: Mapping[str, Any]) -> dict[str, str]:
    """Other names of services in the engine's DNS: container_name, hostname, and aliases in networks."""
    found: dict[str, str] = {}
    for service, settings in services.items():
        names = [settings.get("container_name"), settings.get("hostname")]
        for network in (settings.get("networks") or {}).values():
            names += (network or {}).get("aliases") or []
        found |= {name: service for name in names if isinstance(name, str) and name not in services}
    return found


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


def transform(
    model: Model, release: Release, path: Path, meant_for: Path | None = None
) -> tuple[Model, dict[str, dict[str, str]]]:
    """The user's model without what leads out, and its read-only mounts: service → target → source. Pure.

    Data is named as it is from the folder of `meant_for`: an upgrade in place finds that of the old side again.
    """
    services: Mapping[str, Mapping[str, Any]] = model.get("services") or {}
    if missing := [name for name in CORE_SERVICES if name not in services]:
        raise UsageError(
            f"{path} has no service {', '.join(missing)}",
            f"services must have Mailu's own names: {', '.join(CORE_SERVICES)}",
        )
    if taken := [name for name in SURROUNDINGS if name in services]:
        raise UsageError(
            f"{path} has a service called `{taken[0]}`, which is the name of the sealed surroundings of a test stack",
            "give your service another name",
        )
    shared = _environment(services["admin"])
    kept: dict[str, Any] = {}
    binds: dict[str, dict[str, str]] = {}
    volumes: dict[str, dict[str, Any]] = {}
    moved = _folder(path), _folder(meant_for or path)
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
        mine["image"] = image_for(service["image"], release, shared.get("WEBMAIL", ""))
        mine["environment"] = {
            key: without_credential(key, value) or value
            for key, value in _environment(service).items()
            if not reason_to_drop(key) and (name not in CONFIGURED or shared.get(key) != value)
        }
        mounts = service.get("volumes") or []
        binds[name] = {m["target"]: m["source"] for m in mounts if _is_copied(m)}
        mine["volumes"] = [f"{_new_volume(m, volumes, *moved)}:{m['target']}" for m in mounts if _gets_new_volume(m)]
        kept[name] = mine if name in CORE_SERVICES else {**mine, **sealed_defaults(mine)}
    return {"services": kept, "volumes": volumes}, binds


def image_for(image: str, release: Release, web_mail: str = "") -> str:
    """The image in `release` that takes the place of one of Mailu's; other images stay as they are.

    It has the same name, but for what another series names otherwise (setup/flavors/compose/docker-compose.yml): web
    mail, whose kind is `web_mail`, and the antivirus, for which 2024.06 has somebody else's image. The settings check
    says what to write (`compose/SERVICE/image`).
    """
    reference = image.partition("@")[0]
    head, slash, last = reference.rpartition("/")
    name, _, _ = last.partition(":")
    plain = name.rpartition("-")[2] if head in _OFFICIAL else name
    if not slash or plain not in _MAILU_IMAGES:
        return image
    if plain == "clamav" and not release.has_own_antivirus:
        return release.antivirus_image({})
    if plain in _WEB_MAILS:
        kind = plain if plain != IMAGES[WEBMAIL] else web_mail or "roundcube"
        name = f"{name.removesuffix(plain)}{release.web_mail_image(kind)}"
    home = release.registry if head in _OFFICIAL else head
    return f"{home}/{name}:{release.tag}"


def _environment(service: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in (service.get("environment") or {}).items()}


def _is_reserved(target: str) -> bool:
    return any(PurePosixPath(target).is_relative_to(place) for place in _RESERVED_TARGETS)


def _is_copied(mount: Mapping[str, Any]) -> bool:
    return mount.get("type") == "bind" and bool(mount.get("read_only")) and not _is_reserved(mount["target"])


def _gets_new_volume(mount: Mapping[str, Any]) -> bool:
    return mount.get("type") in ("bind", "volume") and not _is_copied(mount) and not mount["target"].endswith(".sock")


def _new_volume(mount: Mapping[str, Any], volumes: dict[str, dict[str, Any]], here: Path, there: Path) -> str:
    """A new volume for a folder or volume of the user: the same one wherever the same source is mounted.

    A folder below `here` counts as the one below `there`.
    """
    source = mount.get("source") or mount["target"]
    if here != there and mount.get("type") == "bind" and PurePosixPath(source).is_relative_to(here):
        source = str(there / PurePosixPath(source).relative_to(here))
    characters = (c if c.isascii() and c.isalnum() else "-" for c in PurePosixPath(source).name.lower())
    stem = "".join(characters).strip("-")[:40] or "data"
    name = f"{stem}-{hashlib.sha256(source.encode(errors='surrogatepass')).hexdigest()[:8]}"
    volumes[name] = {}
    return name


def _folder(file: Path) -> Path:
    return Path(os.path.normpath(file.absolute().parent))


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
