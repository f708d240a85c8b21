"""The files that are copied into each container before it starts. Nothing is mounted from the host.

The engine may run on another machine, and a stack must not be able to change the user's files.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from pytest_mailu.core import population
from pytest_mailu.core.file_content import Content
from pytest_mailu.core.optional_services import FETCHMAIL
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.core.setups import Feature, flavour_named
from pytest_mailu.stack import rspamd_state
from pytest_mailu.stack.compose.user_folder import read_tree
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.world import acme, certbot
from pytest_mailu.stack.world.certificates import authority, certificate
from pytest_mailu.stack.world.plan import FOLDER, make_plan
from pytest_mailu.stack.world.zipapp import build_zipapp

_OVERRIDES: Mapping[str, str] = MappingProxyType(
    {"front": "nginx", "imap": "dovecot", "smtp": "postfix", "antispam": "rspamd"}
)
"""Service → its folder in the user's `overrides`, as Mailu's own compose file mounts them."""


def files_for(
    service: str,
    release: Release,
    layout: Layout,
    overrides: Path | None,
    token: str,
    *,
    flavour: str = "cert",
    databases: Collection[str] = (),
) -> dict[str, Content]:
    """Absolute path in the container → content. Blocking.

    `overrides` is the folder given to `--mailu-overrides`, `token` the password of the world's SOCKS proxy, `flavour`
    what TLS_FLAVOR says. `databases` are services that are reached beside the core ones, by the engine's DNS.
    """
    files: dict[str, Content] = {}
    match service:
        case "world":
            segments = {vantage: layout.segment(vantage) for vantage in layout.vantages}
            core = {name: str(layout.service(name)) for name in CORE_SERVICES}
            services = {**dict.fromkeys(databases), **core}
            plan = make_plan(segments, services=services, token=token, balancer=layout.balanced_at)
            files |= {f"{FOLDER}/world.pyz": build_zipapp(), f"{FOLDER}/plan.json": json.dumps(plan).encode()}
        case "front":
            own = certificate(population.HOSTNAME)
            files |= {"/certs/cert.pem": own.certificate.encode(), "/certs/key.pem": own.key.encode()}
            if Feature.CERTBOT in flavour_named(flavour).features:
                for name in certbot.LINEAGES:
                    files |= certbot.files(name, certbot.own(name, population.HOSTNAME))
        case service if service in ("smtp", FETCHMAIL):
            # fetchmail wants a valid certificate, and so does Postfix from next hops with an MTA-STS policy, which is
            # fetched by HTTPS. Both trust the authorities in this folder (optional/fetchmail/fetchmail.py, --sslcertck
            # --sslcertpath; core/postfix/conf/main.cf, smtp_tls_CApath; 1.9 to master).
            files |= {f"/etc/ssl/certs/{authority().file_name}": authority().pem.encode()}
        case service if service in acme.SERVICES:
            files |= acme.files(service)
        case "antispam" if release.stops_spoofing_in_rspamd:
            domains = (population.DOMAIN, population.ALTERNATIVE)
            files |= rspamd_state.cached_domain_list(domains, release.admin_port)
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
