"""The forms of the web site as data: where each is, right values, wrong ones, and what may be left empty.

Source: core/admin/mailu/ui/forms.py and views of 1.9.50, 2.0.43, 2024.06.24, 2024.06.57 and master.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_mailu.core.population import ALICE, ALTERNATIVE, BOB, DOMAIN, ELSEWHERE, SALES, User, own_mailbox

PASSWORD = "form-made-secret-1"  # noqa: S105 - of users that only the test has
EDITED = own_mailbox("site-edited")
SET_UP = own_mailbox("site-set-up")
AWAY = own_mailbox("site-away")
NEW_PASSWORD = own_mailbox("site-new-password")
"""The users whose forms an administrator fills in, one for each form: forms of one user show what others have saved."""
PROMOTED = own_mailbox("site-promoted")
"""The user who becomes a manager and an administrator, and neither again."""
TOKEN_OWNER = own_mailbox("site-token-owner")

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """One form. `{word}` in texts stands for a word of its own each time it is sent.

    `right` are values that are to be saved; where `reads` is a page, its form shows them afterwards, or it names `key`.
    `optional` are fields that may be left empty, `wrong` changes that make right values wrong. `by` is who sends it; an
    administrator where there is none.
    """

    path: str
    right: Values
    reads: str
    key: str = ""
    hidden: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    wrong: Mapping[str, Values] = field(default_factory=dict)
    by: User | None = None
    removed: str = ""
    gone: str = ""


_PASSWORDS: Mapping[str, Values] = {
    "passwords differ": {"pw2": "another-secret-1"},
    "short password": {"pw": "abc", "pw2": "abc"},
    "no password": {"pw": "", "pw2": ""},
}

FORMS: Mapping[str, Form] = {
    "user-create": Form(
        f"/user/create/{DOMAIN}",
        {
            "localpart": "form-{word}",
            "pw": PASSWORD,
            "pw2": PASSWORD,
            "displayed_name": 'A name, "quoted" & more',
            "comment": "made by a form",
            "quota_bytes": "500000000",
            "enable_imap": "y",
            "allow_spoofing": "y",
        },
        reads=f"/user/edit/form-{{word}}@{DOMAIN}",
        hidden=("pw", "pw2", "localpart"),
        optional=("displayed_name", "comment", "quota_bytes"),
        wrong={
            **_PASSWORDS,
            "no name": {"localpart": ""},
            "a blank in the name": {"localpart": "with blank {word}"},
            "an address as name": {"localpart": f"form-{{word}}@{DOMAIN}"},
            "a name that is taken": {"localpart": ALICE.name},
            "a name that is taken, in capitals": {"localpart": ALICE.name.upper()},
            "quota is a word": {"quota_bytes": "many"},
        },
    ),
    "user-edit": Form(
        f"/user/edit/{EDITED.address}",
        {"displayed_name": "Edited", "comment": "edited {word}", "quota_bytes": "600000000", "enable_imap": "y"},
        reads=f"/user/edit/{EDITED.address}",
        optional=("displayed_name", "comment", "quota_bytes"),
        wrong={"passwords differ": {"pw": PASSWORD, "pw2": "x"}, "quota is a word": {"quota_bytes": "many"}},
    ),
    "user-settings": Form(
        f"/user/usersettings/{SET_UP.address}",
        {
            "displayed_name": "Settings {word}",
            "spam_enabled": "y",
            "spam_mark_as_read": "y",
            "spam_threshold": "60",
            "forward_enabled": "y",
            "forward_keep": "y",
            "forward_destination": f"kept@{ELSEWHERE}, Second.User@{ELSEWHERE}",
        },
        reads=f"/user/usersettings/{SET_UP.address}",
        optional=("displayed_name", "spam_threshold"),
        wrong={
            "no address": {"forward_destination": "no-address"},
            "an empty address": {"forward_destination": f"kept@{ELSEWHERE},,"},
            "forward to nobody": {"forward_destination": ""},
            "threshold is a word": {"spam_threshold": "much"},
        },
    ),
    "user-reply": Form(
        f"/user/reply/{AWAY.address}",
        {
            "reply_enabled": "y",
            "reply_subject": 'Away "until" {word}',
            "reply_body": 'I am "away".\r\n\r\n--\r\nMe & you <x>',
            "reply_startdate": "2030-01-02",
            "reply_enddate": "2030-03-04",
        },
        reads=f"/user/reply/{AWAY.address}",
        optional=("reply_subject", "reply_body", "reply_startdate", "reply_enddate"),
        wrong={
            "a word as date": {"reply_startdate": "tomorrow"},
            "30 February": {"reply_enddate": "2030-02-30"},
            "the end before the start": {"reply_enddate": "2029-01-01"},
        },
    ),
    "user-password": Form(
        f"/user/password/{NEW_PASSWORD.address}",
        {"pw": NEW_PASSWORD.password, "pw2": NEW_PASSWORD.password},
        reads=f"/user/list/{DOMAIN}",
        key=NEW_PASSWORD.address,
        wrong=_PASSWORDS,
    ),
    "domain-create": Form(
        "/domain/create",
        {
            "name": "form-{word}.example",
            "max_users": "5",
            "max_aliases": "6",
            "max_quota_bytes": "1000000000",
            "signup_enabled": "y",
            "comment": "made by a form",
        },
        reads="/domain/edit/form-{word}.example",
        hidden=("name",),
        optional=("comment", "max_users", "max_aliases", "max_quota_bytes"),
        wrong={
            "no name": {"name": ""},
            "no domain": {"name": "no domain {word}"},
            "a domain that is there": {"name": DOMAIN},
            "an alternative": {"name": ALTERNATIVE},
            "users is a word": {"max_users": "many"},
            "users is -2": {"max_users": "-2"},
        },
        removed="/domain/delete/form-{word}.example",
        gone="/domain",
    ),
    "alternative-create": Form(
        f"/alternative/create/{DOMAIN}",
        {"name": "form-other-{word}.example"},
        reads=f"/alternative/list/{DOMAIN}",
        key="form-other-{word}.example",
        wrong={"no name": {"name": ""}, "a domain": {"name": DOMAIN}, "an alternative": {"name": ALTERNATIVE}},
        removed="/alternative/delete/form-other-{word}.example",
        gone=f"/alternative/list/{DOMAIN}",
    ),
    "alias-create": Form(
        f"/alias/create/{DOMAIN}",
        {"localpart": "form-alias-{word}", "destination": BOB.address, "wildcard": "y", "comment": "made by a form"},
        reads=f"/alias/edit/form-alias-{{word}}@{DOMAIN}",
        hidden=("localpart",),
        optional=("comment", "destination"),
        wrong={
            "no name": {"localpart": ""},
            "a blank in the name": {"localpart": "with blank {word}"},
            "a name that is taken": {"localpart": ALICE.name},
            "an alias that is taken, in capitals": {"localpart": SALES.name.upper()},
            "no address": {"destination": "no-address"},
        },
        removed=f"/alias/delete/form-alias-{{word}}@{DOMAIN}",
        gone=f"/alias/list/{DOMAIN}",
    ),
    "relay-create": Form(
        "/relay/create",
        {"name": "form-relay-{word}.example", "smtp": "relay.example", "comment": "made by a form"},
        reads="/relay/edit/form-relay-{word}.example",
        hidden=("name",),
        optional=("smtp", "comment"),
        wrong={"no name": {"name": ""}, "a domain": {"name": DOMAIN}, "no domain": {"name": "no domain {word}"}},
        removed="/relay/delete/form-relay-{word}.example",
        gone="/relay",
    ),
    "manager-create": Form(
        f"/manager/create/{DOMAIN}",
        {"manager": PROMOTED.address},
        reads=f"/manager/list/{DOMAIN}",
        key=PROMOTED.address,
        wrong={"nobody": {"manager": ""}, "unknown": {"manager": f"nobody@{DOMAIN}"}, "again": {}},
        removed=f"/manager/delete/{DOMAIN}/{PROMOTED.address}",
        gone=f"/manager/list/{DOMAIN}",
    ),
    "admin-create": Form(
        "/admin/create",
        {"admin": PROMOTED.address},
        reads="/admin/list",
        key=PROMOTED.address,
        wrong={"nobody": {"admin": ""}, "unknown": {"admin": f"nobody@{DOMAIN}"}, "again": {}},
        removed=f"/admin/delete/{PROMOTED.address}",
        gone="/admin/list",
    ),
    "token-create": Form(
        "/token/create",
        {"comment": "form {word}", "ip": "192.0.2.1"},
        reads="/token/list",
        key="form {word}",
        optional=("comment", "ip"),
        wrong={"a word as address": {"ip": "everywhere"}, "a mask that is too long": {"ip": "192.0.2.0/99"}},
        by=TOKEN_OWNER,
    ),
    "token-create-network": Form(
        "/token/create",
        {"comment": "network {word}", "ip": "192.0.2.0/24, 2001:db8::/32"},
        reads="/token/list",
        key="network {word}",
        by=TOKEN_OWNER,
    ),
}

FETCH_FORMS: Mapping[str, Form] = {
    "fetch-create": Form(
        "/fetch/create",
        {
            "protocol": "imap",
            "host": "form-{word}.example",
            "port": "993",
            "tls": "y",
            "username": "somebody",
            "password": "fetch-secret-1",
            "folders": "INBOX,Junk",
        },
        reads="/fetch/list",
        key="form-{word}.example",
        optional=("folders",),
        wrong={
            "no host": {"host": ""},
            "no user": {"username": ""},
            "no password": {"password": ""},
            "port is a word": {"port": "imaps"},
            "port is too high": {"port": "70000"},
            "an empty folder": {"folders": "INBOX,,Junk"},
            "another protocol": {"protocol": "gopher"},
        },
        by=TOKEN_OWNER,
    ),
}
"""Of accounts that are fetched, where FETCHMAIL_ENABLED is set."""
