"""The settings of a stack: Mailu's defaults, the user's mailu.env, and what the sealed world replaces.

Sources: setup/flavors/compose/mailu.env and core/admin/mailu/configuration.py of the releases named.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Protocol

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from pytest_mailu.core import population
from pytest_mailu.core.databases import Database
from pytest_mailu.core.endpoints import SMTP_25
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Vantage
from pytest_mailu.core.optional_services import FETCHMAIL, STARTED, WEBMAIL
from pytest_mailu.core.proxies import proxies_of
from pytest_mailu.core.releases import Release
from pytest_mailu.core.secrets import is_credential, shown, without_url_passwords
from pytest_mailu.core.setups import BALANCER, at_place
from pytest_mailu.stack.docker.networks import Layout
from pytest_mailu.stack.settings.databases import database_settings, shown_database, why

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

FETCHMAIL_SECONDS = "3"
"""Between two rounds of fetchmail; Mailu's own default has ten minutes."""

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
    """The environment of one stack. `replaced` maps a setting of the user's to its replacement and the reason.

    `shared` are those that a service may have otherwise, by `environment:` of the user's compose file; `places` are the
    addresses of vantages by what stands for them in a value; `databases` are the
    names of those that name a database of the run.
    """

    values: Mapping[str, str]
    replaced: Mapping[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    places: Mapping[str, str] = field(default_factory=dict)
    databases: frozenset[str] = frozenset()

    def shown(self) -> dict[str, str]:
        """`values` without secrets."""
        return {
            name: shown_database(name, value) if name in self.databases else shown(name, value)
            for name, value in sorted(self.values.items())
        }

    def relays_for(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether RELAYNETS has an address: its mail is trusted, whoever it claims to be from."""
        networks = [net for net in re.split(r"[,\s]+", self.values.get("RELAYNETS", "")) if net]
        return any(address in network for network in map(_network, networks) if network is not None)

    @property
    def is_balanced(self) -> bool:
        """Whether a load balancer with the PROXY protocol stands before port 25."""
        return SMTP_25.port in proxies_of(self.values).ports

    def with_changes(self, changes: Mapping[str, str | None]) -> Settings:
        """The same with the changes of a variant; None leaves a setting out: the release's own default holds."""
        merged = {**self.values, **changes}
        values = {name: _at(value, self.places) for name, value in merged.items() if value is not None}
        return Settings(values, self.replaced, self.shared - changes.keys(), self.places, self.databases)


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        return None


def _at(value: str, places: Mapping[str, str]) -> str:
    """A value with addresses in the place of names of vantages."""
    for name, address in places.items():
        value = value.replace(name, address)
    return value


_LONGEST = 256 << 10
"""Bytes of a mailu.env; Mailu's own has 5 kB."""
_MOST_BLANKS = 200
_BLANKS = re.compile(rf"[^\S\r\n]{{{_MOST_BLANKS + 1}}}")
"""dotenv looks for a comment from each blank on: time grows with the square of how many stand side by side."""


def read_env(path: Path) -> dict[str, str]:
    """The settings in the user's mailu.env. Raises UsageError, with the line, for a file that cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a regular file", "name the mailu.env of your deployment")
        if path.stat().st_size > _LONGEST:
            raise UsageError(f"{path} has more than {_LONGEST >> 10} kB", "name the mailu.env of your deployment")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "name the mailu.env of your deployment") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 (byte {error.start})", "save it as UTF-8") from error
    if blanks := _BLANKS.search(text):
        raise UsageError(
            f"{path}, line {text.count(chr(10), 0, blanks.start()) + 1} has more than {_MOST_BLANKS} blanks in a row",
            "remove the blanks",
        )
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
    databases: Collection[Database] = (),
    database_password: str = "",
) -> Settings:
    """The environment for `release` in `layout`.

    `user` holds the user's own settings (both files merged, the later one last); `services` the optional services that
    the stack has (webmail, antivirus …); `databases` those that it has in the place of SQLite.
    """
    places = {at_place(vantage): str(layout.segment(vantage).client) for vantage in layout.vantages}
    places[BALANCER] = str(layout.balancer)
    user = {name: _at(value, places) for name, value in user.items()}
    own = {**DEFAULTS, **(DEFAULTS_SINCE_2_0 if release.has_api else {})}
    if WEBMAIL in services:
        own |= {"WEBROOT_REDIRECT": "/webmail"}
    values = {**own, **user}
    replaced: dict[str, str] = {}

    ours = {"TLS_FLAVOR", "OUTBOUND_TLS_LEVEL", *_OPTIONAL}

    def put(name: str, value: str, why: str) -> None:
        if name in user and user[name] != value:
            replaced[name] = f"{shown(name, user[name]) or 'empty'} → {shown(name, value) or 'empty'}: {why}"
        values[name] = value
        ours.add(name)

    def drop(name: str, why: str) -> None:
        values.pop(name, None)
        if user.get(name):
            replaced[name] = f"{shown(name, user[name])} → not set: {why}"

    _credentials(user, put)
    put("DOMAIN", population.DOMAIN, _WHY_OWN)
    put("HOSTNAMES", population.HOSTNAME, _WHY_OWN)
    put("SECRET_KEY", secret_key, "each test stack has its own key")
    _subnets(layout, put, drop)
    put("DISABLE_STATISTICS", "True", "a test stack is not counted")
    _tls(user, put, drop)
    _relaying(user, layout, put, drop)
    _limits(user, layout, put)
    _proxies(user, layout, put)
    if FETCHMAIL in services:
        put("FETCHMAIL_DELAY", FETCHMAIL_SECONDS, "a run does not wait that long for mail that is fetched")
    named = database_settings(databases, database_password, user)
    for name in user:
        if name not in named and (reason := reason_to_drop(name)):
            drop(name, reason)
    for name, value in named.items():
        if user.get(name, value) != value:
            seen = shown(name, user[name]) or "empty"
            replaced[name] = f"{seen} → {shown_database(name, value)}: {why(databases, name)}"
        values[name] = value
        ours.add(name)
    for name, (service, without) in _OPTIONAL.items():
        if service not in services and name in user and user[name].lower() not in ("", "none", "false", "no"):
            put(
                name,
                without,
                f"the test stack has no service `{service}`; --mailu-compose adds yours"
                + (f", --mailu-with {service} one of Mailu's" if service in STARTED else ""),
            )
    if release.addresses_are_resolved_at_start:
        fixed = _fixed_addresses(layout)
        values |= fixed
        ours |= fixed.keys()
    if "CREDENTIAL_ROUNDS" not in user:
        values["CREDENTIAL_ROUNDS"] = CHEAP_ROUNDS
    return Settings(values, replaced, frozenset(values) - ours, places, frozenset(named))


def _subnets(layout: Layout, put: Put, drop: Drop) -> None:
    put("SUBNET", str(layout.inside.network), "a free network of this machine")
    if layout.six is not None:
        put("SUBNET6", str(layout.six.inside.network), "a free network of this machine")
    else:
        drop("SUBNET6", "the networks of this stack have only IPv4")


def _tls(user: Mapping[str, str], put: Put, drop: Drop) -> None:
    for name in ("TLS_CERT_FILENAME", "TLS_KEYPAIR_FILENAME"):
        drop(name, "the test stack has its own certificate")
    if user.get("OUTBOUND_TLS_LEVEL", "") in ("verify", "secure", "fingerprint", "dane-only"):
        put("OUTBOUND_TLS_LEVEL", "encrypt", "no known authority has issued the world's certificates")


_RELAYNETS = (Vantage.RELAYNET, Vantage.RELAYNET_IPV6)


def _relaying(user: Mapping[str, str], layout: Layout, put: Put, drop: Drop) -> None:
    put("RELAYHOST", "", "mail must stay in the sealed world")
    drop("RELAYUSER", "mail must stay in the sealed world")
    drop("RELAYPASSWORD", "mail must stay in the sealed world")
    own = [net.strip() for net in user.get("RELAYNETS", "").split(",") if net.strip()]
    ours = [str(layout.segment(vantage).network) for vantage in layout.vantages if vantage in _RELAYNETS]
    put("RELAYNETS", ",".join([*own, *ours]), "yours, and the network of the vantage `relaynet`")


def _limits(user: Mapping[str, str], layout: Layout, put: Put) -> None:
    """Exempts clients from the login limiter, but not `other-stranger`, which behaviours about the limiter use."""
    own = [net.strip() for net in user.get("AUTH_RATELIMIT_EXEMPTION", "").split(",") if net.strip()]
    clients = [layout.stranger.network, layout.inside.network, layout.relaynet.network]
    if (six := layout.six) is not None:
        clients += [six.stranger.network, six.inside.network, six.relaynet.network]
    if proxies_of(user):
        # Where a release takes everybody for the proxy, some wrong passwords would lock out all that are asked after.
        clients += [IPv4Network(layout.segment(proxy).client) for proxy in (Vantage.PROXY, Vantage.FAR_PROXY)]
    put(
        "AUTH_RATELIMIT_EXEMPTION",
        ",".join([*own, *map(str, clients)]),
        "yours, and those of the clients",
    )


def _proxies(user: Mapping[str, str], layout: Layout, put: Put) -> None:
    """The proxies of the sealed world are those that are believed, where any is."""
    believed = user.get("REAL_IP_FROM", "").strip()
    near = str(layout.segment(Vantage.PROXY).client)
    if believed and near not in believed.split(","):
        balancer = [str(layout.balancer)] if SMTP_25.port in proxies_of(user).ports else []
        put("REAL_IP_FROM", ",".join([near, *balancer]), "the proxy of the sealed world")


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
    (re.compile(r"PROXY_AUTH_"), "behaviours about it set it for the proxy of the sealed world"),
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
