"""What others wrote takes no more than a walk over it: comparing, laying side by side, hints, waiver files, masking.

Each parser gets 120 kB of many pieces, over and over. These froze the whole process once, Ctrl-C and SIGTERM with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import inside, inside_logs
from pytest_mailu.core import secrets
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.core.transcript import Event, Kind, Speaker
from pytest_mailu.deployment.template import TemplateError, substitute
from pytest_mailu.judging.compare import differences
from pytest_mailu.judging.waiver_file import read
from pytest_mailu.probe import headers
from pytest_mailu.reports import sidebyside
from pytest_mailu.stack.evidence.hints import hint
from pytest_mailu.stack.settings.environment import read_env

LENGTH = 120_000
SECONDS = 4.0
"""Of processor time for one text."""
PIECES = (
    *("a", "a+", "a.", "0", "0.", "9.", "(0.0 + ", "<0.", "<0.0@", " ", "\n", "\r\n", "\t", "* ", "\\", '"', "'"),
    *('"""', "'''", "[", "[[", "]", "{", "(", "=", "://a:", "://", "/", "@", "<", "&", "`", "#", "é", "\x00", "x-"),
    *("DNS resolver ", "fatal: ", "nginx: configuration file ", "password=", "token ", "A = b\n", "1 (a) S 2 "),
    *("mailu-", "-mailu-", "id ", "b=", "queued as ", "anti-spoofing: ", "12:34:56", "Jan 1 ", "1,", "from a["),
    *("client=", "postfix/a[1]: ", "waiver.", "a:b\n ", "SRS0=a=", "https://", "A: b\r\n\t", "a=1\n", "a=[", "a={"),
    *("-", "a-", ";", "; (", "$$", "$a", "${a:-}", "${a:-", "$", "A='\\", "export ", "a-secre…", "…", "a=\n"),
)
"""What a parser may stumble over when it comes again and again."""


def seen(text: str) -> Observation:
    facts = {"text": text, "words": [text, text[:9]], "names": {text[:4_000]: 1}}
    return Observation(Outcome.ACCEPTED, Stage.COMMAND, Reply("250", "", text), facts)


def waivers(text: str, folder: Path) -> None:
    path = folder / "waivers.toml"
    for content in (text, f'[[waiver]]\nbehaviour = "a/b"\nreason = """{text}"""\n', f"a = {text}"):
        path.write_text(content, "utf-8", newline="")
        with suppress(UsageError):
            read(path, ["a/b"])


def header_fields(text: bytes) -> None:
    """One long field, and as many of some length as are read."""
    headers.header_changes(b"", b"A: " + text)
    several = (b"%s-%d: mailu-%s-\r\n" % (name, n, text[:3900]) for name in (b"X", b"Y") for n in range(30))
    headers.header_changes(b"", b"".join(several))
    results = b"Authentication-Results: " + text[:3900] + b"\r\n"
    headers.header_changes(b"", results * headers.MOST)


def variables(text: str) -> None:
    with suppress(TemplateError):
        substitute(text, {"a": ""}.get)


def env_file(text: str, folder: Path) -> None:
    path = folder / "mailu.env"
    for content in (f"A=x{text}", text):
        path.write_text(content, "utf-8", newline="")
        with suppress(UsageError):
            read_env(path)


MASKED = secrets.Redactor(("a-secret-value", "\\\\\\\\\\\\a", "aaaaaaab", "a+a+a+a", "0.0.0.0.1", "((((((x"))
PARSERS: dict[str, Callable[[str, Path], Any]] = {
    "compare": lambda text, _: differences(seen(text), seen(text + "x")),
    "side by side": lambda text, _: sidebyside.marked(text, text[1:] + "x"),
    "hints": lambda text, _: hint("smtp", [text, *text.splitlines()], own_doing=True),
    "waivers": waivers,
    "settings of services": lambda text, _: inside.settled(text),
    "complaints in logs": lambda text, _: inside_logs.complaints(text.splitlines()),
    "header fields": lambda text, _: header_fields(text.encode()),
    "masking": lambda text, _: MASKED.text(text),
    "secrets in files": lambda text, _: secrets.secrets_in_text(text),
    "variables": lambda text, _: variables(text),
    "env files": env_file,
    "commands": lambda text, _: secrets.without_secrets_in_command(text, "x"),
}


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_no_text_takes_more_than_a_walk_over_it(name: str, piece: str, tmp_path: Path) -> None:
    text = (piece * LENGTH)[:LENGTH] + "!"
    begun = time.process_time()
    PARSERS[name](text, tmp_path)
    assert time.process_time() - begun < SECONDS


def test_the_longest_transcripts_are_laid_side_by_side_in_time() -> None:
    for one, other in (("a b ", "b a "), ("a ", "a a"), ("x", "y")):
        old = [Event(Speaker.SERVER, Kind.LINE, one * 99 + str(number % 7)) for number in range(1_000)]
        new = [Event(Speaker.SERVER, Kind.LINE, other * 99 + str(number % 5)) for number in range(1_000)]
        begun = time.process_time()
        sidebyside.rows(old, new)
        assert time.process_time() - begun < SECONDS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("#" * 600_000, "500 kB"),
        ("# " + "x" * 2_000, ":1: this line"),
        ("a.b=1\n" + "a." * 600 + "c=1", ":2: this line"),
        ("a = " + "[\n" * 50_000, "nested too deep"),
    ],
)
def test_a_file_that_no_list_of_waivers_is_like_ends_in_one_line(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=words) as caught:
        read(path, ["a/b"])
    assert "\n" not in caught.value.cause
    assert caught.value.remedy


def test_a_sparse_file_and_a_device_are_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.toml"
    with huge.open("wb") as file:
        file.truncate(4 << 30)
    for path in (huge, Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError):
            read(path, ["a/b"])
