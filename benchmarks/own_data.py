"""Measures the work over a user's data: `python benchmarks/own_data.py [--people 10000] [--messages 100000]`.

A folder as of a Mailu with so many mailboxes and messages is made, and every script that `--mailu-data` runs over it in
a container is run here: the look beforehand, the fingerprint, and the two comparisons. The table has seconds, processor
seconds and the largest memory of each, and the bytes that it hands to the plugin. Needs no engine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_mailu.behaviours import own_script
from pytest_mailu.behaviours.upgrade_own import AT_A_TIME
from pytest_mailu.stack.data import survey_script, tree_script

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.stack.data.mailu_database import make as make_database

DOMAIN = "kontor.example"


@dataclass(frozen=True)
class Row:
    """What one script took; `memory` and `answer` in bytes."""

    name: str
    seconds: float
    processor: float
    memory: int
    answer: int


def main() -> None:
    """Make the folder, run everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        begun = time.monotonic()
        export = make(folder, given.people, given.messages)
        print(f"{given.people} mailboxes, {given.messages} messages, made in {time.monotonic() - begun:.0f} s")
        print(f"{'':36}{'seconds':>9}{'processor':>11}{'memory MB':>11}{'answer kB':>11}")
        for row in measured(folder, export, given.people):
            sizes = f"{row.memory / 1e6:>11.0f}{row.answer / 1e3:>11.0f}"
            print(f"{row.name:36}{row.seconds:>9.1f}{row.processor:>11.1f}{sizes}")


def make(folder: Path, people: int, messages: int) -> str:
    """The folder; what `config-export` would print for it."""
    make_database(folder / "data" / "main.db", users=people, domain=DOMAIN)
    names = [f"person{number}@{DOMAIN}" for number in range(people)]
    for name in names:
        for place in ("cur", "new", "tmp"):
            (folder / "mail" / name / place).mkdir(parents=True)
    text = "From: a@kontor.example\nSubject: message\n\n" + "x" * 2000
    for number in range(messages):
        box = folder / "mail" / names[number % people] / "cur"
        (box / f"{1_500_000_000 + number}.M{number}P1.mail:2,S").write_text(text)
    users = [
        {
            **{"email": name, "password": "$2b$04$x", "quota_bytes": 10**9, "enabled": True, "enable_imap": True},
            **{"enable_pop": True, "forward_enabled": False, "forward_destination": [], "forward_keep": True},
            **{"reply_enabled": False, "displayed_name": "", "spam_enabled": True, "spam_threshold": 80, "tokens": []},
        }
        for name in names
    ]
    return json.dumps({"domain": [{"name": DOMAIN}], "user": users})


def measured(folder: Path, export: str, people: int) -> Iterator[Row]:
    """Each script once, as it runs in a container; of the mailboxes, all calls together."""
    survey = {"database": str(folder / "data" / "main.db"), "mail": str(folder / "mail")}
    yield ran("look beforehand", [survey_script.__file__, json.dumps(survey)])
    for contents in (True, False):
        order = {"folders": {"mail": [str(folder / "mail"), ""]}, "contents": contents}
        name = "fingerprint of contents" if contents else "fingerprint of names, sizes, times"
        yield ran(name, [tree_script.__file__, json.dumps(order)])
    yield ran("accounts", [own_script.__file__, "accounts"], typed=export)
    parts = [
        ran(
            "mailboxes",
            [own_script.__file__, "mail", str(first), str(AT_A_TIME), str(people + 1)],
            mail=folder / "mail",
        )
        for first in range(0, people, AT_A_TIME)
    ]
    yield Row(
        f"mailboxes, in {len(parts)} calls",
        sum(part.seconds for part in parts),
        sum(part.processor for part in parts),
        max(part.memory for part in parts),
        sum(part.answer for part in parts),
    )


def ran(name: str, words: list[str], *, typed: str = "", mail: Path | None = None) -> Row:
    """Run a script by itself, and measure it."""
    more: Mapping[str, str] = {} if mail is None else {"OWN_MAIL": str(mail)}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(typed.encode())
        given.seek(0)
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", *words], stdin=given, stdout=answer, env={**os.environ, **more}
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{name} ended with status {process.returncode}")
        seconds = time.monotonic() - begun
        return Row(name, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, answer.tell())


if __name__ == "__main__":
    main()
