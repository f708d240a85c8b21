"""From `--mailu-deployment` to the files of a run, and to the release that is in use today."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from pytest_mailu.core.compose_files import compose_file_in
from pytest_mailu.core.databases import ADMIN, URI
from pytest_mailu.core.errors import MailuError, UsageError
from pytest_mailu.core.optional_services import STARTED, has_mailu_image
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import DECISIVE, SetUp, setup_of_files
from pytest_mailu.deployment.model import Deployment
from pytest_mailu.deployment.reader import (
    ENV_FILE,
    OVERRIDES_FOLDER,
    Sources,
    read_deployment,
    with_compose,
    with_settings,
)
from pytest_mailu.deployment.subject import IMAGE_NAMES

_ADD = "Add --mailu-from and the release, such as 2.0.43: docker compose exec admin cat /version"


def files_of(sources: Sources) -> Sources:
    """The files of a deployment's folder, beside those that are named one by one. Raises UsageError for no folder."""
    folder = sources.folder
    if folder is None:
        return sources
    if not folder.is_dir():
        raise UsageError(
            f"--mailu-deployment: there is no folder {folder}",
            "Name the folder with docker-compose.yml and mailu.env, usually /mailu.",
        )
    compose = sources.compose or compose_file_in(folder)
    # A compose file names its env files itself.
    env = sources.env or next((path for path in (folder / ENV_FILE,) if path.is_file() and compose is None), None)
    overrides = sources.overrides or next((path for path in (folder / OVERRIDES_FOLDER,) if path.is_dir()), None)
    return replace(sources, env=env, compose=compose, overrides=overrides)


def setup_in_use(sources: Sources, compose_new: Path | None = None, env_new: Path | None = None) -> SetUp:
    """The set-up that the files of a deployment describe. Files that cannot be read are told of elsewhere.

    `compose_new` and `env_new` are files for the new side alone; of them, the web mail counts.
    """
    try:
        deployment = read_deployment(sources)
        after = deployment if compose_new is None else with_compose(deployment, sources, compose_new)
        after = after if env_new is None else with_settings(after, env_new)
    except UsageError:
        return setup_of_files({})
    before, new = ({name: found.value(name, "front") or "" for name in DECISIVE} for found in (deployment, after))
    database = {name: deployment.value(name, "admin") or "" for name in ("DB_FLAVOR", URI[ADMIN])}
    setup = setup_of_files({**before, **database})
    return setup if new["WEBMAIL"] == before["WEBMAIL"] else replace(setup, web_mail_new=new["WEBMAIL"])


def services_in_use(sources: Sources, compose_new: Path | None = None) -> frozenset[str]:
    """The optional services with Mailu's images that a deployment's compose file has, or `compose_new` in its place."""
    try:
        deployment = read_deployment(sources)
        if compose_new is not None:
            deployment = with_compose(deployment, sources, compose_new)
    except UsageError:
        return frozenset()
    return frozenset(
        name
        for name in STARTED & deployment.services.keys()
        if has_mailu_image(name, deployment.services[name].repository)
    )


def release_in_use(sources: Sources) -> str:
    """The release that the compose file names; for a moving tag, what the engine's local images say.

    Raises UsageError, with what to add to the command, where neither tells.
    """
    deployment = read_deployment(sources)
    tags = Counter(
        service.tag
        for service in deployment.services.values()
        if service.repository.rpartition("/")[2] in IMAGE_NAMES and service.tag
    )
    if not tags:
        raise UsageError("--mailu-from is missing, and the compose file names no release of Mailu", _ADD)
    tag = tags.most_common(1)[0][0]
    try:
        release = Release.parse(tag)
    except UsageError:
        raise UsageError(f"--mailu-from is missing, and the tag {tag} is not a release of Mailu", _ADD) from None
    return str(release) if not release.moving else _local_version(deployment, release)


def _local_version(deployment: Deployment, release: Release) -> str:
    """The exact release behind a moving tag, from the labels of the local image."""
    moving = UsageError(f"--mailu-from is missing, and the tag {release} stands for many releases", _ADD)
    image = next(
        (
            str(service.image)
            for service in deployment.services.values()
            if service.repository.rpartition("/")[2] == "admin" and service.image
        ),
        "",
    )
    # Docker's SDK takes a while to import; a pinned tag does not need it.
    import docker

    try:
        labels = docker.from_env(timeout=5).images.get(image).labels
        found = Release.parse(str(labels.get("version") or labels.get("org.opencontainers.image.version")))
    except (docker.errors.DockerException, MailuError):
        raise moving from None
    if found.moving or found.series != release.series:
        raise moving
    return str(found)
