"""Text that somebody else wrote, as it is shown: printable, of limited length; never fails."""

from __future__ import annotations

TEXT_LIMIT = 4096
"""Characters of one text of a server that are kept."""
DIGITS = 18
"""Of a number; 2**63 has one more."""


def show(data: bytes | str, limit: int | None = None) -> str:
    """`data` as printable text: invalid UTF-8 as `\\xff`, control and other invisible characters escaped.

    Line feeds stay, since replies of several lines are joined by them. With `limit`, at most so many characters are
    shown; `…` stands where the text was cut.
    """
    head = data if limit is None else data[: 4 * limit]
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    cut = text if limit is None else text[:limit]
    shown = cut if cut.isprintable() else "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in cut)
    if limit is None or (len(shown) <= limit and len(cut) == len(text) and len(head) == len(data)):
        return shown
    return shown[:limit] + "…"


def show_line(data: bytes | str, limit: int | None = None) -> str:
    """Like `show`, but line feeds are escaped as well."""
    return show(data, limit).replace("\n", "\\n")


def whole_number(text: str | bytes) -> int | None:
    """A number of at most 18 ASCII digits; None for anything else, such as one of 5,000 digits."""
    return int(text) if 0 < len(text) <= DIGITS and text.isascii() and text.isdigit() else None


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
