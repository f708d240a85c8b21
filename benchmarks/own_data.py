"""Measures the work over a user's data: `python benchmarks/own_data.py [--people 10000] [--messages 100000]`.

A folder as of a Mailu with so many mailboxes and messages is made, and every script that `--mailu-data` runs over it in
a container is run here: the look beforehand, the fingerprint, and the two comparisons. The table has seconds, processor
seconds and the largest memory of each, and the bytes that it hands to the plugin. Needs no engine.

Then the plugin's own process does the same, before and after an upgrade, with a tenth of the data and with all of it:
the second table has the seconds of each phase, and the largest memory of this process meanwhile (/proc/self/status).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_mailu.behaviours import own_script, upgrade_own
from pytest_mailu.behaviours.upgrade_own import AT_A_TIME
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.data import copier, survey_script, tree_script
from pytest_mailu.stack.data.helper import Mounted
from pytest_mailu.stack.data.own import OwnData, survey

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
    parser.add_argument("--phases", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.phases is not None:
        print(json.dumps(list(phases(given.phases))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        begun = time.monotonic()
        export = make(folder, given.people, given.messages)
        print(f"{given.people} mailboxes, {given.messages} messages, made in {time.monotonic() - begun:.0f} s")
        print(f"{'':36}{'seconds':>9}{'processor':>11}{'memory MB':>11}{'answer kB':>11}")
        for row in measured(folder, export, given.people):
            sizes = f"{row.memory / 1e6:>11.0f}{row.answer / 1e3:>11.0f}"
            print(f"{row.name:36}{row.seconds:>9.1f}{row.processor:>11.1f}{sizes}")
        (folder / "export.json").write_text(export)
        whole = of_plugin(folder)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "export.json").write_text(make(folder, given.people // 10, given.messages // 10))
        part = of_plugin(folder)
    print(
        f"\n{'the plugin itself':36}{'seconds, a tenth':>18}{'all':>8}{'memory MB, a tenth':>20}{'all':>8}{'ratio':>8}"
    )
    for (name, seconds, peak), (_, all_seconds, all_peak) in zip(part, whole, strict=True):
        sizes = f"{peak / 1e6:>20.1f}{all_peak / 1e6:>8.1f}{all_peak / peak:>8.2f}"
        print(f"{name:36}{seconds:>18.1f}{all_seconds:>8.1f}{sizes}")


def of_plugin(folder: Path) -> list[tuple[str, float, int]]:
    """Each phase in a process of its own kind: name, seconds, and bytes of memory at most."""
    command = [sys.executable, __file__, "--phases", str(folder)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [(name, seconds, peak) for name, seconds, peak in json.loads(ran.stdout)]


def phases(folder: Path) -> Iterator[tuple[str, float, int]]:
    """What the plugin does with own data, in the order of a rehearsal; containers are processes of this machine."""
    here: Any = LocalHelper()
    probe: Any = LocalProbe(folder)
    releases = (Release.parse("2.0.43"), Release.parse("2024.06.24"))
    own = OwnData(folder)

    def looked(look: Callable[[Any], Any], *, upgraded: bool) -> None:
        probe.stack.upgraded = upgraded
        seen = asyncio.run(look(probe))
        if seen.outcome is not Outcome.ACCEPTED:
            raise SystemExit(f"what is the same was told to be {seen.outcome}: {seen.facts}")

    sources = copier.Sources({name: path for name, path in own.folders().items() if name in ("data", "mail")})
    yield timed("at the start", lambda: None)
    yield timed("look beforehand", lambda: survey(here, own, releases, 600.0))
    yield timed("fingerprint", lambda: copier.measured(here, sources, 600.0))
    yield timed("accounts before", lambda: looked(upgrade_own.accounts, upgraded=False))
    yield timed("mailboxes before", lambda: looked(upgrade_own.mail, upgraded=False))
    yield timed("accounts after", lambda: looked(upgrade_own.accounts, upgraded=True))
    yield timed("mailboxes after", lambda: looked(upgrade_own.mail, upgraded=True))
    yield timed("fingerprint again", lambda: copier.measured(here, sources, 600.0))


def timed(name: str, work: Callable[[], object]) -> tuple[str, float, int]:
    """What a phase took: seconds, and the largest resident set of this process (proc(5), VmHWM)."""
    Path("/proc/self/clear_refs").write_text("5")
    begun = time.monotonic()
    work()
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return name, time.monotonic() - begun, int(peak) * 1024


class LocalHelper:
    """Runs what is to run in a container here: what it mounts is where it is."""

    def run(self, script: bytes, argument: object, mounts: Sequence[Mounted], seconds: float) -> dict[str, Any]:
        """What the script prints on its last line."""
        order = json.dumps(argument)
        for each in mounts:
            order = order.replace(f'"{each.target}', f'"{each.source}')
        command = [sys.executable, "-I", "-S", "-c", script.decode(), order]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=seconds)
        answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return answer


class LocalProbe:
    """As much of a probe as the behaviours about own data use."""

    def __init__(self, folder: Path) -> None:
        self.memory: dict[str, str] = {}
        self.stack = SimpleNamespace(upgraded=False)
        self.services = SimpleNamespace(exec=self._exec)
        self._folder = folder

    async def _exec(self, service: str, *command: str) -> CommandResult:
        return await asyncio.to_thread(self._run, command)

    def _run(self, command: Sequence[str]) -> CommandResult:
        environment = {**os.environ, "OWN_MAIL": str(self._folder / "mail")}
        script = [sys.executable, "-I", "-S", "-c", *command[4:]]
        with (self._folder / "export.json").open("rb") as export:
            ran = subprocess.run(script, stdin=export, capture_output=True, text=True, check=False, env=environment)
        return CommandResult(ran.returncode, ran.stdout, ran.stderr)

    def seen(self, outcome: Outcome, stage: Stage, **facts: Any) -> Observation:
        """What was observed."""
        return Observation(outcome, stage, facts=facts)


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
