"""The compose file of every release's set-up page, rendered with all choices, as the tables of `compose.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import yaml
from catalogue_settings import COMPOSE, periods
from mailu_sources import Repository

from pytest_mailu.core.releases import Release

PROFILES: Mapping[str, Mapping[str, str]] = {
    "resolver": {"resolver_enabled": "true", "dns": "RESOLVER"},
    "antivirus": {"antivirus_enabled": "clamav"},
    "oletools": {"oletools_enabled": "true"},
    "tika": {"tika_enabled": "true"},
    "webdav": {"webdav_enabled": "radicale"},
    "fetchmail": {"fetchmail_enabled": "true"},
    "webmail": {"webmail_type": "{WEBMAIL}"},
}
"""A choice of the set-up page → the variables of the template that it sets."""
ROOT = "{ROOT}"
WITHOUT = {"webmail_type": "none"}
COMMON = {"root": ROOT, "bind4": "ADDRESS", "subnet": "SUBNET", "version": "VERSION", "admin_enabled": "true"}
VERSION_TAG = "${MAILU_VERSION:-VERSION}"

Row = dict[str, object]
Key = tuple[str, ...]


def render(text: str, profiles: Sequence[str]) -> dict[str, Any]:
    """The compose file with some choices, as data."""
    environment = jinja2.Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 not HTML
    variables = COMMON | WITHOUT
    for profile in profiles:
        variables |= PROFILES[profile]
    rendered: dict[str, Any] = yaml.safe_load(environment.from_string(text).render(variables))
    return rendered


def rows(text: str) -> dict[str, dict[Key, Row]]:
    """The facts of one compose template: table → key → what holds."""
    whole = render(text, list(PROFILES))
    without = {profile: render(text, [other for other in PROFILES if other != profile]) for profile in PROFILES}
    found: dict[str, dict[Key, Row]] = {
        name: {} for name in ("service", "mount", "published_port", "network", "compose_fact")
    }

    def profile_of(section: str, name: str) -> Row:
        for profile, rest in without.items():
            if name not in rest[section]:
                return {"profile": profile}
        return {}

    for name, service in whole["services"].items():
        profile = profile_of("services", name)
        found["service"][(name,)] = _service(service) | profile
        for volume in service.get("volumes", []):
            host, container, *mode = volume.split(":")
            row: Row = {"service": name, "host": host.removeprefix(f"{ROOT}/"), "container": container}
            found["mount"][(name, container)] = row | ({"read_only": True} if mode == ["ro"] else {}) | profile
        for port in service.get("ports", []):
            _, published, target = port.split(":")
            row = {"port": int(published), "service": name, "target": int(target)}
            found["published_port"][(f"{int(published):05}",)] = row
    for name, network in whole["networks"].items():
        row = {"name": name} | ({"internal": True} if network.get("internal") else {}) | profile_of("networks", name)
        found["network"][(name,)] = row
    if "version" in whole:
        found["compose_fact"][("version-key",)] = {"name": "version-key", "value": str(whole["version"])}
    return found


def _service(service: Mapping[str, Any]) -> Row:
    image, tag = service["image"], ""
    if VERSION_TAG in image:
        image = image.removesuffix(f":{VERSION_TAG}")
    else:
        image, _, tag = image.partition(":")
    row: Row = {"image": re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", image)}
    networks = service.get("networks") or ["default"]
    optional = {
        "tag": tag,
        "hostname": service.get("hostname", ""),
        "networks": sorted(networks),
        "depends_on": sorted(service.get("depends_on") or []),
        "uses_resolver": "dns" in service,
        "settings": "env_file" in service,
        "healthcheck": "healthcheck" in service,
        "logging": str(service.get("logging", {}).get("driver", "")),
        "restart": service.get("restart", ""),
    }
    return row | {key: value for key, value in optional.items() if value}


def compose_tables(repository: Repository, releases: Sequence[Release]) -> dict[str, list[Row]]:
    """The entries of `[[service]]`, `[[mount]]`, `[[published_port]]`, `[[network]]` and `[[compose_fact]]`."""
    seen: dict[str, dict[str, dict[Key, Row]]] = {}
    of: dict[Release, dict[str, dict[Key, Row]]] = {}
    for release in releases:
        blob = repository.tree(release)[COMPOSE]
        if blob not in seen:
            seen[blob] = rows(repository.text(blob))
        of[release] = seen[blob]
    tables: dict[str, list[Row]] = {}
    for table in next(iter(of.values())):
        entries: list[Row] = []
        for key in sorted({key for found in of.values() for key in found[table]}):
            history = []
            values = {release: of[release][table].get(key) for release in releases}
            for start, end in periods(releases, values.get):
                entry: Row = {"since": releases[start].tag}
                if end < len(releases):
                    entry["until"] = releases[end].tag
                source = {"source": f"{COMPOSE}@{releases[start].tag}"}
                history.append(entry | of[releases[start]][table][key] | source)
            entries += [{"name": key[0], "history": history}] if table == "service" else history
        tables[table] = entries
    return tables
