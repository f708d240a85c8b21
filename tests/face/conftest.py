"""pytest in processes of its own, in folders of its own, over synthetic recordings of the whole matrix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.model import Observation, Outcome, Recording, Reply, SideInfo, Stage
from pytest_mailu.core.serialization import SCHEMA, dumps
from pytest_mailu.core.setups import DEFAULT, SetUp
from pytest_mailu.running.scheduler import phases
from tests.face.prepared import PreparedPython

EXTERNAL_587 = "submission/587-starttls/external"
EXTERNAL_465 = "submission/465-tls/external"
LOCAL_465 = "submission/465-tls/local"
ALIAS_465 = "submission/465-tls/own-alias"
STRANGER_465 = "submission/465-tls/without-login"
LOCAL_587 = "submission/587-starttls/local"

CLOSED = Observation(Outcome.UNREACHABLE, Stage.CONNECT, Reply(text="connection refused"))
LOST = Observation(Outcome.LOST, Stage.DELIVERY, Reply("250", "2.0.0", "Ok"))

RUN_SECONDS = 120
"""A run that takes longer hangs."""
OTHERS = ("anyio", "asyncio", "pytest11.testinfra", "randomly", "xdist", "xdist.looponfail")

Attempts = tuple[Observation, ...]


def met(behaviour: Any, text: str = "Ok: queued as AAA") -> Observation:
    wanted = behaviour.question.wanted or Outcome.ACCEPTED
    return Observation(wanted, Stage.COMMAND, Reply("250", "2.0.0", text), {"words": ["a", "b"]})


def recording(
    release: str,
    change: Callable[[str, Attempts], Attempts] = lambda _, attempts: attempts,
    setup: SetUp = DEFAULT,
) -> str:
    """The text of a recording where everything is as it should be, but for what `change` makes of it."""
    observations = {made.id: change(made.id, (met(made),)) for made in in_setup(built_in(), setup).answered}
    held = {id_: attempts for id_, attempts in observations.items() if attempts}
    images = dict.fromkeys(setup.services, "sha256:1")
    side = SideInfo(release, release, images=images, settings=setup.settings, setup=setup.name)
    return dumps(Recording(SCHEMA, "0", side, tuple(sorted(observations)), held))


def without_587(id_: str, attempts: Attempts) -> Attempts:
    return (CLOSED,) if "/587" in id_ else attempts


def every_verdict(id_: str, attempts: Attempts) -> Attempts:
    """What makes of old.json one verdict each; the rest is the same."""
    (good,) = attempts
    return {
        EXTERNAL_587: (CLOSED,),
        EXTERNAL_465: (),
        LOCAL_465: (good, LOST),
        STRANGER_465: (Observation(good.outcome, good.stage, Reply("554", "5.7.1", "Other words"), good.facts),),
        LOCAL_587: (LOST,),
    }.get(id_, attempts)


def old_for_every_verdict(id_: str, attempts: Attempts) -> Attempts:
    return {LOCAL_587: (LOST,), ALIAS_465: (CLOSED,)}.get(id_, attempts)


@dataclass(frozen=True)
class Done:
    """A pytest that has ended."""

    status: int
    out: str
    errors: str

    @property
    def lines(self) -> pytest.LineMatcher:
        return pytest.LineMatcher(self.out.splitlines())

    @property
    def items(self) -> list[str]:
        """The ids that `--collect-only -q` printed."""
        return [line for line in self.out.splitlines() if "::" in line]


@dataclass(frozen=True)
class Folder:
    """Somewhere to run pytest in; `sides` are what it compares when nothing else is said, `python` what runs it."""

    path: Path
    sides: tuple[str, ...] = field(default=("old.json", "new.json"))
    python: str = sys.executable
    prepared: PreparedPython | None = None

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text, "utf-8")

    def command(self, *args: str, sides: Sequence[str] | None = None, others: bool = False) -> list[str]:
        """The command line. Unless `others` have to be there too this is the only plugin, which starts much sooner."""
        given = self.sides if sides is None else sides
        named = [f"{option}={side}" for option, side in zip(("--mailu-from", "--mailu-to"), given, strict=False)]
        without = [] if others else [f"-pno:{name}" for name in OTHERS]
        return [self.python, "-m", "pytest", *without, *named, *args]

    @property
    def environ(self) -> dict[str, str]:
        """The environment without what the outer pytest, or the person who started it, put there for pytest."""
        ours = ("PYTEST", "COV", "MAILU", "PYTHONDONTWRITEBYTECODE", "GITHUB")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "PY_COLORS": "0", "COLUMNS": "120"}

    def run(
        self, *args: str, sides: Sequence[str] | None = None, others: bool = False, below: str = ".", **environ: str
    ) -> Done:
        command = self.command(*args, sides=sides, others=others)
        cwd, env = self.path / below, {**self.environ, **environ}
        if self.prepared and not others and self.python == sys.executable and self.prepared.suits(env):
            return Done(*self.prepared.run(command[3:], cwd, env, RUN_SECONDS))
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text("utf-8"))


@pytest.fixture(scope="session")
def recordings() -> dict[str, str]:
    """Recordings by file name: `new.json` has lost 587, and the others say by their names what they are for."""
    return {
        "old.json": recording("2.0.43"),
        "new.json": recording("2024.06.24", without_587),
        "same.json": recording("2.0.44"),
        "words.json": recording("2.0.44", lambda id_, found: (met_otherwise(found),) if id_ == EXTERNAL_465 else found),
        "verdicts-old.json": recording("2.0.43", old_for_every_verdict),
        "verdicts-new.json": recording("2024.06.24", every_verdict),
        "nothing.json": recording("2024.06.24", lambda *_: ()),
    }


def met_otherwise(attempts: Attempts) -> Observation:
    (good,) = attempts
    return Observation(good.outcome, good.stage, Reply("250", "2.0.0", "Fine"), good.facts)


@pytest.fixture(scope="session")
def make_folder(
    recordings: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Folder]]:
    def make() -> Folder:
        folder = Folder(tmp_path_factory.mktemp("face"), prepared=prepared)
        folder.write(recordings)
        return folder

    first = Folder(tmp_path_factory.mktemp("prepared"))
    first.write(recordings)
    prepared = PreparedPython(first.path, first.environ, first.command("-q", "-k", "submission")[3:])
    yield make
    prepared.close()


@pytest.fixture
def folder(make_folder: Callable[[], Folder]) -> Folder:
    """A folder with the recordings and nothing else."""
    return make_folder()


@pytest.fixture(scope="session")
def ids() -> list[str]:
    """Every behaviour of the default set-up as pytest prints it, in the order in which they are asked."""
    return [f"mailu::{made.id}" for phase in phases(in_setup(built_in(), DEFAULT).answered) for made in phase]
