"""The pages of the docs that are made from the source: `python -m tests.pages` makes them all anew.

A test compares each with what would be made today. The pages with numbers that were measured are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

from pytest_mailu.behaviours import built_in, handbook, setups_page
from pytest_mailu.deployment.catalogue import load
from tests import architecture, errors
from tests.programs import loaded

DOCS = Path(__file__).parents[1] / "docs"


def _catalogue() -> str:
    return str(loaded("scripts/catalogue_page").page(load()))


def _upgrades() -> str:
    program = loaded("scripts/upgrades")
    return str(program.page(program.report(*pair) for pair in pairwise(program.in_order())))


PAGES: Mapping[str, Callable[[], str]] = {
    "architecture-map.md": architecture.page,
    "behaviours.md": lambda: handbook.page(built_in()),
    "settings-catalogue.md": _catalogue,
    "setups.md": lambda: setups_page.page(built_in()),
    "troubleshooting.md": errors.page,
    "upgrades.md": _upgrades,
}
"""Name of the page → what makes it."""


def main() -> None:
    """Write every page, and say which ones have changed."""
    for name, make in PAGES.items():
        made = make()
        if (DOCS / name).read_text("utf-8") != made:
            (DOCS / name).write_text(made, "utf-8")
            print(f"docs/{name}")


if __name__ == "__main__":
    main()
