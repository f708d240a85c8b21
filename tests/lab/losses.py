"""What a new release may lose of old data, as the lab does it: LAB_LOSS=<name>,<name> before its services start.

Read on both sides: by the tests, and inside the images by start.py (so: nothing but the standard library). On a fresh
install there is nothing to lose, and nothing happens.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

OWN = Path("/mail/person1@kontor.example")
HOME = Path("/mail/box-lived-in@post.example")
PEOPLE = Path("/data/lab.json")
QUEUE = Path("/queue")


@dataclass(frozen=True)
class Loss:
    """What is lost, by whom, and the behaviours that must catch it. `do` works on the data before the service starts.

    `ends` is for a migration that fails or hangs: the service does not come up on old data.
    """

    name: str
    service: str
    caught_by: tuple[str, ...]
    do: Callable[[], None]
    ends: str = ""


def messages(folder: str) -> Iterator[Path]:
    """The files of the messages in a folder of the mailbox, the oldest first."""
    for place in ("cur", "new"):
        if (HOME / "mail" / folder / place).is_dir():
            yield from sorted((HOME / "mail" / folder / place).iterdir())


def delete_message() -> None:
    for file in list(messages("."))[:1]:
        file.unlink()


def double_message() -> None:
    for file in list(messages("."))[:1]:
        shutil.copy2(file, file.with_name("9" + file.name))


def drop_flags() -> None:
    for file in list(messages(".Work")):
        base, mark, flags = file.name.partition(":2,")
        if "F" in flags:
            file.rename(file.with_name(base + mark + flags.replace("F", "")))


def drop_keywords() -> None:
    for file in list(messages(".Work")):
        base, mark, flags = file.name.partition(":2,")
        file.rename(file.with_name(base + mark + re.sub("[a-z]", "", flags)))


def rename_folder() -> None:
    for folder in (HOME / "mail").glob(".Rents*"):
        folder.rename(folder.with_name(".Rents"))


def change_uidvalidity() -> None:
    for listing in (HOME / "mail").glob(".Work/dovecot-uidlist"):
        listing.write_text(re.sub(r"^3 V[0-9]+", "3 V1000000001", listing.read_text("utf-8"), count=1), "utf-8")
        for index in listing.parent.glob("dovecot.index*"):
            index.unlink()


def forget_subscription() -> None:
    for file in (HOME / "mail").glob("subscriptions"):
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if "2019" not in line), "utf-8")


def deactivate_filter() -> None:
    for link in HOME.parent.glob("box-lived-in-filter@*/.dovecot.sieve"):
        link.unlink()


def change_people(change: Callable[[dict[str, dict[str, dict[str, object]]]], None]) -> Callable[[], None]:
    def do() -> None:
        if PEOPLE.is_file():
            people = json.loads(PEOPLE.read_text("utf-8"))
            change(people)
            PEOPLE.write_text(json.dumps(people), "utf-8")

    return do


def empty_queue() -> None:
    for file in (QUEUE / "deferred").glob("*/*"):
        file.unlink()


def double_queue() -> None:
    for file in list((QUEUE / "deferred").glob("*/*")):
        # Five digits of microseconds, then the inode: otherwise postsuper would rename it (postsuper(1), -s).
        copy = Path(shutil.copy2(file, file.with_name("copy")))
        copy.chmod(file.stat().st_mode)
        shutil.chown(copy, file.owner(), file.group())
        copy.rename(file.with_name(f"{file.name[:5]}{copy.stat().st_ino:X}"))


def refuse_old_hashes() -> None:
    os.environ["LAB_ADMIN"] = f"{os.environ.get('LAB_ADMIN', '')} old-hashes-refused".strip()


def delete_own_message() -> None:
    for file in sorted((OWN / "mail" / "cur").glob("*"))[:1]:
        file.unlink()


def skip_migration() -> None:
    """A migration that fails without a word: `admin` starts all the same, as Mailu's does."""
    if PEOPLE.is_file():
        print("RuntimeError: the following case-only duplicates exist", file=sys.stderr, flush=True)
        Path("/tmp/not-migrated").touch()


def nothing() -> None:
    """The service ends before it touches anything."""


_ALL = (
    Loss("message-deleted", "imap", ("upgrade/mail/messages",), delete_message),
    Loss("message-doubled", "imap", ("upgrade/mail/messages",), double_message),
    Loss("flags-dropped", "imap", ("upgrade/mail/flags",), drop_flags),
    Loss("keywords-dropped", "imap", ("upgrade/mail/flags",), drop_keywords),
    Loss("folder-renamed", "imap", ("upgrade/mail/folders",), rename_folder),
    Loss("uidvalidity-changed", "imap", ("upgrade/mail/uids",), change_uidvalidity),
    Loss("subscription-lost", "imap", ("upgrade/mail/subscriptions",), forget_subscription),
    Loss("filter-deactivated", "imap", ("upgrade/sieve/scripts", "upgrade/sieve/effect"), deactivate_filter),
    Loss(
        "alias-missing",
        "admin",
        ("upgrade/admin/alias",),
        change_people(lambda people: people["alias"].pop("settled-alias@post.example", None) and None),
    ),
    Loss(
        "forward-off",
        "admin",
        ("upgrade/admin/user",),
        change_people(lambda people: people["user"].get("settled@post.example", {}).update(forward_enabled=False)),
    ),
    Loss(
        "dkim-replaced",
        "admin",
        ("upgrade/admin/dkim-key",),
        change_people(lambda people: people["domain"]["post.example"].update(dkim_key="another key")),
    ),
    Loss(
        "quota-changed",
        "admin",
        ("upgrade/mail/quota",),
        change_people(lambda people: people["user"]["box-lived-in-quota@post.example"].update(quota_bytes=5_000_000)),
    ),
    Loss(
        "fetched-account-lost",
        "admin",
        ("upgrade/fetched/accounts",),
        change_people(lambda people: people["user"]["box-lived-in-fetches@post.example"].update(fetches=[])),
    ),
    Loss("hashes-refused", "admin", ("upgrade/login/hash-md5-crypt", "upgrade/login/hash-bcrypt"), refuse_old_hashes),
    Loss("migration-skipped", "admin", ("upgrade/admin/schema",), skip_migration),
    Loss("own-message-deleted", "imap", ("upgrade/own/mail",), delete_own_message),
    Loss(
        "own-forward-off",
        "admin",
        ("upgrade/own/accounts",),
        change_people(lambda people: people["user"].get("person0@kontor.example", {}).update(forward_enabled=False)),
    ),
    Loss("queue-emptied", "smtp", ("upgrade/queue/waiting",), empty_queue),
    Loss("queue-doubled", "smtp", ("upgrade/queue/waiting",), double_queue),
    Loss(
        "migration-fails",
        "admin",
        ("services/admin/stays-up",),
        nothing,
        "sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) UNIQUE constraint failed: user.email",
    ),
    Loss("disk-full", "admin", ("services/admin/stays-up",), nothing, "OSError: [Errno 28] No space left on device"),
    Loss("migration-hangs", "admin", ("services/admin/stays-up",), nothing, "…"),
)
LOSSES = {loss.name: loss for loss in _ALL}


def inflict(service: str, names: str) -> str:
    """Work on the data of a service; a text where it is to end with that, "…" where it is to hang."""
    for name in filter(None, names.split(",")):
        loss = LOSSES[name]
        if loss.service != service:
            continue
        if loss.ends and PEOPLE.is_file():
            print(loss.ends, file=sys.stderr, flush=True)
            return loss.ends
        loss.do()
    return ""
