"""Commands that behaviours run in containers work with what Alpine's BusyBox has (tried with Alpine 3.18 and 3.20)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from pytest_mailu.behaviours import access_limits, admin_cli, inside
from pytest_mailu.probe import certificate_files
from pytest_mailu.probe.inventory import script

BUSYBOX = {"cat", "cmp", "echo", "grep", "head", "ln", "mkdir", "printf", "rm", "sh", "sleep"}
"""Applets of Alpine's BusyBox that are used."""
BUILT_IN = {".", "cd", "do", "done", "fi", "for", "if", "read", "set", "shift", "test", "true", "umask", "while"}
OWN = {"doveconf", "dovecot", "flask", "nginx", "postconf", "python3", "redis-cli", "rspamd"}
"""What the services' own images bring."""

SCRIPTS = (
    access_limits.FORGET,
    admin_cli.ROUND_TRIP,
    certificate_files.WRITE_OWN,
    certificate_files.WRITE_LINEAGE,
    certificate_files.REMOVE,
    *(command for service in inside.SERVICES for command in inside.commands(service).values()),
    *(script("@mark", inside.commands(service)) for service in inside.SERVICES),
)


def commands(text: str) -> Iterator[str]:
    """The first word of every simple command."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|\S*[<>]\S*(?: /\S+)?", "", text)
    for part in re.split(r"[;|&\n()]+", bare):
        words = part.split()
        while words and (words[0] in {"while", "do", "if", "then"} or "=" in words[0]):
            words.pop(0)
        if words:
            yield words[0]


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_script_uses_what_busybox_and_the_image_have(text: str) -> None:
    assert set(commands(text)) <= BUSYBOX | BUILT_IN | OWN


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_script_is_plain_shell(text: str) -> None:
    """No bash: neither `[[`, nor arrays, nor here-strings; the shell of this machine only reads it."""
    assert not re.search(r"\[\[|<<<|\bfunction\b|\bsource\b|\$\{[^}]*[\^,]|\bls -l\b", text)
    read_only = subprocess.run(["sh", "-n", "-c", text], capture_output=True, check=False)
    assert read_only.returncode == 0, read_only.stderr
