"""The lab's REST interface: a small one of the same shape as Mailu's, over the same list of people (standard library).

`faults` are the names of what is to go wrong here: `api-500` (a wrong type is answered with an error of the server),
`api-forgets` (a change of forward_destination is not saved), `api-open` (a token can be changed without the token),
`api-loses-relay` (relays have no path any more), `api-ghost` (what is created is not there).
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import secrets
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from people import KEYS, Entry, People

Answer = tuple[int, Any]
"""Status, and what is sent as JSON."""
DOMAIN = r"(?!-)[a-z0-9-]+(?:\.[a-z0-9-]+)+"
ADDRESS = rf"[^@\s/]{{1,64}}@{DOMAIN}"
TEXT, NUMBER, TRUTH, LIST = "string", "integer", "boolean", "array"
FIELDS: Mapping[str, Mapping[str, str]] = {
    "user": {
        "email": TEXT,
        "raw_password": TEXT,
        **dict.fromkeys(("comment", "displayed_name", "reply_subject", "reply_body"), TEXT),
        **dict.fromkeys(("reply_startdate", "reply_enddate"), TEXT),
        **dict.fromkeys(("quota_bytes", "spam_threshold"), NUMBER),
        **dict.fromkeys(("global_admin", "enabled", "change_pw_next_login", "enable_imap", "enable_pop"), TRUTH),
        **dict.fromkeys(("allow_spoofing", "forward_enabled", "forward_keep", "reply_enabled"), TRUTH),
        **dict.fromkeys(("spam_enabled", "spam_mark_as_read"), TRUTH),
        "forward_destination": LIST,
    },
    "domain": {
        "name": TEXT,
        "comment": TEXT,
        **dict.fromkeys(("max_users", "max_aliases", "max_quota_bytes"), NUMBER),
        "signup_enabled": TRUTH,
        "alternatives": LIST,
    },
    "alternative": {"name": TEXT, "domain": TEXT},
    "alias": {"email": TEXT, "comment": TEXT, "destination": LIST, "wildcard": TRUTH},
    "relay": {"name": TEXT, "smtp": TEXT, "comment": TEXT},
    "token": {"email": TEXT, "comment": TEXT, "AuthorizedIP": LIST},
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    **{"user": ("email", "raw_password"), "domain": ("name",), "alternative": ("name", "domain")},
    **{"alias": ("email", "destination"), "relay": ("name",), "token": ("email",)},
}
KEY = {**KEYS, "alternative": "name", "token": "id"}
TYPES: Mapping[str, type] = {TEXT: str, NUMBER: int, TRUTH: bool, LIST: list}


class Rest:
    """The interface under `/api/v1`."""

    def __init__(self, people: People, token: str, faults: frozenset[str] = frozenset()) -> None:
        self.people, self.token, self.faults = people, token, faults
        self.lock = threading.RLock()
        self.alternatives: dict[str, Entry] = {}
        self.tokens: dict[str, Entry] = {}
        self.managers: dict[str, list[str]] = {}

    def answer(self, method: str, path: str, authorization: str, body: bytes, kind: str) -> Answer:
        """The answer to a request for `path` below `/api/v1`."""
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        if parts == ["swagger.json"]:
            return 200, self.document()
        if parts == [""]:
            return 200, {}
        name = parts[0].removeprefix("tokenuser") or "token"
        if name not in FIELDS or (name == "relay" and "api-loses-relay" in self.faults):
            return 404, {"message": "no such path"}
        unguarded = "api-open" in self.faults and (method, parts[0]) == ("PATCH", "token")
        if not authorization and not unguarded:
            return 401, {"message": "a token is needed"}
        if authorization.removeprefix("Bearer ") != self.token and not unguarded:
            return 403, {"message": "not this token"}
        document: Any = {}
        if method in ("POST", "PATCH") and parts[-1] != "dkim":
            try:
                document = json.loads(body) if kind == "application/json" else None
            except ValueError:
                document = None
            if not isinstance(document, dict):
                return 400, {"code": 400, "message": "a document is needed"}
        with self.lock:
            return self._do(method, name, parts, document)

    def _do(self, method: str, name: str, parts: list[str], document: Entry) -> Answer:
        match parts:
            case ["domain", domain, "manager", *who]:
                return self._managers(method, domain, who, document)
            case ["domain", domain, "users"]:
                return 200, [self._shown("user", e) for e in self._all("user").values() if e["email"].endswith(domain)]
            case ["domain", domain, "dkim"] if entry := self._all("domain").get(domain):
                return self._saved("domain", domain, {**entry, "dns_dkim": f"dkim._domainkey.{domain}. v=DKIM1"})
            case ["alias", "destination", domain]:
                return 200, [self._shown("alias", e) for e in self._all("alias").values() if domain in e["email"]]
            case ["tokenuser", owner] if method == "GET":
                return 200, [self._shown("token", e) for e in self.tokens.values() if e["email"] == owner]
            case ["tokenuser", owner]:
                return self._create("token", {**document, "email": owner})
            case [_] if method == "GET":
                return 200, [self._shown(name, entry) for entry in self._all(name).values()]
            case [_]:
                return self._create(name, document)
            case [_, key]:
                return self._one(method, name, key.lower(), document)
        return 404, {"message": "no such path"}

    def _create(self, name: str, document: Entry) -> Answer:
        missing = [field for field in REQUIRED[name] if field not in document]
        if missing:
            return _bad(f"missing: {missing[0]}")
        if refused := self._refusal(name, document):
            return refused
        if name == "token":
            made = {**document, "id": len(self.tokens) + 1, "token": secrets.token_hex(16)}
            self.tokens[str(made["id"])] = made
            self._owners_tokens(document["email"])
            return 200, made
        key = document[KEY[name]].lower()
        if key in self._all(name) or (name != "user" and name != "alias" and self.people.domain(key)):
            return 409, {"code": 409, "message": "already there"}
        if "api-ghost" in self.faults:
            return 200, {"code": 200}
        if name == "user":
            document = {**document, "password": document["raw_password"]}
        return self._saved(name, key, document)

    def _one(self, method: str, name: str, key: str, document: Entry) -> Answer:
        form = {"user": ADDRESS, "alias": ADDRESS, "token": ".*"}.get(name, DOMAIN)
        if not re.fullmatch(form, key):
            return _bad("no such name can be")
        entry = self._all(name).get(key)
        if entry is None:
            return 404, {"code": 404, "message": "not found"}
        match method:
            case "GET":
                return 200, self._shown(name, entry)
            case "PATCH":
                if refused := self._refusal(name, document):
                    return refused
                changes = dict(document)
                if "api-forgets" in self.faults:
                    changes.pop("forward_destination", None)
                if "raw_password" in changes:
                    changes["password"] = changes["raw_password"]
                return self._saved(name, key, {**entry, **changes})
            case _:
                self._all(name).pop(key)
                if name == "alternative":
                    self._stands_for(entry["domain"], lambda others: [each for each in others if each != key])
                if name == "token":
                    self._owners_tokens(entry["email"])
                if name in KEYS:
                    self.people.delete(name, key)
                return 200, {"code": 200}

    def _refusal(self, name: str, document: Entry) -> Answer | None:
        """Why a document is refused, if it is."""
        for field, value in document.items():
            wanted = TYPES.get(FIELDS[name].get(field, ""))
            if wanted and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
                return (500, {"message": "TypeError"}) if "api-500" in self.faults else _bad(f"type of {field}")
        for field, form in {"email": ADDRESS, "name": DOMAIN, "domain": DOMAIN}.items():
            if field in document and not re.fullmatch(form, document[field].lower()):
                return _bad(f"{field} is none")
        for field in ("forward_destination", "destination"):
            if any(not re.fullmatch(ADDRESS, str(each).lower()) for each in document.get(field, ())):
                return _bad(f"{field} has no address")
        for field in ("reply_startdate", "reply_enddate"):
            if field in document and not _is_date(document[field]):
                return _bad(f"{field} is no date")
        if any(not _is_network(each) for each in document.get("AuthorizedIP", ())):
            return _bad("AuthorizedIP is none")
        if "email" in document and self.people.domain(document["email"].rpartition("@")[2]) is None:
            return 404, {"code": 404, "message": "no such domain"}
        if name == "token" and document.get("email", "").lower() not in {"", *self.people.all["user"]}:
            return 404, {"code": 404, "message": "no such user"}
        if name == "alternative" and self.people.domain(document["domain"]) is None:
            return 404, {"code": 404, "message": "no such domain"}
        return None

    def _managers(self, method: str, domain: str, who: list[str], document: Entry) -> Answer:
        managers = self.managers.setdefault(domain, [])
        email = str(who[0] if who else document.get("user_email", "")).lower()
        if method == "GET" and not who:
            return 200, {"managers": managers}
        if not re.fullmatch(ADDRESS, email):
            return _bad("no address")
        if email not in self._all("user") or (who and email not in managers):
            return 404, {"code": 404, "message": "not found"}
        if method == "POST":
            if email in managers:
                return 409, {"code": 409, "message": "is one"}
            managers.append(email)
        elif method == "DELETE":
            managers.remove(email)
        return 200, {"code": 200, "message": f"{email} is a manager"}

    def _all(self, name: str) -> dict[str, Entry]:
        if name in KEYS:
            return self.people.all[name]
        return self.tokens if name == "token" else self.alternatives

    def _saved(self, name: str, key: str, entry: Entry) -> Answer:
        if name in KEYS:
            self.people.update({name: [entry]}, keep=True)
        else:
            self._all(name)[key] = entry
        if name == "alternative":
            self._stands_for(entry["domain"], lambda others: [*others, key])
        if name == "token":
            self._owners_tokens(entry["email"])
        return 200, {"code": 200}

    def _stands_for(self, domain: str, change: Callable[[list[str]], list[str]]) -> None:
        entry = self.people.all["domain"][domain]
        self.people.update({"domain": [{**entry, "alternatives": change(entry.get("alternatives") or [])}]}, keep=True)

    def _owners_tokens(self, owner: str) -> None:
        own = [{"password": each["token"]} for each in self.tokens.values() if each["email"] == owner]
        self.people.update({"user": [{"email": owner, "tokens": own}]}, keep=True)

    @staticmethod
    def _shown(name: str, entry: Entry) -> Entry:
        hidden = ("raw_password", "password", "tokens", "token", "dkim_key", "hash_password")
        defaults = {field: TYPES[kind]() for field, kind in FIELDS[name].items()}
        return {key: value for key, value in {**defaults, **entry}.items() if key not in hidden}

    def document(self) -> Entry:
        """The interface in Swagger 2.0, as far as clients read it."""
        kinds = [kind for kind in FIELDS if kind != "relay" or "api-loses-relay" not in self.faults]
        models = {
            kind: {
                "properties": {field: {"type": what} for field, what in FIELDS[kind].items()},
                "required": REQUIRED[kind],
            }
            for kind in kinds
        }
        paths: dict[str, Any] = {}
        for kind in kinds:
            body = {"parameters": [{"in": "body", "schema": {"$ref": f"#/definitions/{kind}"}}]}
            one = "token_id" if kind == "token" else KEY[kind] if kind != "alternative" else "alt"
            read = {"responses": {"200": {"schema": {"$ref": f"#/definitions/{kind}"}}}}
            change = {} if kind == "alternative" else {"patch": body}
            paths[f"/{kind}"] = {"get": read, "post": body}
            paths[f"/{kind}/{{{one}}}"] = {"get": read, **change, "delete": {}}
        return {"swagger": "2.0", "paths": paths, "definitions": models}


def _bad(words: str) -> Answer:
    return 400, {"code": 400, "message": words}


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_network(text: object) -> bool:
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return False
    return True
