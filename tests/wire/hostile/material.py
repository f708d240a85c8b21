"""What hostile servers say, and what has to hold for whatever a client makes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pytest_mailu.core.text import TEXT_LIMIT
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

EXAMPLES = int(os.environ.get("MAILU_FUZZ_EXAMPLES", "0"))
"""Examples of each target; 0 takes the number that stands with it. Set it to a large one for a long run by hand."""

PIECES = (
    *(b"(" * 3000, b")" * 3000, b"()" * 2000, b"[" * 3000, b'"' * 3001, b'"\\' * 1500, b'\\"' * 1500, b"<" * 3000),
    *(b"9" * 5000, b"1" * 25, b"-1", b"0", b"4294967296", b"1e999", b"{99999999}", b"{3}\r\nabc", b"{0}\r\n", b"{3+}"),
    *(b"\x00", b"\r", b"\n", b"\r\n", b"\x1b[2J", b"\xff\xfe", b"\xed\xa0\x80", "\u202e".encode(), b"x" * 70_000),
    *(b" " * 3000, b"\t", b"NIL", b"&" * 50, b"&-&", b"&AGE-", b"&#" + b"9" * 5000 + b";", b"%00", b"=?utf-8?b?////?="),
)
"""Pieces that break parsers: depth, quotes, numbers, literals, characters, lengths, encodings."""


def fuzzed(examples: int) -> Callable[[Any], Any]:
    """So many examples, always the same ones in CI; other ones each time where MAILU_FUZZ_EXAMPLES says how many."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def texts(words: Iterable[bytes], size: int = 12) -> st.SearchStrategy[bytes]:
    """Bytes of a protocol's words, hostile pieces and rubbish."""
    piece = st.one_of(st.sampled_from(list(words)), st.sampled_from(list(words)), st.sampled_from(PIECES), st.binary())
    return st.lists(piece, max_size=size).map(b"".join)


def outcome(run: Callable[[], Any]) -> Any:
    """What a parser makes of it; one of the two ways to end early is an answer too."""
    try:
        return run()
    except (NotServed, CannotAsk) as error:
        check(str(error))
        return None


def check(value: Any, depth: int = 0) -> None:
    """Texts, numbers, depth and total are limited, and it can stand in JSON (bytes apart: they are a message)."""
    assert depth <= 40
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            check(key, depth + 1)
            check(inner, depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        assert len(value) <= 100_000
        for inner in value:
            check(inner, depth + 1)
    elif isinstance(value, str):
        assert len(value) <= 5 * TEXT_LIMIT
        json.dumps(value).encode()
        value.encode("utf-8")
    elif isinstance(value, int):
        assert abs(value) < 10**19
