"""docs/settings-catalogue.md, made from the catalogue."""

from __future__ import annotations

from pytest_mailu.deployment.catalogue import Catalogue


def page(catalogue: Catalogue) -> str:
    """The text of the page."""
    return "# Settings catalogue\n"
