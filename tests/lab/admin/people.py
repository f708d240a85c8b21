"""Who lives on this mail server, and what the other services ask about them."""

from __future__ import annotations

import fnmatch
import json
import threading
from pathlib import Path
from typing import Any

from hashes import fits

FILE = Path("/data/lab.json")
KINDS = ("domain", "user", "alias", "relay")
KEYS = {"domain": "name", "user": "email", "alias": "email", "relay": "name"}
Entry = dict[str, Any]


class People:
    """Domains, users, aliases and relays by name; kept in one file.

    `faults` are the names of what is to go wrong here: `alias-lost`, `alias-not-sender`, `ascii-passwords`,
    `stripped-passwords`, `unquoted-replies`.
    """

    def __init__(self, file: Path = FILE, delimiter: str = "+", faults: frozenset[str] = frozenset()) -> None:
        self.file, self.delimiter, self.faults = file, delimiter, faults
        self.lock = threading.Lock()
        self.all: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
        if file.is_file():
            self.all |= json.loads(file.read_text("utf-8"))

    def update(self, document: dict[str, Any], keep: bool) -> None:
        """Takes in a document as `config-import` reads it. Without `keep`, all that was there before goes."""
        with self.lock:
            fresh = {kind: dict(self.all[kind]) if keep else {} for kind in KINDS}
            for kind in KINDS:
                for entry in document.get(kind) or ():
                    name = str(entry[KEYS[kind]]).lower()
                    if entry.get("-pkey-") == "delete":
                        fresh[kind].pop(name, None)
                    else:
                        fresh[kind][name] = {**fresh[kind].get(name, {}), **entry}
            self.all = fresh
            self.file.write_text(json.dumps(fresh), "utf-8")

    def delete(self, kind: str, name: str) -> bool:
        with self.lock:
            found = self.all[kind].pop(name.lower(), None)
            self.file.write_text(json.dumps(self.all), "utf-8")
        return found is not None

    def domain(self, name: str) -> str | None:
        """The domain that `name` is, or is an alternative of."""
        for domain, entry in self.all["domain"].items():
            if name.lower() in (domain, *map(str.lower, entry.get("alternatives") or ())):
                return domain
        return None

    def address(self, text: str) -> str:
        """`text` in lower case, in the main domain if its own is an alternative."""
        name, _, domain = text.lower().rpartition("@")
        return f"{name}@{self.domain(domain) or domain}"

    def user(self, text: str) -> Entry | None:
        return self.all["user"].get(self.address(text))

    def alias(self, text: str) -> Entry | None:
        address = self.address(text)
        if found := self.all["alias"].get(address):
            return found
        wild = [e for n, e in self.all["alias"].items() if e.get("wildcard") and _matches(address, n)]
        return min(wild, key=lambda entry: -len(entry["email"]), default=None)

    def destinations(self, text: str) -> list[str] | None:
        """Where mail for `text` goes: the mailbox itself, what it forwards to, what an alias stands for."""
        plain, detail = self._without_detail(text)
        if user := self.user(text) or self.user(plain):
            own = self.address(user["email"]).replace("@", f"{detail}@")
            if not user.get("forward_enabled"):
                return [own]
            return [*user.get("forward_destination", ()), *([own] if user.get("forward_keep", True) else ())]
        alias = None if "alias-lost" in self.faults else self.alias(text) or self.alias(plain)
        return list(alias["destination"]) if alias else None

    def owners(self, text: str) -> list[str] | None:
        """Who may send as `text`."""
        plain, _ = self._without_detail(text)
        owners = [name for name, user in self.all["user"].items() if user.get("allow_spoofing")]
        if user := self.user(text) or self.user(plain):
            owners.append(self.address(user["email"]))
        elif (alias := self.alias(text) or self.alias(plain)) and "alias-not-sender" not in self.faults:
            owners += alias["destination"]
        return owners or None

    def login(self, name: str, password: str, protocol: str) -> bool:
        """Whether `name` may log in so."""
        user = self.all["user"].get(name.lower())
        if user is None or not user.get("enabled", True) or "@" not in name:
            return False
        if (protocol == "imap" and not user.get("enable_imap", True)) or (
            protocol == "pop3" and not user.get("enable_pop", True)
        ):
            return False
        if "ascii-passwords" in self.faults and not password.isascii():
            return False
        if "stripped-passwords" in self.faults:
            password = password.strip()
        tokens = [token["password"] for token in user.get("tokens") or ()]
        if "old-hashes-refused" in self.faults and "$" in str(user.get("password")):
            return False
        return password in tokens or fits(password, str(user.get("password")))

    def mailbox(self, text: str) -> dict[str, str] | None:
        """What Dovecot has to know of a mailbox (its userdb fields), or None where there is none."""
        plain, _ = self._without_detail(text)
        user = self.user(text) or self.user(plain)
        if user is None:
            return None
        fields = {"user": self.address(user["email"])}
        if quota := int(user.get("quota_bytes") or 0):
            fields["quota_rule"] = f"*:bytes={quota}"
        if user.get("reply_enabled"):
            fields["sieve_before2"] = "file:/run/lab/away.sieve"
            fields["sieve_env_reply_subject"] = str(user.get("reply_subject", ""))
            fields["sieve_env_reply_body"] = str(user.get("reply_body", ""))
            if "unquoted-replies" in self.faults:
                fields["sieve_env_reply_body"] = fields["sieve_env_reply_body"].partition('"')[0]
        return fields

    def _without_detail(self, text: str) -> tuple[str, str]:
        """`text` without what follows the delimiter, and that (`+detail`)."""
        name, _, domain = text.rpartition("@")
        for delimiter in self.delimiter:
            if delimiter in name[1:]:
                base = name[: name.index(delimiter, 1)]
                return f"{base}@{domain}", name[len(base) :]
        return text, ""


def _matches(address: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(address, pattern.replace("%", "*"))
