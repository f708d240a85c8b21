"""Deployments as the set-up page of each release writes them, made from the facts of the catalogue in own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import Catalogue, Period

ADDRESS = "192.0.2.25"
SUBNET = "192.168.203.0/24"
RESOLVER = "192.168.203.254"
EVERYTHING = frozenset(("resolver", "antivirus", "oletools", "tika", "webdav", "fetchmail", "webmail"))


def write(folder: Path, catalogue: Catalogue, release: Release, choices: frozenset[str], ports: str = "") -> Path:
    """Write compose file and mailu.env of a release with some of its choices into a new folder."""
    folder.mkdir(parents=True)
    (folder / "docker-compose.yml").write_text(yaml.safe_dump(compose(catalogue, release, choices), sort_keys=False))
    (folder / "mailu.env").write_text(settings(release, choices, ports))
    return folder


def compose(catalogue: Catalogue, release: Release, choices: frozenset[str]) -> dict[str, Any]:
    """The compose file as data."""

    def chosen(entry: Any) -> bool:
        return not entry.profile or entry.profile in choices

    services: dict[str, Any] = {}
    for known in catalogue.services:
        state = known.at(release)
        if state is None or not chosen(state):
            continue
        image = state.image.replace("{WEBMAIL}", webmail(release))
        made: dict[str, Any] = {"image": f"{image}:{state.tag or release}", "restart": state.restart or "always"}
        if state.settings:
            made["env_file"] = "mailu.env"
        if state.hostname:
            made["hostname"] = state.hostname
        if state.logging and "{" not in state.logging:
            made["logging"] = {"driver": state.logging}
        if state.uses_resolver and "resolver" in choices:
            made["dns"] = [RESOLVER]
        networks = [
            name for name in state.networks if name == "default" or name in _networks(catalogue, release, choices)
        ]
        if networks != ["default"]:
            made["networks"] = networks
        if known.name == "resolver":
            made["networks"] = {"default": {"ipv4_address": RESOLVER}}
        volumes = [
            f"./{mount.host}:{mount.container}" + (":ro" if mount.read_only else "")
            for mount in _at(catalogue.mounts, release)
            if mount.service == known.name and chosen(mount)
        ]
        if volumes:
            made["volumes"] = volumes
        published = [port for port in _at(catalogue.published_ports, release) if port.service == known.name]
        if published:
            made["ports"] = [f"{ADDRESS}:{port.port}:{port.target}" for port in published]
        services[known.name] = made
    networks_made = {name: {"driver": "bridge"} for name in _networks(catalogue, release, choices)}
    default = {"driver": "bridge", "ipam": {"config": [{"subnet": SUBNET}]}}
    return {"services": services, "networks": {"default": default, **networks_made}}


def _at(entries: Any, release: Release) -> list[Any]:
    return [entry for entry in entries if isinstance(entry, Period) and release in entry]


def _networks(catalogue: Catalogue, release: Release, choices: frozenset[str]) -> list[str]:
    return [
        network.name
        for network in _at(catalogue.networks, release)
        if network.name != "default" and (not network.profile or network.profile in choices)
    ]


def webmail(release: Release) -> str:
    """The web mail that exists in all series, as each calls its image."""
    return "webmail" if release.since("2.0") else "roundcube"


def settings(release: Release, choices: frozenset[str], ports: str = "") -> str:
    """mailu.env: what the set-up page of each series writes, with what this administrator answered."""
    modern, latest = release.since("2.0"), release.since("2024.06")

    def word(choice: str, on: str, off: str) -> str:
        return on if choice in choices else off

    lines = {
        "SECRET_KEY": "kW3pQ9xZ7tR2mN5v",
        "SUBNET": SUBNET,
        "DOMAIN": "example.org",
        "HOSTNAMES": "mail.example.org,mx.example.org",
        "POSTMASTER": "admin",
        "TLS_FLAVOR": "letsencrypt",
        "AUTH_RATELIMIT_IP": "5/hour" if modern else "60/hour",
        "AUTH_RATELIMIT_USER": "50/day" if modern else "100/day",
        "DISABLE_STATISTICS": "True",
        "ADMIN": "true",
        "WEBMAIL": word("webmail", "roundcube", "none"),
        "WEBDAV": word("webdav", "radicale", "none"),
        "ANTIVIRUS": word("antivirus", "clamav", "none"),
        "MESSAGE_SIZE_LIMIT": "50000000",
        "MESSAGE_RATELIMIT": "200/day",
        "RELAYNETS": "",
        "RELAYHOST": "",
        "FETCHMAIL_DELAY": "600",
        "RECIPIENT_DELIMITER": "+",
        "DMARC_RUA": "admin",
        "DMARC_RUF": "admin",
        "WELCOME": "false",
        "WELCOME_SUBJECT": "Welcome",
        "WELCOME_BODY": "This is your new account.",
        "COMPRESSION": "",
        "COMPRESSION_LEVEL": "",
        "WEBROOT_REDIRECT": "/webmail",
        "WEB_ADMIN": "/admin",
        "WEB_WEBMAIL": "/webmail",
        "SITENAME": "Our mail",
        "WEBSITE": "https://example.org",
        "COMPOSE_PROJECT_NAME": "mailu",
        "CREDENTIAL_ROUNDS": "12",
        "REAL_IP_HEADER": "",
        "REAL_IP_FROM": "",
        "REJECT_UNLISTED_RECIPIENT": "",
        "LOG_LEVEL": "INFO" if latest else "WARNING",
        "TZ": "Etc/UTC",
    }
    if not modern:
        lines["DB_FLAVOR"] = "sqlite"
    else:
        lines |= {
            "API": "false",
            "WEB_API": "/api",
            "API_TOKEN": "N7b3kQ9zR5tX1mV8",
            "SCAN_MACROS": word("oletools", "true", "false"),
            "FETCHMAIL_ENABLED": word("fetchmail", "true", "False"),
            "DEFAULT_SPAM_THRESHOLD": "80",
        }
    if latest:
        lines |= {"FULL_TEXT_SEARCH": "en", "FULL_TEXT_SEARCH_ATTACHMENTS": word("tika", "true", "")}
    if ports:
        lines["PORTS"] = ports
    return "".join(f"{name}={value}\n" for name, value in lines.items())
