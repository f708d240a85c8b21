"""Fingerprints of accounts, mailboxes, contacts and calendars, made inside a service's container (Python 3.9).

`python3 -c SCRIPT accounts DOMAIN …` reads what `flask mailu config-export --json --secrets --full` prints; `python3 -c
SCRIPT mail FROM NUMBER EVERY DOMAIN …` looks at mailboxes in /mail, and asks Dovecot about every EVERYth. `web-mail
DOMAIN …` looks at Roundcube's database, and `calendars DOMAIN …` at Radicale's files. Domains are those of the test,
which are left out. What is printed has no name and no content: keys are fingerprints of names. Only `names`, `boxes`
and `people` print names, of fingerprints on standard input or on the command line. It imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

KEYS = {"domain": "name", "user": "email", "alias": "email", "relay": "name"}
PASSING = {"created_at", "updated_at", "quota_bytes_used", "last_check", "error", "dkim_publickey"}
"""Fields that change by themselves, or follow from another."""
WITHIN = {
    "tokens": ("comment", "ip", "password"),
    "fetches": ("host", "keep", "password", "port", "protocol", "tls", "username"),
}
"""What of a user's tokens and fetched accounts every release exports (core/admin/mailu/schemas.py, 1.9 to master)."""
ROUNDCUBE = (
    "select user_id, name, email, firstname, surname, vcard from contacts where del <> 1",
    'select user_id, name, organization, email, "reply-to", bcc, signature, standard from identities where del <> 1',
)
"""Whose contacts and identities they are, and what is in them (Roundcube, SQL/sqlite.initial.sql, 1.4 to 1.6)."""
NO_MAIL = ("tmp", "xapian-indexes", "fts-flatcurve")
DEEPEST = 60
SECONDS = 100


def short(text: str, length: int = 12) -> str:
    """A short fingerprint."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def ours(name: str, domains: list[str]) -> bool:
    """Whether a name belongs to the test."""
    return name.lower().rpartition("@")[2] in domains


def entries(text: str, domains: list[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, name and fields of everything in an export that is not the test's."""
    document = json.loads(text[text.index("{") :])
    for kind, key in KEYS.items():
        for entry in document.get(kind) or ():
            name = str(entry.get(key)).lower()
            if not ours(name, domains):
                yield kind, name, entry


def steady(field: str, value: Any) -> str:
    """A value as text, the same in every release."""
    if field in WITHIN and isinstance(value, list):
        value = [{key: listed(one.get(key)) for key in WITHIN[field]} for one in value if isinstance(one, dict)]
    if isinstance(value, list):
        value = sorted(json.dumps(one, sort_keys=True) for one in value)
    return json.dumps(value or None, sort_keys=True)


def listed(value: Any) -> Any:
    """An address of a token: a text in old releases, a list in new ones."""
    return [] if not value else value if isinstance(value, list) else [str(value)]


def accounts(text: str, domains: list[str]) -> dict[str, Any]:
    """For each kind its fields, and a line for each name, sorted: its fingerprint, those of its fields in this order.

    One text for all of them: the plugin keeps it, and a dictionary of many users would need ten times the memory.
    """
    fields_of: dict[str, list[str]] = {kind: [] for kind in KEYS}
    lines: dict[str, dict[str, str]] = {kind: {} for kind in KEYS}
    for kind, name, entry in entries(text, domains):
        fields = fields_of[kind]
        fields += sorted(field for field in entry if field not in PASSING and field not in fields)
        lines[kind][short(name)] = "".join(short(steady(field, entry.get(field)), 4) for field in fields)
    return {
        kind: {"fields": fields, "entries": "\n".join(f"{key} {said}" for key, said in sorted(lines[kind].items()))}
        for kind, fields in fields_of.items()
    }


def names(text: str, wanted: list[str]) -> list[str]:
    """The names in an export that have these fingerprints."""
    return [name for _, name, _ in entries(text, []) if short(name) in set(wanted)]


def boxes(domains: list[str]) -> list[str]:
    """The mailboxes in /mail, without those of the test."""
    mail = os.environ.get("OWN_MAIL", "/mail")
    return sorted(
        entry.path
        for entry in os.scandir(mail)
        if entry.is_dir(follow_symlinks=False) and "@" in entry.name and not ours(entry.name, domains)
    )


def mail(first: int, number: int, every: int, domains: list[str]) -> dict[str, Any]:
    """What the mailboxes from the `first` on are."""
    everything = boxes(domains)
    found = {}
    for place, path in enumerate(everything[first : first + number], first):
        seen = files(path)
        if place % every == 0:
            seen.append(served(os.path.basename(path)))
        found[short(os.path.basename(path))] = seen
    return {"all": len(everything), "found": found}


def files(box: str) -> list[Any]:
    """How many folders and messages the files of a mailbox are, and a fingerprint of their names, flags and sizes."""
    total: list[str] = []
    folders = 0
    waiting = [(box, 0)]
    while waiting:
        path, depth = waiting.pop()
        for entry in listing(path):
            if entry.name in ("cur", "new"):
                folders += entry.name == "cur"
                inside = os.path.relpath(path, box)
                # A look moves a message from `new` to `cur`, and gives its name an empty list of flags.
                total += [
                    f"{inside}/{one.name if ':2,' in one.name else one.name + ':2,'} {one.stat().st_size}"
                    for one in listing(entry.path)
                    if one.is_file(follow_symlinks=False)
                ]
            elif depth < DEEPEST and entry.name not in NO_MAIL and entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, depth + 1))
    return [folders, len(total), short("\n".join(sorted(total)))]


def listing(path: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it is none."""
    try:
        with os.scandir(path) as found:
            return list(found)
    except OSError:
        return []


def served(name: str) -> str:
    """A fingerprint of what Dovecot says of a mailbox: folders, UIDVALIDITY, and UID and flags of each message."""
    said = []
    for words in (
        ["mailbox", "status", "-u", name, "messages uidvalidity", "*"],
        ["fetch", "-u", name, "mailbox uid flags size.physical", "all"],
    ):
        command = ["doveadm", "-f", "tab", *words]
        try:
            ran = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        text = ran.stdout.decode("utf-8", "replace")
        # \\Recent is for the first that looks.
        said += sorted(re.sub(r"\\Recent ?| \\Recent", "", line).rstrip() for line in text.splitlines())
    return short("\n".join(said))


def web_mail(domains: list[str]) -> dict[str, list[Any]]:
    """By user of web mail the contacts and identities (how many) and a fingerprint of them."""
    database = sqlite3.connect(f"file:{os.environ.get('OWN_WEBMAIL', '/data/roundcube.db')}?mode=ro", uri=True)
    try:
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        users = dict(database.execute("select user_id, username from users"))
        found: dict[int, list[list[str]]] = {number: [[], []] for number in users}
        for place, question in enumerate(ROUNDCUBE):
            for number, *row in database.execute(question):
                if number in found:
                    found[number][place].append(json.dumps(row))
    finally:
        database.close()
    return {
        short(str(users[number])): [
            len(contacts) + len(identities),
            short("\n".join(sorted(contacts)) + "\n\n" + "\n".join(sorted(identities))),
        ]
        for number, (contacts, identities) in found.items()
        if (contacts or identities) and not ours(str(users[number]), domains)
    }


def calendars(domains: list[str]) -> dict[str, list[Any]]:
    """By calendar and address book the entries: how many, and a fingerprint of them."""
    root = os.environ.get("OWN_DAV", "/data/collection-root")
    found = {}
    for user in listing(root):
        for place in listing(user.path) if not ours(user.name, domains) else ():
            entries = [entry for entry in listing(place.path) if entry.is_file(follow_symlinks=False)]
            said = [f"{entry.name} {of_file(entry.path)}" for entry in entries if kept(entry.name)]
            if said:
                found[short(f"{user.name}/{place.name}")] = [len(said), short("\n".join(sorted(said)))]
    return found


def kept(name: str) -> bool:
    """Whether a file of Radicale's is an entry, or the properties of a collection; the others are caches and locks."""
    return not name.startswith(".Radicale.") or name == ".Radicale.props"


def of_file(path: str) -> str:
    """A fingerprint of what is in a file."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            total.update(chunk)
    return total.hexdigest()


def people(wanted: list[str]) -> list[str]:
    """The users of web mail, or the collections, that have these fingerprints."""
    if os.path.exists(os.environ.get("OWN_DAV", "/data/collection-root")):
        root = os.environ.get("OWN_DAV", "/data/collection-root")
        names = [f"{user.name}/{place.name}" for user in listing(root) for place in listing(user.path)]
    else:
        path = os.environ.get("OWN_WEBMAIL", "/data/roundcube.db")
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        names = [str(name) for (name,) in database.execute("select username from users")]
        database.close()
    return [name for name in names if short(name) in set(wanted)]


def main(words: list[str]) -> object:
    """What was asked for."""
    if words[0] == "accounts":
        return accounts(sys.stdin.read(), words[1:])
    if words[0] == "names":
        return names(sys.stdin.read(), words[1:])
    if words[0] == "boxes":
        return [name for name in map(os.path.basename, boxes([])) if short(name) in set(words[1:])]
    if words[0] in LOOKS:
        return LOOKS[words[0]](words[1:])
    first, number, every = map(int, words[1:4])
    return mail(first, number, every, words[4:])


LOOKS = {"web-mail": web_mail, "calendars": calendars, "people": people}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
