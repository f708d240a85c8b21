"""What of a deployment may be shown: settings on a list, and texts in which every other value is masked.

The list is of what may be shown, not of what may not: a setting that nobody here knows is a secret.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import unquote, unquote_plus

Value = TypeVar("Value")

MASK = "****"

PUBLIC = frozenset(
    (
        *("ADMIN", "ADMIN_ADDRESS", "ANONMAIL_MAX_RETRIES", "ANTISPAM_ADDRESS", "ANTISPAM_MILTER_ADDRESS"),
        *("ANTISPAM_WEBUI_ADDRESS", "ANTIVIRUS", "ANTIVIRUS_ACTION", "ANTIVIRUS_ADDRESS", "API", "AUTHSMTP_ADDRESS"),
        *("AUTH_RATELIMIT_EXEMPTION", "AUTH_RATELIMIT_EXEMPTION_LENGTH", "AUTH_RATELIMIT_IP"),
        *("AUTH_RATELIMIT_IP_V4_MASK", "AUTH_RATELIMIT_IP_V6_MASK", "AUTH_RATELIMIT_USER", "AUTH_REQUIRE_TOKENS"),
        *("BABEL_DEFAULT_LOCALE", "BABEL_DEFAULT_TIMEZONE", "BOOTSTRAP_SERVE_LOCAL", "COMPOSE_PROJECT_NAME"),
        *("COMPRESSION", "COMPRESSION_LEVEL", "CPU_COUNT", "CREDENTIAL_ROUNDS", "DB_APPENDIX", "DB_FLAVOR", "DEBUG"),
        *("DEFAULT_QUOTA", "DEFAULT_SPAM_THRESHOLD", "DEFER_ON_TLS_ERROR", "DISABLE_STATISTICS", "DKIM_PATH"),
        *("DKIM_SELECTOR", "DMARC_RUA", "DMARC_RUF", "DMARC_SEND_REPORTS", "DOCKER_ORG", "DOCKER_PREFIX", "DOMAIN"),
        *("DOMAIN_REGISTRATION", "FETCHMAIL_DELAY", "FETCHMAIL_ENABLED", "FRONT_ADDRESS", "FTS_ATTACHMENTS_ADDRESS"),
        *("FULL_TEXT_SEARCH", "FULL_TEXT_SEARCH_ATTACHMENTS", "HOSTNAMES", "HOST_ADMIN", "HOST_ANTISPAM_MILTER"),
        *("HOST_ANTISPAM_WEBUI", "HOST_ANTIVIRUS", "HOST_AUTHSMTP", "HOST_FRONT", "HOST_IMAP", "HOST_LMTP"),
        *("HOST_POP3", "HOST_REDIS", "HOST_SMTP", "HOST_WEBDAV", "HOST_WEBMAIL", "IMAP_ADDRESS"),
        *("INBOUND_TLS_ENFORCE", "INITIAL_ADMIN_MODE", "KUBERNETES_INGRESS", "LD_PRELOAD", "LETSENCRYPT_SHORTCHAIN"),
        *("LMTP_ADDRESS", "LOGO_BACKGROUND", "LOG_DRIVER", "LOG_LEVEL", "MAILU_HELM_CHART", "MAILU_VERSION"),
        *("MEMORY_SESSIONS", "MESSAGE_RATELIMIT", "MESSAGE_RATELIMIT_EXEMPTION", "MESSAGE_SIZE_LIMIT"),
        *("OLETOOLS_ADDRESS", "OUTBOUND_TLS_LEVEL", "PERMANENT_SESSION_LIFETIME", "POD_ADDRESS_RANGE", "POP3_ADDRESS"),
        *("PORTS", "POSTFIX_LOG_FILE", "POSTFIX_LOG_SYSLOG", "POSTMASTER", "PROXY_AUTH_CREATE", "PROXY_PROTOCOL"),
        *("REAL_IP_FROM", "REAL_IP_HEADER", "RECIPIENT_DELIMITER", "REDIS_ADDRESS", "REJECT_UNLISTED_RECIPIENT"),
        *("RELAYHOST", "RELAYNETS", "ROUNDCUBE_DB_FLAVOR", "ROUNDCUBE_PLUGINS", "SCAN_MACROS"),
        *("SESSION_COOKIE_SECURE", "SESSION_KEY_BITS", "SESSION_TIMEOUT", "SITENAME", "SMTP_ADDRESS", "SUBNET"),
        *("SUBNET6", "TLS", "TLS_CERT_FILENAME", "TLS_FLAVOR", "TLS_KEYPAIR_FILENAME", "TLS_PERMISSIVE", "TZ"),
        *("WEBDAV", "WEBDAV_ADDRESS", "WEBMAIL", "WEBMAIL_ADDRESS", "WEBROOT_REDIRECT", "WEBSITE", "WEB_ADMIN"),
        *("WEB_API", "WEB_WEBMAIL", "WELCOME", "WILDCARD_SENDERS"),
    )
)
"""Mailu's settings that are no secrets (core/admin/mailu/configuration.py and setup/flavors/compose/mailu.env, 1.9 to
master)."""
_CREDENTIAL = re.compile(r"SECRET|PASS|TOKEN|CREDENTIAL|PRIVATE|WEBHOOK|_PWD?$|^PWD?_|_KEY$|APIKEY|_DSN$|_AUTH$", re.I)
_URL_PASSWORD = re.compile(r"(://[^\s/@:]{0,200}:)([^\s/@]{1,500})(?=@)")
"""The password in a URL (RFC 3986 section 3.2.1)."""
_SHORTEST, _SHORTEST_OF_CREDENTIALS = 6, 4
"""Characters of a value that is masked wherever it turns up: shorter ones are in every text by chance."""
_COMMON = frozenset(
    ("true", "false", "none", "localhost", "admin", "mailu", "example", "default", "enabled", "disabled")
)
_ASSIGNMENT = re.compile(
    r"""^[\s\-"']{0,20}([A-Za-z_][\w.\-]{0,100})["']?[ \t]{0,20}[:=][ \t]{0,20}(.{1,2000})$""", re.MULTILINE
)
"""`NAME=value`, `name: value`, `name = value`, in whatever kind of file."""
_IN_COMMAND = re.compile(r"((?:pass(?:word|wd)?|token|secret|[-_]key)[= ]\s{0,5})([^\s\"']{4,500})", re.IGNORECASE)
"""The value after `--password=` or `requirepass ` on a command line."""


def is_public(name: str) -> bool:
    """Whether the value of a setting may be shown."""
    return name in PUBLIC


def is_credential(name: str) -> bool:
    """Whether a setting seems to be a password, a key or the like, by its name."""
    return name not in PUBLIC and _CREDENTIAL.search(name) is not None


def shown(name: str, value: str) -> str:
    """The value of a setting as it may be shown."""
    return _URL_PASSWORD.sub(rf"\1{MASK}", value) if not value or is_public(name) else MASK


def url_passwords(text: str) -> list[str]:
    """The passwords in the URLs of a text, as they stand there and as the program gets them."""
    written = [found[2] for found in _URL_PASSWORD.finditer(text)]
    meant = [decode(password) for password in written for decode in (unquote, unquote_plus)]
    return [*written, *(password for password in meant if len(password) >= _SHORTEST_OF_CREDENTIALS)]


def without_url_passwords(text: str, instead: str) -> str:
    """The text with other passwords in its URLs."""
    return _URL_PASSWORD.sub(lambda found: f"{found[1]}{instead}", text)


def secrets_in(settings: Mapping[str, str], harmless: Iterable[str] = ()) -> frozenset[str]:
    """The values of settings to be masked wherever they turn up; `harmless` are values that are shown all the same."""
    found: set[str] = set()
    spared = {*_COMMON, *harmless, *(value for name, value in settings.items() if is_public(name))}
    for name, value in settings.items():
        found.update(url_passwords(value))
        if is_public(name):
            continue
        shortest = _SHORTEST_OF_CREDENTIALS if is_credential(name) else _SHORTEST
        parts = {value, value.strip(), *(line.strip() for line in value.splitlines())}
        found |= {part for part in parts if len(part) >= shortest and part.lower() not in spared}
    return frozenset(found)


def secrets_in_text(text: str) -> frozenset[str]:
    """The values that a text assigns to names of credentials: of a compose file, an env file, an override."""
    found: set[str] = set(url_passwords(text))
    for name, value in _ASSIGNMENT.findall(text):
        if is_credential(name):
            parts = {value.strip(" \t\r\"'"), *re.split(r"[\s:,\"']+", value)}
            found |= {part for part in parts if len(part) >= _SHORTEST and not part.startswith(("/", "$", "<"))}
    found |= {value for _, value in _IN_COMMAND.findall(text) if len(value) >= _SHORTEST}
    return frozenset(part for part in found if part.lower() not in _COMMON)


def without_secrets_in_command(text: str, instead: str) -> str:
    """A command line with other passwords and the like."""
    return without_url_passwords(_IN_COMMAND.sub(lambda found: f"{found[1]}{instead}", text), instead)


class Redactor:
    """Masks secrets in texts, and in values that consist of texts."""

    def __init__(self, secrets: Iterable[str] = (), people: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secret for secret in secrets if secret)
        self._domains = frozenset(domain.lower() for domain in people if domain)
        domains = "|".join(_domain_pattern(domain) for domain in sorted(self._domains, key=len, reverse=True))
        self._people = re.compile(rf"(?:{_LOCAL_PART}(?:@|%40|=40))?(?:{domains})(?![\w-])", re.I) if domains else None
        self._pattern = _pattern_of_all(self._secrets)
        # What a text may end with that was cut within a secret: looked up, since every text of a run has an end.
        self._ends = {
            secret[at : at + _SHORTEST] for secret in self._secrets for at in range(len(secret) - _SHORTEST + 1)
        }

    @cached_property
    def _folded_pattern(self) -> re.Pattern[str] | None:
        """For texts with soft line breaks (RFC 2045 section 6.7), which may stand within a secret."""
        return _pattern_of_all(self._secrets, _SOFT_BREAK)

    def __or__(self, secrets: Iterable[str]) -> Redactor:
        """One that masks more."""
        return Redactor((*self._secrets, *secrets), self._domains)

    def with_people_of(self, domains: Iterable[str]) -> Redactor:
        """One that masks these domains as well, together with the addresses in them."""
        return Redactor(self._secrets, (*self._domains, *domains))

    def text(self, text: str) -> str:
        """The text without secrets and without passwords in URLs."""
        if self._people is not None:
            text = self._people.sub(MASK, text)
        if self._pattern is not None:
            text = self._without_cut_secrets(self._whole_secrets(text).sub(MASK, text))
        return _URL_PASSWORD.sub(rf"\1{MASK}", text) if "://" in text else text

    def _whole_secrets(self, text: str) -> re.Pattern[str]:
        folded = self._folded_pattern if "=\n" in text or "=\r\n" in text else None
        return folded or self._pattern  # type: ignore[return-value]

    def _without_cut_secrets(self, text: str) -> str:
        """Masks the beginning of a secret where a text was cut off: at its end, and before each `…`."""
        if "…" not in text:
            return self._without_cut_secret(text)
        return "…".join(map(self._without_cut_secret, text.split("…")))

    def _without_cut_secret(self, text: str) -> str:
        if text[-_SHORTEST:] not in self._ends:
            return text
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(text)), _SHORTEST - 1, -1):
                if text.endswith(secret[:length]):
                    return text[:-length] + MASK
        return text

    def value(self, value: Value) -> Value:
        """The same value with all its texts redacted: mappings, sequences, dataclasses; everything else as it is."""
        return self._any(value)  # type: ignore[no-any-return]

    def _any(self, value: Any) -> Any:
        match value:
            case Enum():
                return value
            case str():
                return self.text(value)
            case Mapping():
                return {self._any(key): self._any(item) for key, item in value.items()}
            case list() | tuple() | frozenset():
                return type(value)(self._any(item) for item in value)
            case _ if is_dataclass(value) and not isinstance(value, type):
                names = [part.name for part in fields(value) if part.init]
                return replace(value, **{name: self._any(getattr(value, name)) for name in names})
            case _:
                return value


_LOCAL_PART = r"[\w.+!#$&'*?^`{|}~%-]{1,64}"
"""In front of the @: atext (RFC 5322 section 3.2.3) and dots, without what paths and settings have."""


def _domain_pattern(domain: str) -> str:
    """A domain as it is stored (punycode), and as people write it."""
    forms = [re.escape(domain)]
    try:
        written = domain.encode("ascii").decode("idna")
    except UnicodeError:
        written = domain
    if written != domain:
        forms.append(re.escape(written))
    return "|".join(forms)


_SOFT_BREAK = r"(?:=\r?\n)?"
_BACKSLASHES = r"\\{0,8}"
"""In front of a character that a notation escapes, or several notations one in the other."""
_WRITTEN = {"\n": "n", "\r": "r", "\t": "t", "\f": "f", "\v": "v", "\b": "b"}


def _pattern_of_all(secrets: Iterable[str], between: str = "") -> re.Pattern[str] | None:
    """A pattern of all forms of all secrets. The longest come first: one secret may begin with another."""
    joined = "|".join(_pattern_of(secret, between) for secret in sorted(secrets, key=len, reverse=True))
    return re.compile(joined) if joined else None


def _pattern_of(secret: str, between: str) -> str:
    """A secret as a pattern of all forms in which it may be written; `between` may stand after each character."""
    characters = re.findall(r"\\+|[^\\]", secret)
    return "|".join(
        [between.join(map(_character, characters)), *_base64_forms(secret.encode("utf-8", "surrogatepass"))]
    )


def _base64_forms(data: bytes) -> Iterator[str]:
    """Patterns for Base64 (RFC 4648 sections 4 and 5) of a secret alone, and of any text that it stands in.

    Three bytes make four characters. So there are three forms, after how many bytes stand before the secret; a
    character that others have a part in is left out of them.
    """
    alone = base64.b64encode(data).decode().rstrip("=")
    if len(alone) >= _SHORTEST_OF_CREDENTIALS:
        yield f"{_either_alphabet(alone)}={{0,2}}"
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        own = encoded[before and before + 1 : (before + len(data)) * 8 // 6]
        if len(own) >= _SHORTEST:
            yield _either_alphabet(own)


def _either_alphabet(encoded: str) -> str:
    """Base64 as a pattern that also takes it as URLs have it."""
    return encoded.replace("+", "[+-]").replace("/", "[/_]")


def _character(character: str) -> str:
    """A pattern for one character, or for several backslashes in a row, as the notations of programs write it.

    JSON, Python, shells, HTML, URLs and mail (quoted-printable), also one within the other.
    """
    if character.isalnum() and character.isascii():
        return character
    if character.startswith("\\"):
        # One quantifier for all of them: several beside each other would be tried in every combination.
        length = len(character)
        return rf"(?:\\{{{length},{16 * length}}}|(?:[%=]5[cC]){{{length}}})"
    code = ord(character)
    data = character.encode("utf-8", "surrogatepass")
    forms = [re.escape(character), rf"\\{{1,8}}u{_hex(code, 4)}", f"&#[xX]{_hex(code)};", f"&#{code};"]
    forms += [rf"\\{{1,8}}x{_hex(code, 2)}", _of_bytes(data, "%"), _of_bytes(data, "=", _SOFT_BREAK)]
    if not character.isascii():
        forms += [_of_bytes(data, r"\\{1,8}x"), "".join(rf"\\{{1,8}}{byte:03o}" for byte in data)]
    if code > 0xFFFF:
        pair = character.encode("utf-16-be")
        forms.append(rf"\\{{1,8}}U{_hex(code, 8)}")
        forms.append("".join(rf"\\{{1,8}}u{_hex(int.from_bytes(half), 4)}" for half in (pair[:2], pair[2:])))
    if character == " ":
        forms.append(r"\+")  # in the query of a URL
    if character in _WRITTEN:
        forms.append(rf"\\{{1,8}}{_WRITTEN[character]}")
    if (entity := html.escape(character)) != character:
        forms.append(re.escape(entity))
    return f"{_BACKSLASHES}(?:{'|'.join(forms)})"


def _of_bytes(data: bytes, mark: str, between: str = "") -> str:
    return between.join(f"{mark}{_hex(byte, 2)}" for byte in data)


def _hex(number: int, width: int = 1) -> str:
    """A pattern for a number in hexadecimal, in large or small letters."""
    return re.sub("[a-f]", lambda found: f"[{found[0]}{found[0].upper()}]", f"{number:0{width}x}")
