"""The population as one document for `flask mailu config-import`: the whole of it in one call.

Sources: core/admin/mailu/schemas.py and manage.py (`config_import`) of 1.9.50, 2.0.43 and 2024.06.24.
"""

from __future__ import annotations

import json
from typing import Any

from pytest_mailu.core import population
from pytest_mailu.core.population import Alias, User
from pytest_mailu.core.releases import Release

DKIM_SELECTOR = "dkim"
IMPORT_ENVIRONMENT = {"CREDENTIAL_ROUNDS": "4"}
"""Hashes that are cheap to make; Mailu makes a user's anew at the first login if its own setting is dearer."""


def import_command(path: str) -> tuple[str, ...]:
    """Reads the document from a file in the container. Whatever was there before goes: no `--update`."""
    return ("flask", "mailu", "config-import", "--quiet", path)


def document(release: Release, dkim_key: str, relay_to: str, tokens: dict[str, str] | None = None) -> str:
    """The population as JSON, which is YAML, too, and quicker to read.

    `dkim_key` is a private key in PEM for every local domain; `relay_to` the host that `RELAYED` is sent to;
    `tokens` maps an address to one authentication token (32 hexadecimal digits).
    """
    wanted = tokens or {}
    return json.dumps(
        {
            "domain": [
                {
                    "name": population.DOMAIN,
                    "alternatives": [population.ALTERNATIVE],
                    "dkim_key": dkim_key,
                    "max_users": -1,
                    "max_aliases": -1,
                }
            ],
            "user": [_user(release, user, wanted.get(user.address, "")) for user in population.USERS],
            "alias": [_alias(alias) for alias in population.ALIASES],
            "relay": [{"name": population.RELAYED, "smtp": relay_to}],
        }
    )


def _user(release: Release, user: User, token: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "email": user.address,
        "password": user.password,
        "hash_password": True,
        "enabled": user.enabled,
        "enable_imap": user.imap,
        "enable_pop": user.pop3,
        "quota_bytes": user.quota_bytes,
        "global_admin": user is population.ADMIN,
    }
    if user.forward:
        entry |= {"forward_enabled": True, "forward_destination": list(user.forward), "forward_keep": user.keep}
    if user.reply:
        entry |= {"reply_enabled": True, "reply_subject": "Away", "reply_body": user.reply}
    if user.spoof and release.lets_users_spoof:
        entry["allow_spoofing"] = True
    if token:
        entry["tokens"] = [{"password": token, "hash_password": True, "comment": "pytest-mailu"}]
    return entry


def _alias(alias: Alias) -> dict[str, Any]:
    return {"email": alias.address, "destination": list(alias.destinations), "wildcard": alias.wildcard}
