"""The objects of the REST API as data: their paths, a value for each field, and every kind of wrong input.

Source: core/admin/mailu/api/v1 of 2.0.43, 2024.06.24, 2024.06.57 and master.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_mailu.core.population import ALICE, ALTERNATIVE, BOB, DOMAIN, SALES, UNKNOWN_DOMAIN, own_mailbox

MISSING = object()
"""In the place of a value: the field is left out."""
TOKEN_OWNER = own_mailbox("api-token-owner")
MANAGER = own_mailbox("api-manager")
"""The user who becomes a manager of a domain."""
OTHER_MANAGER = own_mailbox("api-other-manager")
"""The same where wrong input is tried, which goes on beside it."""
PASSWORD = "api-made-secret-1"  # noqa: S105 - of users that only the test has
NO_ADDRESS = "no-address"
NO_DOMAIN = "no domain!"

Document = Mapping[str, Any]
Inputs = Mapping[str, Mapping[str, Any]]
"""Name of a wrong input → the fields that make a right document wrong."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object. `{word}` in texts stands for a unique word.

    `path` is where all are, `key` the field that names one (empty where the server gives a number); `create` has a
    value for each field that can be written, `change` another one; `required` are the fields without which there is
    no object. `hidden` are written and never read. `wrong` are inputs whose type is right and whose value is not, for
    creating and, where they name no field of `key`, for changing. `unknown` and `malformed` are names of no object.
    `reads` says whether reading one gives its fields. `other` has what a second object beside it needs instead, where
    `{word}` does not tell the two apart.
    """

    path: str
    key: str
    create: Document
    required: tuple[str, ...]
    change: Document = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    wrong: Inputs = field(default_factory=dict)
    unknown: str = ""
    malformed: str = ""
    reads: bool = True
    other: Document = field(default_factory=dict)

    @property
    def beside(self) -> Resource:
        """The kind, with objects that can be made and deleted while others of it are."""
        return replace(self, create={**self.create, **self.other})

    def written(self, word: str) -> dict[str, Any]:
        """The document that creates one, with every field."""
        return {name: _with(value, word) for name, value in self.create.items()}

    def changes(self, word: str) -> dict[str, Any]:
        """The document that changes every field that can be changed."""
        return {name: _with(value, word) for name, value in self.change.items()}


def _with(value: Any, word: str) -> Any:
    if isinstance(value, str):
        return value.replace("{word}", word)
    return [_with(inner, word) for inner in value] if isinstance(value, list) else value


_DATES = {
    f"{name}={shown}": {name: value}
    for name in ("reply_startdate", "reply_enddate")
    for shown, value in {
        "30-february": "2030-02-30",
        "a-word": "tomorrow",
        "empty": "",
        "day-first": "31.12.2030",
    }.items()
}

RESOURCES: Mapping[str, Resource] = {
    "user": Resource(
        "/user",
        "email",
        {
            "email": f"api-{{word}}@{DOMAIN}",
            "raw_password": PASSWORD,
            "comment": "made by a script",
            "quota_bytes": 500_000_000,
            "global_admin": False,
            "enabled": True,
            "change_pw_next_login": True,
            "enable_imap": False,
            "enable_pop": False,
            "allow_spoofing": True,
            "forward_enabled": True,
            "forward_destination": [BOB.address],
            "forward_keep": False,
            "reply_enabled": True,
            "reply_subject": "Away",
            "reply_body": "I am away.",
            "reply_startdate": "2030-01-02",
            "reply_enddate": "2030-03-04",
            "displayed_name": "Made by a script",
            "spam_enabled": True,
            "spam_mark_as_read": False,
            "spam_threshold": 70,
        },
        required=("email", "raw_password"),
        change={
            "raw_password": f"changed-{PASSWORD}",
            "comment": "changed by a script",
            "quota_bytes": 750_000_000,
            "global_admin": True,
            "enabled": False,
            "change_pw_next_login": False,
            "enable_imap": True,
            "enable_pop": True,
            "allow_spoofing": False,
            "forward_enabled": False,
            "forward_destination": [ALICE.address],
            "forward_keep": True,
            "reply_enabled": False,
            "reply_subject": "Changed",
            "reply_body": "I am back.",
            "reply_startdate": "2031-05-06",
            "reply_enddate": "2031-07-08",
            "displayed_name": "Changed by a script",
            "spam_enabled": False,
            "spam_mark_as_read": True,
            "spam_threshold": 60,
        },
        hidden=("raw_password",),
        wrong={
            "email=no-address": {"email": NO_ADDRESS},
            "email=unknown-domain": {"email": f"api-{{word}}@{UNKNOWN_DOMAIN}"},
            "email=empty": {"email": ""},
            "email=taken, in capitals": {"email": ALICE.address.upper()},
            "email=two @": {"email": f"a@b@{DOMAIN}"},
            "email=quoted": {"email": f'"api {{word}}"@{DOMAIN}'},
            "email=long": {"email": f"{'x' * 300}@{DOMAIN}"},
            "quota_bytes=negative": {"quota_bytes": -1},
            "quota_bytes=huge": {"quota_bytes": 1 << 70},
            "spam_threshold=negative": {"spam_threshold": -5},
            "forward_destination=no-address": {"forward_destination": [NO_ADDRESS]},
            "forward_destination=none": {"forward_enabled": True, "forward_destination": []},
            "forward_destination=missing": {"forward_enabled": True, "forward_destination": MISSING},
            **_DATES,
        },
        unknown=f"nobody-{{word}}@{DOMAIN}",
        malformed=NO_ADDRESS,
    ),
    "domain": Resource(
        "/domain",
        "name",
        {
            "name": "api-{word}.example",
            "comment": "made by a script",
            "max_users": 7,
            "max_aliases": 8,
            "max_quota_bytes": 1_000_000_000,
            "signup_enabled": False,
            "alternatives": ["api-other-{word}.example"],
        },
        required=("name",),
        change={
            "comment": "changed by a script",
            "max_users": 9,
            "max_aliases": 10,
            "max_quota_bytes": 2_000_000_000,
            "signup_enabled": True,
            "alternatives": ["api-third-{word}.example"],
        },
        wrong={
            "name=no-domain": {"name": NO_DOMAIN},
            "name=empty": {"name": ""},
            "name=an-alternative": {"name": ALTERNATIVE},
            "max_users=-2": {"max_users": -2},
            "max_aliases=-2": {"max_aliases": -2},
            "max_quota_bytes=negative": {"max_quota_bytes": -1},
            "alternatives=no-domain": {"alternatives": [NO_DOMAIN]},
            "alternatives=taken": {"alternatives": [ALTERNATIVE]},
            "alternatives=twice": {"alternatives": ["api-twice-{word}.example", "api-twice-{word}.example"]},
        },
        unknown="api-nowhere-{word}.example",
        malformed=NO_DOMAIN,
    ),
    "alternative": Resource(
        "/alternative",
        "name",
        {"name": "api-alternative-{word}.example", "domain": DOMAIN},
        required=("name", "domain"),
        wrong={
            "name=no-domain": {"name": NO_DOMAIN},
            "name=a-domain": {"name": DOMAIN},
            "domain=unknown": {"domain": "api-nowhere-{word}.example"},
            "domain=no-domain": {"domain": NO_DOMAIN},
        },
        unknown="api-nowhere-{word}.example",
        malformed=NO_DOMAIN,
    ),
    "alias": Resource(
        "/alias",
        "email",
        {
            "email": f"api-alias-{{word}}@{DOMAIN}",
            "comment": "made by a script",
            "destination": [ALICE.address],
            "wildcard": False,
        },
        required=("email", "destination"),
        change={
            "comment": "changed by a script",
            "destination": [BOB.address],
            "wildcard": True,
            "hostname": "shop.example",
            "disabled": True,
        },
        wrong={
            "email=no-address": {"email": NO_ADDRESS},
            "email=unknown-domain": {"email": f"api-{{word}}@{UNKNOWN_DOMAIN}"},
            "email=taken, in capitals": {"email": SALES.address.upper()},
            "destination=no-address": {"destination": [NO_ADDRESS]},
            "destination=unknown-user": {"destination": [f"nobody-{{word}}@{DOMAIN}"]},
            "destination=none": {"destination": []},
        },
        unknown=f"nobody-{{word}}@{DOMAIN}",
        malformed=NO_ADDRESS,
    ),
    "relay": Resource(
        "/relay",
        "name",
        {"name": "api-relay-{word}.example", "smtp": "relay.example", "comment": "made by a script"},
        required=("name",),
        change={"smtp": "other-relay.example", "comment": "changed by a script"},
        wrong={
            "name=no-domain": {"name": NO_DOMAIN},
            "name=a-domain": {"name": DOMAIN},
            "smtp=empty": {"smtp": ""},
        },
        unknown="api-nowhere-{word}.example",
        malformed=NO_DOMAIN,
    ),
    "token": Resource(
        "/token",
        "",
        {"email": TOKEN_OWNER.address, "comment": "made by a script {word}", "AuthorizedIP": ["192.0.2.1"]},
        required=("email",),
        change={"comment": "changed by a script {word}", "AuthorizedIP": ["198.51.100.0/24", "2001:db8::/32"]},
        wrong={
            "email=no-address": {"email": NO_ADDRESS},
            "email=unknown-user": {"email": f"nobody-{{word}}@{DOMAIN}"},
            "AuthorizedIP=no-address": {"AuthorizedIP": ["everywhere"]},
            "AuthorizedIP=mask-too-long": {"AuthorizedIP": ["192.0.2.0/99"]},
        },
        unknown="999999",
        malformed="no-number",
    ),
    "manager": Resource(
        f"/domain/{DOMAIN}/manager",
        "user_email",
        {"user_email": MANAGER.address},
        required=("user_email",),
        wrong={
            "user_email=no-address": {"user_email": NO_ADDRESS},
            "user_email=unknown-user": {"user_email": f"nobody-{{word}}@{DOMAIN}"},
        },
        unknown=f"nobody-{{word}}@{DOMAIN}",
        malformed=NO_ADDRESS,
        reads=False,
        other={"user_email": OTHER_MANAGER.address},
    ),
}


def wrong_to_create(resource: Resource) -> Iterator[tuple[str, Document]]:
    """Name and document of each wrong input for creating one, with `{word}` for a word of its own each."""
    right = resource.create
    for name in resource.required:
        yield f"missing {name}", {key: value for key, value in right.items() if key != name}
    for name, value in right.items():
        yield f"wrong type of {name}", {**right, name: _of_another_type(value)}
    for name, changes in resource.wrong.items():
        document = {**right, **changes}
        yield name, {key: value for key, value in document.items() if value is not MISSING}


def wrong_to_change(resource: Resource) -> Iterator[tuple[str, Document]]:
    """The same for changing one: a null for each field, and each wrong value."""
    for name in resource.change:
        yield f"null for {name}", {name: None}
    for name, changes in resource.wrong.items():
        values = {key: value for key, value in changes.items() if value is not MISSING}
        if values.keys() <= resource.change.keys() and values:
            yield name, values


NO_DOCUMENTS: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/json"),
    "half a document": (b'{"comment": "', "application/json"),
    "an empty document": (b"{}", "application/json"),
    "a list": (b"[]", "application/json"),
    "null": (b"null", "application/json"),
    "a number": (b"17", "application/json"),
    "not UTF-8": (b'{"comment": "\xff\xfe"}', "application/json"),
    "a form": (b"comment=x", "application/x-www-form-urlencoded"),
    "a document as text": (b'{"comment": "x"}', "text/plain"),
}
"""Bodies that are no document for any object, and their content types."""

_OTHER_TYPES: Mapping[type, Callable[[], Any]] = {
    bool: lambda: "perhaps",
    int: lambda: "many",
    str: lambda: 12345,
    list: lambda: "text",
}


def _of_another_type(value: Any) -> Any:
    return _OTHER_TYPES[type(value)]()
