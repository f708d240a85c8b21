"""The accounts of the test, imported in one call of `flask mailu config-import`.

Sources: core/admin/mailu/schemas.py and manage.py (`config_import`) of 1.9.50, 2.0.43 and 2024.06.24.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from docker.models.containers import Container

from pytest_mailu.core import population
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.export_file import Export
from pytest_mailu.core.population import Alias, User
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.evidence.container_io import archive, execute
from pytest_mailu.stack.world.dkim import private_key
from pytest_mailu.stack.world.plan import PORTS
from pytest_mailu.stack.world.zones import RELAYED_HOST

_PATH = "/tmp/population.json"  # noqa: S108 - inside the container
_ENVIRONMENT = {"CREDENTIAL_ROUNDS": "4"}
"""Hashes that are cheap to make; Mailu makes a user's anew at the first login if its own setting is dearer."""


def import_accounts(release: Release, admin: Container, seed: int = 0, *, keep: bool = False) -> bool:
    """Imports the population into a running `admin`. Blocking. Raises StackError.

    What was there before goes, unless it is to be kept. From `seed` the drawn passwords come. False where the database
    takes no characters beyond U+FFFF: names and automatic replies are then without them.
    """
    remedy = "see its output below; a release that imports differently needs a newer pytest-mailu"
    relay_to = f"{RELAYED_HOST}:{PORTS['relayed']}"
    text = document(release, private_key(), relay_to, seed)
    try:
        _import(release, admin, text, "the accounts of the test", remedy, update=keep)
    except StackError as error:
        # 2.0.43 talks to MariaDB in three bytes a character at most, unless its URL has ?charset=utf8mb4.
        if "Incorrect string value" not in "".join(error.details):
            raise
        text = document(release, private_key(), relay_to, seed, basic=True)
        _import(release, admin, text, "the accounts of the test", remedy, update=keep)
        return False
    return True


def import_export(release: Release, admin: Container, export: Export) -> None:
    """Adds the user's own accounts, with passwords that nobody knows. Blocking. Raises StackError."""
    users = [
        {**user, "password": secrets.token_urlsafe(12), "hash_password": True}
        for user in export.document.get("user", ())
    ]
    text = _as_yaml_reads_it({**export.document, "user": users})
    remedy = "see its output below: the release does not take an entry of your file"
    _import(release, admin, text, "the accounts of --mailu-export", remedy, update=True)


def _import(release: Release, admin: Container, text: str, what: str, remedy: str, *, update: bool) -> None:
    admin.put_archive("/", archive({_PATH: text.encode()}))
    command = ("flask", "mailu", "config-import", "--quiet", *(("--update",) if update else ()), _PATH)
    result = execute(admin, command, user=release.admin_user, environment=_ENVIRONMENT)
    if result.code:
        last = tuple((result.output + result.errors).strip().splitlines()[-12:])
        raise StackError(f"Mailu {release} refused {what} (flask mailu config-import)", remedy, last, service="admin")


def document(release: Release, dkim_key: str, relay_to: str, seed: int = 0, *, basic: bool = False) -> str:
    """The population as JSON, which is YAML, too, and quicker to read.

    `dkim_key` is a private key in PEM for every local domain; `relay_to` the host that `RELAYED` is sent to. With
    `basic`, texts that are stored as they are have no characters beyond U+FFFF.
    """
    users = [_user(release, user) for user in population.users(seed)]
    if basic:
        users = [{name: _basic(value) if name in _TEXTS else value for name, value in user.items()} for user in users]
    return _as_yaml_reads_it(
        {
            "domain": [
                {
                    "name": population.DOMAIN,
                    "alternatives": [population.ALTERNATIVE],
                    "dkim_key": dkim_key,
                    "max_users": -1,
                    "max_aliases": -1,
                },
                {"name": population.INTERNATIONAL, "dkim_key": dkim_key, "max_users": -1, "max_aliases": -1},
            ],
            "user": users,
            "alias": [_alias(alias) for alias in population.ALIASES],
            "relay": [{"name": population.RELAYED, "smtp": relay_to}],
        }
    )


def _user(release: Release, user: User) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "email": user.address,
        "password": user.password,
        "hash_password": True,
        "enabled": user.enabled,
        "enable_imap": user.imap,
        "enable_pop": user.pop3,
        "quota_bytes": user.quota_bytes,
        "global_admin": user.address == population.ADMIN.address,
    }
    if user.forward:
        entry |= {"forward_enabled": True, "forward_destination": list(user.forward), "forward_keep": user.keep}
    if user.reply:
        entry |= {"reply_enabled": True, "reply_subject": user.reply_subject, "reply_body": user.reply}
    if user.displayed_name:
        entry["displayed_name"] = user.displayed_name
    if not user.spam_filter:
        entry["spam_enabled"] = False
    if not user.spam_read and release.leaves_spam_unread:
        entry["spam_mark_as_read"] = False
    if user.spam_threshold is not None:
        entry["spam_threshold"] = user.spam_threshold
    if user.spoof and release.lets_users_spoof:
        entry["allow_spoofing"] = True
    return entry


_TEXTS = ("reply_subject", "reply_body", "displayed_name")


def _basic(text: str) -> str:
    """The text with a question mark in the place of each character beyond U+FFFF."""
    return "".join(character if character <= "\uffff" else "?" for character in text)


def _alias(alias: Alias) -> dict[str, Any]:
    return {"email": alias.address, "destination": list(alias.destinations), "wildcard": alias.wildcard}


def _as_yaml_reads_it(document: Any) -> str:
    """JSON with characters beyond U+FFFF as they are: YAML takes the two halves of an escaped one for two characters.

    (RFC 8259 section 7, YAML 1.2.2 section 5.7; PyYAML then has half characters that nothing can write.)
    """
    pair = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")
    return pair.sub(lambda found: json.loads(f'"{found[0]}"'), json.dumps(document))
