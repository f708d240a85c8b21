"""The settings of a stack: Mailu's defaults, the user's mailu.env, and what the sealed world replaces.

Sources: setup/flavors/compose/mailu.env and core/admin/mailu/configuration.py of the releases named.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from pytest_mailu.core import population
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.core.secrets import is_credential, shown, without_url_passwords
from pytest_mailu.stack.docker.networks import Layout

DEFAULTS: Mapping[str, str] = {
    "POSTMASTER": "admin",
    "TLS_FLAVOR": "cert",
    "DISABLE_STATISTICS": "True",
    "ADMIN": "true",
    "WEBMAIL": "none",
    "WEBDAV": "none",
    "ANTIVIRUS": "none",
    "MESSAGE_SIZE_LIMIT": "50000000",
    "MESSAGE_RATELIMIT": "200/day",
    "RELAYNETS": "",
    "RELAYHOST": "",
    "FETCHMAIL_DELAY": "600",
    "RECIPIENT_DELIMITER": "+",
    "DMARC_RUA": "admin",
    "DMARC_RUF": "admin",
    "WELCOME": "false",
    "COMPRESSION": "",
    "COMPRESSION_LEVEL": "",
    "WEBROOT_REDIRECT": "/admin",
    "WEB_ADMIN": "/admin",
    "WEB_WEBMAIL": "/webmail",
    "SITENAME": "Mailu",
    "WEBSITE": "https://mailu.io",
    "REAL_IP_HEADER": "",
    "REAL_IP_FROM": "",
    "REJECT_UNLISTED_RECIPIENT": "",
    "TZ": "Etc/UTC",
}
"""What Mailu's setup page writes by default, in every series."""
DEFAULTS_SINCE_2_0: Mapping[str, str] = {
    "API": "false",
    "WEB_API": "/api",
    "API_TOKEN": "api-token-of-the-test-stack",
    "SCAN_MACROS": "false",
    "FETCHMAIL_ENABLED": "False",
    "DEFAULT_SPAM_THRESHOLD": "80",
}
CHEAP_ROUNDS = "4"
"""The minimum of bcrypt; 12 or 13 take a quarter of a second for each password, on each login."""

REPLACED = "replaced-by-pytest-mailu"
"""What a container gets instead of a credential."""

_OPTIONAL: Mapping[str, tuple[str, str]] = {
    "WEBMAIL": ("webmail", "none"),
    "WEBDAV": ("webdav", "none"),
    "ANTIVIRUS": ("antivirus", "none"),
    "SCAN_MACROS": ("oletools", "false"),
    "FULL_TEXT_SEARCH_ATTACHMENTS": ("fts_attachments", "false"),
}
"""Setting → the service it needs, and the value that switches it off."""

_WHY_OWN = "the world's DNS has this name"


class Put(Protocol):
    """Sets a value; where the user had another, notes why."""

    def __call__(self, name: str, value: str, why: str) -> None:  # noqa: D102 - see the class
        ...


class Drop(Protocol):
    """Leaves a setting out; where the user had it, notes why."""

    def __call__(self, name: str, why: str) -> None:  # noqa: D102 - see the class
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of one stack. `replaced` maps a setting of the user's to its replacement and the reason."""

    values: Mapping[str, str]
    replaced: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, str]:
        """`values` without secrets."""
        return {name: shown(name, value) for name, value in sorted(self.values.items())}

    def with_changes(self, changes: Mapping[str, str]) -> Settings:
        """The same with the changes of a variant."""
        return Settings({**self.values, **changes}, self.replaced)


def read_env(path: Path) -> dict[str, str]:
    """The settings in the user's mailu.env. Raises UsageError, with the line, for a file that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "name the mailu.env of your deployment") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 (byte {error.start})", "save it as UTF-8") from error
    for binding in parse_stream(io.StringIO(text)):
        # dotenv accepts a name alone; Mailu's compose would take its value from the shell.
        line = binding.original.line
        if binding.error or (binding.key is not None and binding.value is None):
            raise UsageError(
                f"{path}, line {line + _blank_lines(binding.original.string)} is not NAME=value",
                "correct the line, or put a # in front of it",
            )
    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items()}


def _blank_lines(text: str) -> int:
    """How many line breaks stand before the binding itself."""
    return len(text) - len(text.lstrip("\r\n")) if text.strip() else 0


def settings_for(
    release: Release,
    layout: Layout,
    secret_key: str,
    user: Mapping[str, str],
    *,
    services: Collection[str] = (),
) -> Settings:
    """The environment for `release` in `layout`.

    `user` holds the user's own settings (both files merged, the later one last); `services` the optional services that
    the stack has (webmail, antivirus …).
    """
    values = {**DEFAULTS, **(DEFAULTS_SINCE_2_0 if release.has_api else {}), **user}
    replaced: dict[str, str] = {}

    def put(name: str, value: str, why: str) -> None:
        if name in user and user[name] != value:
            replaced[name] = f"{shown(name, user[name]) or 'empty'} → {shown(name, value) or 'empty'}: {why}"
        values[name] = value

    def drop(name: str, why: str) -> None:
        values.pop(name, None)
        if user.get(name):
            replaced[name] = f"{shown(name, user[name])} → not set: {why}"

    _credentials(user, put)
    put("DOMAIN", population.DOMAIN, _WHY_OWN)
    put("HOSTNAMES", population.HOSTNAME, _WHY_OWN)
    put("SECRET_KEY", secret_key, "each test stack has its own key")
    put("SUBNET", str(layout.inside.network), "a free network of this machine")
    drop("SUBNET6", "the sealed networks have only IPv4")
    put("DISABLE_STATISTICS", "True", "a test stack is not counted")
    _tls(user, put, drop)
    _relaying(user, layout, put, drop)
    _limits(user, layout, put)
    for name in user:
        if why := reason_to_drop(name):
            drop(name, why)
    for name, (service, without) in _OPTIONAL.items():
        if service not in services and name in user and user[name].lower() not in ("", "none", "false", "no"):
            put(
                name,
                without,
                f"the test stack has no service `{service}`; --mailu-compose adds yours",
            )
    if release.addresses_are_resolved_at_start:
        values |= _fixed_addresses(layout)
    if "CREDENTIAL_ROUNDS" not in user:
        values["CREDENTIAL_ROUNDS"] = CHEAP_ROUNDS
    return Settings(values, replaced)


def _tls(user: Mapping[str, str], put: Put, drop: Drop) -> None:
    flavor = user.get("TLS_FLAVOR", "cert")
    if "letsencrypt" in flavor:
        put("TLS_FLAVOR", flavor.replace("letsencrypt", "cert").replace("mail-cert", "mail"), "there is no internet")
    for name in ("TLS_CERT_FILENAME", "TLS_KEYPAIR_FILENAME"):
        drop(name, "the test stack has its own certificate")
    if user.get("OUTBOUND_TLS_LEVEL", "") in ("verify", "secure", "fingerprint", "dane-only"):
        put("OUTBOUND_TLS_LEVEL", "encrypt", "no known authority has issued the world's certificates")


def _relaying(user: Mapping[str, str], layout: Layout, put: Put, drop: Drop) -> None:
    put("RELAYHOST", "", "mail must stay in the sealed world")
    drop("RELAYUSER", "mail must stay in the sealed world")
    drop("RELAYPASSWORD", "mail must stay in the sealed world")
    own = [net.strip() for net in user.get("RELAYNETS", "").split(",") if net.strip()]
    put("RELAYNETS", ",".join([*own, str(layout.relaynet.network)]), "yours, and the network of the vantage `relaynet`")


def _limits(user: Mapping[str, str], layout: Layout, put: Put) -> None:
    """Exempts clients from the login limiter, but not `other-stranger`, which behaviours about the limiter use."""
    own = [net.strip() for net in user.get("AUTH_RATELIMIT_EXEMPTION", "").split(",") if net.strip()]
    clients = (layout.stranger.network, layout.inside.network, layout.relaynet.network)
    put(
        "AUTH_RATELIMIT_EXEMPTION",
        ",".join([*own, *map(str, clients)]),
        "yours, and those of the clients",
    )


def _credentials(user: Mapping[str, str], put: Put) -> None:
    """No password, token or key of the user's reaches a container."""
    for name, value in user.items():
        if without := without_credential(name, value):
            put(name, without, "credentials stay out of a test stack")


def without_credential(name: str, value: str) -> str:
    """What a container gets instead of a credential of the user's, also of one in a URL; empty where it is none."""
    if value and is_credential(name):
        return DEFAULTS_SINCE_2_0.get(name, REPLACED)
    replaced = without_url_passwords(value, REPLACED)
    return replaced if replaced != value else ""


_DROPPED_SETTINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(ROUNDCUBE_)?DB_|SQLALCHEMY_"), "each test stack has its own database"),
    (re.compile(r"INITIAL_ADMIN_"), "the accounts of the test are imported"),
    (re.compile(r"(?!POSTFIX_LOG_FILE).*_FILE$"), "this file is not in the test stack"),
    (re.compile(r"(RATELIMIT|SESSION|QUOTA)_STORAGE_URL$"), "each test stack has its own store"),
    (re.compile(r"PROXY_AUTH_"), "the sealed world has no such proxy"),
    (re.compile(r"COMPOSE_|MAILU_VERSION$|DOCKER_"), "each run has its own project"),
    (
        re.compile(r"HOST_|.*_ADDRESS$|POD_ADDRESS_RANGE$|KUBERNETES_INGRESS$"),
        "services of the test stack have Mailu's names",
    ),
)


def reason_to_drop(name: str) -> str:
    """Why a setting of the user's is dropped: it leads out of the stack. Empty where it is used."""
    return next((why for pattern, why in _DROPPED_SETTINGS if pattern.match(name)), "")


def _fixed_addresses(layout: Layout) -> dict[str, str]:
    """1.9 resolves the names of services once, at its start, and waits until all exist: it gets addresses."""
    at = {name: str(layout.service(name)) for name in ("redis", "front", "admin", "imap", "smtp", "antispam")}
    return {
        **{f"{name.upper()}_ADDRESS": at[name] for name in ("redis", "front", "admin", "imap", "smtp")},
        "POP3_ADDRESS": at["imap"],
        "AUTHSMTP_ADDRESS": at["smtp"],
        "LMTP_ADDRESS": f"{at['imap']}:2525",
        "ANTISPAM_WEBUI_ADDRESS": f"{at['antispam']}:11334",
        "ANTISPAM_MILTER_ADDRESS": f"{at['antispam']}:11332",
    }
