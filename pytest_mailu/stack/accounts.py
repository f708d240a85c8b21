"""The accounts of the test, imported in one call of `flask mailu config-import`.

Sources: core/admin/mailu/schemas.py and manage.py (`config_import`) of 1.9.50, 2.0.43 and 2024.06.24.
"""

from __future__ import annotations

import json
from typing import Any

from docker.models.containers import Container

from pytest_mailu.core import population
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.population import Alias, User
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.evidence.container_io import archive, execute
from pytest_mailu.stack.world.dkim import private_key
from pytest_mailu.stack.world.plan import PORTS
from pytest_mailu.stack.world.zones import RELAYED_HOST

_PATH = "/tmp/population.json"  # noqa: S108 - inside the container
_ENVIRONMENT = {"CREDENTIAL_ROUNDS": "4"}
"""Hashes that are cheap to make; Mailu makes a user's anew at the first login if its own setting is dearer."""


def import_accounts(release: Release, admin: Container) -> None:
    """Imports the population into a running `admin`; what was there before goes. Blocking. Raises StackError."""
    text = document(release, private_key(), f"{RELAYED_HOST}:{PORTS['relayed']}")
    admin.put_archive("/", archive({_PATH: text.encode()}))
    command = ("flask", "mailu", "config-import", "--quiet", _PATH)
    result = execute(admin, command, user=release.admin_user, environment=_ENVIRONMENT)
    if result.code:
        raise StackError(
            f"Mailu {release} refused the accounts of the test (flask mailu config-import)",
            "see its output below; a release that imports differently needs a newer pytest-mailu",
            tuple((result.output + result.errors).strip().splitlines()[-12:]),
            service="admin",
        )


def document(release: Release, dkim_key: str, relay_to: str) -> str:
    """The population as JSON, which is YAML, too, and quicker to read.

    `dkim_key` is a private key in PEM for every local domain; `relay_to` the host that `RELAYED` is sent to.
    """
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
            "user": [_user(release, user) for user in population.users()],
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
        "global_admin": user is population.ADMIN,
    }
    if user.forward:
        entry |= {"forward_enabled": True, "forward_destination": list(user.forward), "forward_keep": user.keep}
    if user.reply:
        entry |= {"reply_enabled": True, "reply_subject": "Away", "reply_body": user.reply}
    if user.spoof and release.lets_users_spoof:
        entry["allow_spoofing"] = True
    return entry


def _alias(alias: Alias) -> dict[str, Any]:
    return {"email": alias.address, "destination": list(alias.destinations), "wildcard": alias.wildcard}
