"""A folder as people have it who run Mailu: accounts and mail, made for a rehearsal in the lab, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from tests.stack.data.mailu_database import make as make_database

DOMAIN = "kontor.example"
BODY = (
    "From: a@{domain}\nSubject: {word} {number}\nMessage-ID: <{number}.{word}@{domain}>\n\nNobody reads this {word}.\n"
)
WORD = "Geheimnis"
"""In every message: no report may have it."""
_HASH = "$5$rounds=1000$tNBrM27XSv2jtygM$MOU6X1QaxrqmjlojHuzcn3saQlpiI.EKYT7uLfz9o6D"


def make(folder: Path, *statements: str, people: int = 4, messages: int = 12) -> Path:
    """Write the folder: `people` mailboxes with `messages` in each, in INBOX and in a folder, some of them seen.

    `statements` change the database for the look beforehand.
    """
    make_database(folder / "data" / "main.db", *statements, users=people, domain=DOMAIN)
    names = [f"person{number}@{DOMAIN}" for number in range(people)]
    users = {name: {"email": name, "password": _HASH, "quota_bytes": 0} for name in names}
    users[names[0]] |= {
        "forward_enabled": True,
        "forward_destination": ["away@elsewhere.example"],
        "forward_keep": True,
    }
    alias = {f"info@{DOMAIN}": {"email": f"info@{DOMAIN}", "destination": names[:1]}}
    document = {"domain": {DOMAIN: {"name": DOMAIN}}, "user": users, "alias": alias, "relay": {}}
    (folder / "data" / "lab.json").write_text(json.dumps(document))
    for name in names:
        _fill(folder / "mail" / name / "mail", messages)
    for more in ("dkim", "filter", "redis", "mailqueue/deferred/A", "dav"):
        (folder / more).mkdir(parents=True)
    (folder / "mailqueue" / "deferred" / "A" / "A1").write_text("to somebody")
    (folder / "dav" / "card.vcf").write_text("BEGIN:VCARD")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


def _fill(maildir: Path, messages: int) -> None:
    for place in ("cur", "new", "tmp", ".Arbeit/cur", ".Arbeit/new", ".Arbeit/tmp"):
        (maildir / place).mkdir(parents=True)
    (maildir / ".Arbeit" / "maildirfolder").touch()
    for number in range(messages):
        place = (".Arbeit/cur", "cur", "cur")[number % 3]
        flags = ("", "S", "FS")[number % 3]
        text = BODY.format(domain=DOMAIN, word=WORD, number=number)
        (maildir / place / f"{1_500_000_000 + number}.M{number}P1.mail:2,{flags}").write_text(text)


def fingerprint(folder: Path) -> str:
    """Contents, modes, owners and times of everything in the folder."""
    total = hashlib.sha256()
    for line in _lines(str(folder)):
        total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest()


def _lines(path: str) -> Iterator[str]:
    seen = os.lstat(path)
    yield f"{path} {seen.st_mode} {seen.st_uid} {seen.st_gid} {seen.st_size} {seen.st_mtime_ns} {seen.st_ino}\n"
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            yield from _lines(os.path.join(path, name))
    else:
        yield hashlib.sha256(Path(path).read_bytes()).hexdigest()
