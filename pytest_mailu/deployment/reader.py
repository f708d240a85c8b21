"""From a folder to a `Deployment`: finds the files as Compose finds them, and reads nothing but them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_mailu.core.compose_files import compose_file_in, together
from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.compose_file import read_compose
from pytest_mailu.deployment.env_file import Assignment, read_assignments
from pytest_mailu.deployment.files import Folder, Text
from pytest_mailu.deployment.model import Deployment, Given, Place, Service, Setting
from pytest_mailu.deployment.services import name_of, networks_of, services_of, volumes_of

ENV_FILE = "mailu.env"
OVERRIDES_FOLDER = "overrides"
OUTSIDE_FOLDER = "outside"
_SETTINGS_OF = ("admin", "front", "smtp", "imap", "antispam")
"""Services whose env files hold Mailu's settings, the first that has any."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the files are. What is None is looked for in `folder`."""

    folder: Path | None = None
    env: Path | None = None
    compose: Path | None = None
    overrides: Path | None = None

    @property
    def given(self) -> bool:
        """Whether there is anything to read."""
        return any((self.folder, self.env, self.compose, self.overrides))

    def absolute(self) -> Sources:
        """The same with absolute paths."""
        paths = (self.folder, self.env, self.compose, self.overrides)
        return Sources(*(None if path is None else path.absolute() for path in paths))


def read_deployment(sources: Sources, seen_from: Path | None = None) -> Deployment:
    """Everything there is to know of a deployment. Places name its files as seen from its folder, or from `seen_from`.

    Raises UsageError in one line, with file and line, for what is missing, broken, too large or outside the folder.
    """
    sources = sources.absolute()
    if sources.folder is not None and not sources.folder.is_dir():
        raise UsageError(
            f"--mailu-deployment: there is no folder {sources.folder}",
            "Name the folder with docker-compose.yml and mailu.env, usually /mailu.",
        )
    compose = sources.compose or compose_file_in(sources.folder)
    paths = together(compose) if compose is not None else []
    root = sources.folder or (sources.compose or sources.env or sources.overrides or Path()).parent
    folder = Folder(root, seen_from)
    variables: dict[str, Setting] = {}
    services: dict[str, Service] = {}
    deployment = Deployment(folder.root)
    if paths:
        base = Folder(paths[0].parent, seen_from)
        dot_env = base.read(Path(".env")) if base.exists(Path(".env")) else None
        variables = _settings(((dot_env, read_assignments(dot_env)),)) if dot_env else {}
        composed = read_compose(
            base, [Path(path.name) for path in paths], {name: made.value for name, made in variables.items()}
        )
        services = services_of(composed.tree, composed.written)
        if not services:
            raise UsageError(f"{paths[0].name} has no services", "Name Mailu's compose file with --mailu-compose.")
        deployment = Deployment(
            folder.root,
            variables=variables,
            dot_env=dot_env,
            services=services,
            networks=networks_of(composed.tree),
            volumes=volumes_of(composed.tree),
            unset=composed.unset,
            version_key=composed.tree.places.get("version"),
            name_key=name_of(composed.tree),
            compose_files=tuple(composed.files),
        )
        folder = base if sources.folder is None else folder
    env_files = _env_files(sources, folder, paths[0].parent if paths else folder.root, services)
    read = [(text, read_assignments(text, _lookup(variables))) for text in env_files]
    if not read and not services:
        raise UsageError(
            f"{folder.root} has neither a compose file nor {ENV_FILE}",
            "Name the files with --mailu-compose and --mailu-env.",
        )
    return Deployment(
        root=folder.root,
        settings=_with_environment(_settings(read), services),
        variables=deployment.variables,
        dot_env=deployment.dot_env,
        services=services,
        networks=deployment.networks,
        volumes=deployment.volumes,
        overrides=_overrides(sources, folder),
        unset=deployment.unset,
        version_key=deployment.version_key,
        name_key=deployment.name_key,
        env_files=tuple(env_files),
        compose_files=deployment.compose_files,
        outside=_below(folder, Path(OUTSIDE_FOLDER)) if folder.exists(Path(OUTSIDE_FOLDER)) else {},
    )


def with_settings(deployment: Deployment, path: Path) -> Deployment:
    """The deployment with the settings of another env file laid over its own (`--mailu-env-new`)."""
    text = Folder(path.parent).read(Path(path.name))
    more = _settings(((text, read_assignments(text)),))
    return replace(deployment, settings={**deployment.settings, **more})


def with_compose(deployment: Deployment, sources: Sources, path: Path) -> Deployment:
    """The deployment as another compose file describes it, which lies beside it or elsewhere (`--mailu-compose-new`).

    Files that it names (`.env`, env files) are read from its own folder, as Compose does. Data counts from the folder
    of the first file, whose place it is going to take. What `sources` name one by one is for both.
    """
    home = Path(os.path.realpath(path.absolute().parent))
    folder = deployment.root if home.is_relative_to(deployment.root) else None
    found = read_deployment(replace(sources, folder=folder, compose=path), deployment.root)
    return replace(found, root=deployment.root, outside=found.outside or deployment.outside)


def _env_files(sources: Sources, folder: Folder, base: Path, services: Mapping[str, Service]) -> list[Text]:
    if sources.env is not None:
        return [Folder(sources.env.parent).read(Path(sources.env.name))]
    readers = (services[name].env_files for name in _SETTINGS_OF if name in services)
    named = next(filter(None, readers), ())
    if named:
        wanted = [(base / file.path, file) for file in named]
        return [folder.read(path, str(file.place)) for path, file in wanted if file.required or folder.exists(path)]
    return [folder.read(Path(ENV_FILE))] if folder.exists(Path(ENV_FILE)) else []


def _lookup(variables: Mapping[str, Setting]) -> Callable[[str], str | None]:
    return lambda name: variables[name].value if name in variables else None


def _settings(files: Iterable[tuple[Text, tuple[Assignment, ...]]]) -> dict[str, Setting]:
    """The settings in force, each with the places where it was set before."""
    found: dict[str, Setting] = {}
    for text, assignments in files:
        for made in assignments:
            if made.value is None:
                continue
            before = found.get(made.name)
            earlier = (*before.earlier, Given(before.value, before.place)) if before else ()
            found[made.name] = Setting(
                made.name, made.value, Place(text.shown, made.line), made.raw, made.quote, earlier, made.last
            )
    return found


def _with_environment(settings: dict[str, Setting], services: Mapping[str, Service]) -> dict[str, Setting]:
    """The settings, with those that stand in `environment:` of Mailu's services and in no env file."""
    found = dict(settings)
    for name in _SETTINGS_OF:
        for key, given in services[name].environment.items() if name in services else ():
            found.setdefault(key, Setting(key, given.value, given.place, given.value))
    return found


def _overrides(sources: Sources, folder: Folder) -> dict[str, Text]:
    if sources.overrides is not None:
        if not sources.overrides.is_dir():
            raise UsageError(
                f"--mailu-overrides: there is no folder {sources.overrides}",
                "Name the folder that Mailu mounts, with nginx/, postfix/, dovecot/ or rspamd/ in it.",
            )
        real = sources.overrides.resolve()
        if real.is_relative_to(folder.root):
            return _below(folder, real.relative_to(folder.root))
        return _below(Folder(sources.overrides), Path())
    return _below(folder, Path(OVERRIDES_FOLDER)) if folder.exists(Path(OVERRIDES_FOLDER)) else {}


def _below(folder: Folder, path: Path) -> dict[str, Text]:
    """The text files below a folder; pictures and the like are left out."""
    return dict(_texts(folder, path))


def _texts(folder: Folder, path: Path) -> Iterator[tuple[str, Text]]:
    start = Path(folder.root / path).resolve()
    for file in folder.files(path):
        if file.suffix.lower() not in _PICTURES:
            yield str(file.relative_to(start)), folder.read(file.relative_to(folder.root))


_PICTURES = frozenset((".png", ".jpg", ".jpeg", ".gif", ".ico", ".svg", ".webp", ".woff", ".woff2", ".gz", ".zip"))
"""What overrides of web mail and nginx hold besides configuration."""
