"""How bytes of a stranger are shown: never as control characters, never failing."""

from __future__ import annotations


def show(data: bytes | str, limit: int | None = None) -> str:
    """`data` as printable text: invalid UTF-8 as `\\xff`, control and other invisible characters escaped.

    Line feeds stay, since replies of several lines are joined by them. At most `limit` characters are shown.
    """
    if isinstance(data, bytes):
        head = data if limit is None else data[: 4 * limit]
        text = head.decode("utf-8", "backslashreplace")
    else:
        text = data
    cut = text if limit is None else text[:limit]
    shown = "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in cut)
    return shown if len(cut) == len(text) else shown + "…"


def show_line(data: bytes | str, limit: int | None = None) -> str:
    """Like `show`, but line feeds are escaped as well."""
    return show(data, limit).replace("\n", "\\n")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def safe(text: object) -> str:
    """One line of printable text: what a server said must neither move a cursor nor turn the reading direction."""
    return visible(" ".join(str(text).split()))


def visible(text: str) -> str:
    """The text with its spaces, and everything that cannot be printed as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
