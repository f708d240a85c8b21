"""Printable text measured, wrapped and cut in terminal columns, by wcwidth."""

from __future__ import annotations

import wcwidth


def columns(text: str) -> int:
    """How many columns a terminal needs for printable text."""
    return wcwidth.width(text, control_codes="ignore")


def wrap(text: str, width: int) -> list[str]:
    """Words in lines of at most `width` columns; at least one line. A word that is longer is cut."""
    return wcwidth.wrap(text, width, control_codes="ignore", break_on_hyphens=False) or [""]


def clip(text: str, width: int) -> str:
    """The text on one line, with `…` in the place of what does not fit."""
    # A column holds at most a few characters (combining marks): no need to measure a megabyte.
    head = text[: 8 * width]
    if head == text and columns(text) <= width:
        return text
    return wcwidth.clip(head, 0, width - 1).rstrip() + "…"


def pad(text: str, width: int) -> str:
    """The text with spaces behind it up to `width` columns."""
    return str(wcwidth.ljust(text, width))
