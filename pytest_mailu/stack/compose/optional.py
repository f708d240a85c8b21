"""The optional services of a stack: added to a compose model, or taken out of it."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import Any

from pytest_mailu.core.optional_services import ANTIVIRUS, FETCHMAIL, OPTIONAL_SERVICES, STARTED, WEBMAIL, offered
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.antivirus import of_mailu, started_offline
from pytest_mailu.stack.compose.command import Model, merge, template
from pytest_mailu.stack.compose.seal import sealed_defaults

_READ_SETTINGS = (WEBMAIL, FETCHMAIL)
"""Those with `env_file:` in every series; radicale has it in 1.9 only, and reads nothing of it."""


def with_services(core: Model, release: Release, added: Collection[str], removed: Collection[str] = ()) -> Model:
    """`core` with the optional services `added` as compose/services.yml has them, and without `removed`.

    What a release does not have is not added. The partner of each joins its network, in which they are alone since 2.0;
    the antivirus has one of its own since 2024.06. An antivirus, also one of `core`, starts without the internet. Reads
    that file only.
    """
    model: Model = deepcopy(core)
    for name in removed:
        model["services"].pop(name, None)
    given = template("services")
    for name in sorted(offered(STARTED & set(added) - set(model["services"]), release)):
        service = of_mailu(given["services"][name], release) if name == ANTIVIRUS else given["services"][name]
        networks = _networks(service, release)
        entry: dict[str, Any] = {**service, **sealed_defaults(service), "networks": networks}
        mounts = service.get("volumes", ())
        volumes: Model = {source: {} for source, _, _ in (mount.partition(":") for mount in mounts)}
        addition: Model = {"services": {name: entry}, "volumes": volumes}
        for network in networks.keys() - {"default"}:
            addition["services"][OPTIONAL_SERVICES[name].partner] = {"networks": {network: {}}}
            addition["networks"] = {network: given["networks"][network]}
        model = merge(model, addition)
    if ANTIVIRUS in model["services"]:
        model = merge(model, started_offline(model["services"][ANTIVIRUS], release))
    return model


def _networks(service: Model, release: Release) -> dict[str, Any]:
    """The networks of an optional service: each with what the service is there."""
    if not release.keeps_services_apart:
        return {"default": {}}
    networks = service["networks"]
    return dict(networks) if isinstance(networks, dict) else {network: {} for network in networks}


def configured_among(services: Collection[str], release: Release) -> tuple[str, ...]:
    """Those of these services that read mailu.env."""
    read = (*_READ_SETTINGS, ANTIVIRUS) if release.has_own_antivirus else _READ_SETTINGS
    return tuple(name for name in read if name in services)
