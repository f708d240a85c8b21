"""What scripts/test does about a machine that lacks something, and about being cut short."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Import a module of scripts/, and forget it afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module
    for name in {"checks", "commands", "debian", "engine"} - before:
        sys.modules.pop(name, None)


def test_what_cannot_be_installed_is_named_with_its_use(load: object, monkeypatch: pytest.MonkeyPatch) -> None:
    debian: ModuleType = load("debian")  # type: ignore[operator]
    monkeypatch.setattr(debian, "may_install", lambda: False)

    with pytest.raises(debian.Missing) as missing:
        debian.provide(
            debian.Program("sh", "dash", "everybody needs it"),
            debian.Program("no-such-program", "its-package", "the moon is looked at with it"),
        )

    assert str(missing.value).splitlines() == [
        "no-such-program is missing: the moon is looked at with it",
        "Install it (packages of Debian: its-package), or run this as root on Debian or Ubuntu.",
    ]


@pytest.mark.parametrize("random", ["_6k12vuy", "abc__def", "abcdefg_", "abcdefgh"])
def test_the_namespace_of_an_engine_is_one_that_containerd_takes(random: str, load: object) -> None:
    """containerd pkg/identifiers: with a folder named "…-_6k12vuy", every container of the run failed to start."""
    engine: ModuleType = load("engine")  # type: ignore[operator]
    name = engine.namespace(engine.HOME / f"{engine.PREFIX}{random}")
    assert re.fullmatch(r"[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*", name)


def test_an_engine_that_does_not_start_leaves_its_last_words_and_nothing_else(
    load: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine: ModuleType = load("engine")  # type: ignore[operator]
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setattr(engine, "HOME", tmp_path)
    monkeypatch.setattr(engine, "PROGRAMS", ())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ending = ["sh", "-c", "echo the disk is full >&2; exit 3"]
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **how: popen(ending, **how))

    with pytest.raises(engine.Missing) as missing, engine.docker_engine():
        pass

    assert "ended with status 3" in str(missing.value)
    assert "the disk is full" in str(missing.value)
    assert not list(tmp_path.iterdir())


def test_the_tests_keep_their_bytecode(load: object, monkeypatch: pytest.MonkeyPatch) -> None:
    checks: ModuleType = load("checks")  # type: ignore[operator]
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("DOCKER_HOST", "unix:///one")

    assert "PYTHONDONTWRITEBYTECODE" not in checks.environment("")
    assert checks.environment("")["DOCKER_HOST"] == "unix:///one"
    assert checks.environment("unix:///two")["DOCKER_HOST"] == "unix:///two"


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((), ["-m", "not long"]),
        (("--all",), []),
        (("-k", "sealed"), ["-k", "sealed"]),
        (("--all", "tests/lab"), ["tests/lab"]),
    ],
)
def test_only_a_run_that_nothing_is_said_to_leaves_out_what_takes_long(
    load: object, arguments: tuple[str, ...], given: list[str]
) -> None:
    checks: ModuleType = load("checks")  # type: ignore[operator]
    assert checks.for_pytest(arguments) == given


@pytest.mark.parametrize(("arguments", "looked"), [((), False), (("-k", "sealed"), False), (("--all",), True)])
def test_other_pythons_are_tried_where_all_is_asked_for(
    load: object, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], looked: bool
) -> None:
    checks: ModuleType = load("checks")  # type: ignore[operator]
    ran: list[str] = []
    monkeypatch.setattr(checks, "other_pythons", lambda: {"3.12": Path("/usr/bin")})
    monkeypatch.setattr(checks, "tool", lambda name, command, environ: ran.append(command[0]) or 0)
    assert checks.check_all({}, list(arguments)) == 0
    assert ("tox" in ran) is looked
    assert ran[-1] == "pytest"


def test_ci_runs_all() -> None:
    last = (SCRIPTS.parent / ".ci" / "run").read_text("utf-8").splitlines()[-1]
    assert last == 'exec "$(dirname "$0")/../scripts/test" --all'


@pytest.mark.parametrize("command", [("scripts/upgrades.py",), ("-m", "tests.judging.advice.gather")])
def test_a_script_that_writes_a_page_explains_itself(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, *command, "--help"], cwd=SCRIPTS.parent, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")


@pytest.mark.parametrize("command", [("scripts/test",), (sys.executable, "scripts/checks.py")])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_who_asks_for_help_gets_it_and_no_test_runs(command: tuple[str, ...], option: str) -> None:
    """scripts/test --help installed what tests need, and ran them all."""
    done = subprocess.run(
        [*command, option], cwd=SCRIPTS.parent, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "scripts/test" in done.stdout
    assert "==" not in done.stdout


CHILD = """
import pathlib, time
try:
    pathlib.Path('started').touch()
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path('cleaned').touch()
"""
PARENT = """
import sys
from commands import first_signal_ends_the_run, run
with first_signal_ends_the_run():
    run([sys.executable, '-c', sys.argv[1]])
"""
SLOW_START = """
import pathlib, subprocess, time
class Slow(subprocess.Popen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        while not pathlib.Path('sent').exists():
            time.sleep(0.01)
subprocess.Popen = Slow
"""


@pytest.mark.parametrize("before", ["", SLOW_START], ids=["while it runs", "while it starts"])
def test_a_command_may_clean_up_when_the_run_is_cut_short(before: str, tmp_path: Path) -> None:
    """On a busy machine a command may be at work before the run knows of it: it was left behind then."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + PARENT, CHILD],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        (tmp_path / "sent").touch()
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()

    assert process.returncode == 128 + signal.SIGTERM
    assert "SIGTERM: cleaning up" in output
    assert (tmp_path / "cleaned").exists()
