"""The files that are copied into each container before it starts. Nothing is mounted from the host.

The engine may run on another machine, and a stack must not be able to change the user's files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pytest_mailu.core import population
from pytest_mailu.core.model import Vantage
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.stack import rspamd_state
from pytest_mailu.stack.compose.user_folder import read_tree
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.world.certificates import certificate
from pytest_mailu.stack.world.plan import FOLDER, make_plan
from pytest_mailu.stack.world.zipapp import build_zipapp

_OVERRIDES: Mapping[str, str] = MappingProxyType(
    {"front": "nginx", "imap": "dovecot", "smtp": "postfix", "antispam": "rspamd"}
)
"""Service → its folder in the user's `overrides`, as Mailu's own compose file mounts them."""


def files_for(service: str, release: Release, layout: Layout, overrides: Path | None, token: str) -> dict[str, bytes]:
    """Absolute path in the container → content. Blocking.

    `overrides` is the folder given to `--mailu-overrides`, `token` the password of the world's SOCKS proxy.
    """
    files: dict[str, bytes] = {}
    match service:
        case "world":
            places = {vantage: layout.segment(vantage) for vantage in Vantage}
            services = {name: str(layout.service(name)) for name in CORE_SERVICES}
            plan = make_plan(places, services=services, token=token)
            files |= {f"{FOLDER}/world.pyz": build_zipapp(), f"{FOLDER}/plan.json": json.dumps(plan).encode()}
        case "front":
            own = certificate(population.HOSTNAME)
            files |= {"/certs/cert.pem": own.certificate.encode(), "/certs/key.pem": own.key.encode()}
        case "antispam" if release.stops_spoofing_in_rspamd:
            files |= rspamd_state.cached_domain_list((population.DOMAIN, population.ALTERNATIVE))
    if overrides is not None and service in _OVERRIDES:
        files |= _overrides(overrides / _OVERRIDES[service], override_folder(service, release))
    return files


def override_folder(service: str, release: Release) -> str:
    """Where a service looks for overrides (setup/flavors/compose/docker-compose.yml; for Rspamd, 1.9 had another)."""
    return "/etc/rspamd/override.d" if service == "antispam" and not release.since("2.0") else "/overrides"


def _overrides(folder: Path, target: str) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {f"{target}/{path}": content for path, content in read_tree(folder, "in --mailu-overrides").items()}
