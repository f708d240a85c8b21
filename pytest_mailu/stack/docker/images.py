"""The images of a stack: pulled where necessary, and identified by digest or id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image as DockerImage

from pytest_mailu.core.errors import StackError, unwrap_single
from pytest_mailu.stack.docker.engine import Engine

Progress: TypeAlias = Callable[[str], None]
"""Called with one line of progress."""

_DESCRIPTION_LABEL = "org.opencontainers.image.description"
"""The builder's description of an image (OCI image specification, annotations)."""
_VERSION_LABELS = ("org.opencontainers.image.version", "version")


class Pull(StrEnum):
    """`--mailu-pull`."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Image:
    """One image. `digest` is empty if it never was in a registry; `healthcheck` is the image's own, as a command."""

    name: str
    id: str
    digest: str
    version: str
    healthcheck: tuple[str, ...]
    description: str = ""

    @property
    def identity(self) -> str:
        """The digest, or the id of a local image: it identifies the content."""
        return self.digest or self.id


async def ensure(
    engine: Engine, names: Iterable[str], pull: Pull, progress: Progress = lambda _: None
) -> dict[str, Image]:
    """The images by name, pulled in parallel as `pull` says. Raises StackError for the first that is not available."""
    wanted = sorted(set(names))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_ensure(engine, name, pull, progress)) for name in wanted}
    except BaseExceptionGroup as errors:
        raise unwrap_single(errors) from None
    return {name: task.result() for name, task in tasks.items()}


async def _ensure(engine: Engine, name: str, pull: Pull, progress: Progress) -> Image:
    if pull is not Pull.ALWAYS and (image := await engine.call(_local, engine, name)):
        return describe(name, image)
    if pull is Pull.NEVER:
        raise StackError(
            f"the image {name} is not on this machine, and --mailu-pull is `never`",
            f"run `docker pull {name}`, or use --mailu-pull missing",
        )
    await engine.call(_pull, engine, name, progress)
    image = await engine.call(_local, engine, name)
    if image is None:
        raise StackError(
            f"the image {name} was pulled and is missing again", "check whether another program removes images here"
        )
    return describe(name, image)


def _local(engine: Engine, name: str) -> DockerImage | None:
    try:
        return engine.client.images.get(name)
    except ImageNotFound:
        return None
    except DockerException as error:
        raise StackError(f"the Docker engine cannot describe the image {name}", "try again", (str(error),)) from error


def _pull(engine: Engine, name: str, progress: Progress) -> None:
    layers: dict[str, bool] = {}
    shown = -1
    try:
        for line in engine.client.api.pull(name, stream=True, decode=True):
            if "error" in line:
                raise explain(name, line["error"])
            shown = _show(name, line, layers, shown, progress)
    except APIError as error:
        raise explain(name, str(error.explanation or error)) from error
    except DockerException as error:
        raise explain(name, str(error)) from error
    progress(f"{name}: pulled")


def _show(name: str, line: Mapping[str, Any], layers: dict[str, bool], shown: int, progress: Progress) -> int:
    """Reports a line of progress whenever another layer is complete."""
    if layer := line.get("id"):
        status = line.get("status", "")
        layers[layer] = layers.get(layer, False) or status in ("Pull complete", "Already exists")
    done = sum(layers.values())
    if layers and done != shown:
        progress(f"pulling {name}: {done} of {len(layers)} layers")
    return done


def explain(name: str, text: str) -> StackError:
    """Why an image could not be pulled, from the engine's message."""
    low = text.lower()
    if "no space left" in low:
        cause, remedy = f"no disk space for the image {name}", "free some space (docker system df, docker system prune)"
    elif "manifest unknown" in low or "not found" in low or "manifest for" in low:
        cause, remedy = (
            f"the image {name} does not exist",
            "check the release and, if you set them, DOCKER_ORG and DOCKER_PREFIX",
        )
    elif "denied" in low or "unauthorized" in low or "authentication required" in low:
        cause, remedy = (
            f"access to the image {name} is denied",
            f"log in (docker login {name.partition('/')[0]}) or check its name",
        )
    elif "toomanyrequests" in low or "rate limit" in low:
        cause, remedy = f"the registry's rate limit stopped the pull of {name}", "log in (docker login) or wait"
    else:
        cause = f"the registry for {name} cannot be reached"
        remedy = (
            "check the network and the proxy of the engine; if the images are on this machine, use --mailu-pull never"
        )
    return StackError(cause, remedy, (text.strip(),))


def describe(name: str, image: DockerImage) -> Image:
    """What the engine knows of an image."""
    attributes = image.attrs
    config = attributes.get("Config") or {}
    labels = config.get("Labels") or {}
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    digests = [digest for digest in attributes.get("RepoDigests") or [] if digest.partition("@")[0] == repository]
    return Image(
        name=name,
        id=attributes["Id"],
        digest=digests[0] if digests else "",
        version=next((labels[label] for label in _VERSION_LABELS if labels.get(label)), ""),
        healthcheck=health_command((config.get("Healthcheck") or {}).get("Test") or []),
        description=str(labels.get(_DESCRIPTION_LABEL, "")),
    )


def provenance(used: Iterable[Image]) -> str:
    """Where the images of a stack come from; where they never saw a registry, with what they say of themselves."""
    local = [image for image in used if not image.digest]
    if not local:
        return "images from the registry"
    descriptions = dict.fromkeys(image.description for image in local if image.description)
    return "; ".join(["images that exist on this machine only", *descriptions])


def health_command(test: list[str]) -> tuple[str, ...]:
    """A health check as argument vector (Docker's Dockerfile reference, HEALTHCHECK); empty where there is none."""
    match test:
        case ["CMD-SHELL", command]:
            return ("/bin/sh", "-c", command)
        case ["CMD", *command]:
            return tuple(command)
    return ()
