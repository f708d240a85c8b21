"""What compose says of a file that it refuses is shown without what it quotes from there, and the file cannot grow."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.command import Compose
from pytest_mailu.stack.compose.quotes import without_values
from pytest_mailu.stack.compose.user_file import read_user_compose

HUSH = "hushhush"
A = "services: {{a: {{image: x, {0}}}}}\n"
REFUSED = {
    "an env file's quotation mark that is not closed": (A.format("env_file: [e.env]"), f'OK=1\nDB_PW="{HUSH}\nX=1\n'),
    "an env file's template": (A.format("env_file: e.env"), f"DB_PW=zz${{{HUSH}\n"),
    "an env file's name": (A.format("env_file: {path: e.env}"), f"DB_PW\udcff={HUSH}\n"),
    "a value's template": (A.format(f"environment: {{A: '{HUSH}${{'}}"), ""),
    "an item's template": (A.format(f"environment: ['A={HUSH}${{']"), ""),
    "an environment behind a tag": (A.format(f"environment: !reset {{A: '{HUSH}${{'}}, mem_limit: x"), ""),
    "one of two values of a name": (
        f"services: {{a: {{image: x, environment: {{A: '{HUSH}${{'}}}}, b: {{image: x, environment: {{A: other}}}}}}\n",
        "",
    ),
    "an anchored environment": (
        f"x-e: &e {{A: '{HUSH}${{'}}\nservices: {{a: {{image: x, environment: {{<<: *e}}}}}}\n",
        "",
    ),
    "a size": (A.format(f"mem_limit: {HUSH}"), ""),
    "a dependency": (A.format(f"depends_on: [{HUSH}]"), ""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_composes_message_quotes_no_value(what: str, tmp_path: Path) -> None:
    """By the real compose."""
    text, env = REFUSED[what]
    (tmp_path / "compose.yml").write_text(text)
    (tmp_path / "e.env").write_bytes(env.encode(errors="surrogateescape"))
    compose = asyncio.run(Compose.find({}))
    with pytest.raises(UsageError) as caught:
        asyncio.run(read_user_compose(tmp_path / "compose.yml", Release.parse("2024.06.24"), compose))
    assert HUSH not in str(caught.value)
    assert caught.value.details


def laughs(where: str) -> str:
    """Ten of ten of ten …, without end for whoever expands it."""
    lines = ['x-0: &l0 ["ha", "ha"]']
    lines += [f"x-{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join([*lines, A.format(where)])


@pytest.mark.parametrize(
    "text",
    [
        *(laughs(where) for where in ("environment: {A: *l9}", "environment: *l9", "env_file: *l9", "command: *l9")),
        "a: &a {environment: *a, env_file: [*a]}\n",
        "a: " + "[" * 50_000,
        "a: &a [*a, *a]\nenvironment: *a\n",
        "\x00\ufffe",
        "services: [5, {environment: 5}, {env_file: ['/dev/zero', \"a\\0b\", '.', '/proc/self/mem']}]\n",
    ],
    ids=lambda text: str(text)[-30:].encode("unicode_escape").decode(),
)
def test_a_file_that_grows_without_end_is_looked_at_all_the_same(text: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(text)
    assert without_values(tmp_path / "compose.yml", "compose says this\n") == ("compose says this",)


@pytest.mark.parametrize("kind", ["large", "pipe", "missing"])
def test_nothing_is_shown_of_what_is_said_about_a_file_that_cannot_be_looked_at(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "compose.yml"
    if kind == "large":
        path.write_text("#" * 300_000)
    elif kind == "pipe":
        os.mkfifo(path)
    assert without_values(path, f"bad: {HUSH}") == ()
