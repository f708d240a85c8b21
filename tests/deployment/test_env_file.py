"""Env files are read as Docker Compose reads them, and every setting keeps its lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.env_file import read_assignments, values
from pytest_mailu.deployment.files import Text
from tests.deployment.compose import config, literal

FRAGMENTS = st.sampled_from(
    [
        *"AB=:#'\"\\$ \t\n\r{}-+?_.x0é",
        *("export ", "\n", "A=", "B=", " #", "${A}", "${A:-x}", "\\n", "\\$", "$$", "\nC=", "$A", "\\012", "[1]"),
    ]
)
FILES = st.lists(FRAGMENTS, max_size=14).map("".join)


def ours(text: str) -> dict[str, str] | None:
    try:
        return dict(values(read_assignments(Text("mailu.env", text))))
    except UsageError:
        return None


def theirs(text: str, folder: Path) -> dict[str, str] | None:
    (folder / "mailu.env").write_bytes(text.encode())
    (folder / "docker-compose.yml").write_text("services: {front: {image: x, env_file: mailu.env}}\n")
    read = config(folder)
    if isinstance(read, str):
        return None
    return {key: literal(value) for key, value in (read["services"]["front"].get("environment") or {}).items()}


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    # Shrinking would call Compose thousands of times; the failing text is short anyway.
    phases=[Phase.explicit, Phase.generate],
)
@given(FILES)
def test_any_text_is_read_as_compose_reads_it(tmp_path: Path, text: str) -> None:
    wanted = theirs(text, tmp_path)
    if wanted is not None and "" in wanted:
        # A value without a name is of no use to anybody: an error here.
        wanted = None
    assert ours(text) == wanted


def test_a_setting_keeps_its_line_its_text_and_its_quotation_mark() -> None:
    read = read_assignments(Text("mailu.env", "# top\n\nA=1 # one\nexport B = 'two\nlines'\nA=\"3\"\n"))
    assert [(made.name, made.value, made.line, made.last, made.raw, made.quote) for made in read] == [
        ("A", "1", 3, 3, "1 # one", ""),
        ("B", "two\nlines", 4, 5, "'two\nlines'", "'"),
        ("A", "3", 6, 6, '"3"', '"'),
    ]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("A=1\nB-?=2\n", "mailu.env, line 2: 'B-?' is not NAME=value"),
        ("A=1\n\nB='x\n", "mailu.env, line 3: the value has no closing quotation mark"),
        ("A=${B\n", "mailu.env, line 1: ${B is no variable"),
        ("A=1\nB=${C:?set C}\n", "mailu.env, line 2: the variable C has no value: set C"),
        ("some words\n", "mailu.env, line 1: the name 'some words' has a space in it"),
        ("A=1\nlast", "mailu.env, line 2: 'last' is not NAME=value"),
        ("A=" + "${A:-" * 12 + "x" + "}" * 12, "mailu.env, line 1: more than 10 defaults within each other"),
    ],
)
def test_a_broken_line_is_named(text: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_assignments(Text("mailu.env", text))
    assert caught.value.cause == cause
    assert caught.value.remedy


def test_values_that_grow_by_each_other_stop_at_the_limit() -> None:
    lines = ["A0=" + "x" * 1000, *(f"A{n}=" + f"${{A{n - 1}}}" * 10 for n in range(1, 10))]
    with pytest.raises(UsageError, match="line 3: more than 65536 characters"):
        read_assignments(Text("mailu.env", "\n".join([*lines, ""])))


def test_a_variable_from_outside_wins_over_the_file() -> None:
    read = read_assignments(Text("mailu.env", "A=1\nB=$A\n"), {"A": "2"}.get)
    assert values(read) == {"A": "1", "B": "2"}
