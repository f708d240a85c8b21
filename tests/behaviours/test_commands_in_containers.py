"""Commands that behaviours run in containers work with what Alpine's BusyBox has (tried with Alpine 3.18 and 3.20)."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_mailu.behaviours import access_limits, admin_cli, inside, tls_replaced

BUSYBOX = {"cat", "cmp", "echo", "grep", "head", "printf", "sh"}
"""Applets of Alpine's BusyBox that are used."""
BUILT_IN = {".", "do", "done", "read", "set", "true", "umask", "while"}
OWN = {"doveconf", "dovecot", "flask", "nginx", "postconf", "python3", "redis-cli", "rspamd"}
"""What the services' own images bring."""

SCRIPTS = (
    access_limits.FORGET,
    admin_cli.ROUND_TRIP,
    tls_replaced.WRITE,
    *(command for commands in inside.PROGRAMS.values() for command in commands.values()),
)


def commands(script: str) -> Iterator[str]:
    """The first word of every simple command."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|\S*[<>]\S*(?: /\S+)?", "", script)
    for part in re.split(r"[;|&\n()]+", bare):
        words = part.split()
        while words and words[0] in {"while", "do"}:
            words.pop(0)
        if words:
            yield words[0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_uses_what_busybox_and_the_image_have(script: str) -> None:
    assert set(commands(script)) <= BUSYBOX | BUILT_IN | OWN


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_plain_shell(script: str) -> None:
    """No bash: neither `[[`, nor arrays, nor here-strings; the shell of this machine only reads it."""
    assert not re.search(r"\[\[|<<<|\bfunction\b|\bsource\b|\$\{[^}]*[\^,]|\bls -l\b", script)
    read_only = subprocess.run(["sh", "-n", "-c", script], capture_output=True, check=False)
    assert read_only.returncode == 0, read_only.stderr


def test_every_shell_command_that_testinfra_is_given_is_read_here() -> None:
    """`host.run` and `check_output` in the family `inside` name programs that are checked above."""
    tree = ast.parse(Path(inside.__file__).read_text("utf-8"))
    texts = [
        ast.unparse(call.args[0])
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in ("run", "check_output")
    ]
    names = {word for text in texts for word in re.findall(r"\b(?:cat|doveconf|postconf|ss|ps|netstat|lsof)\b", text)}
    assert names == {"cat", "doveconf", "postconf"}
