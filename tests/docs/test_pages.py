"""The pages that are made from the source are those of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pages
from tests.pages import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_source_makes_today(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run: python -m tests.pages"


def test_these_pages_and_no_others_say_how_they_are_made() -> None:
    saying = {path.name for path in DOCS.glob("*.md") if "python -m tests.pages" in path.read_text("utf-8")}
    assert saying == PAGES.keys()


def test_pages_that_are_of_yesterday_are_written_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    monkeypatch.setattr(pages, "PAGES", {"old.md": lambda: "today\n", "same.md": lambda: "same\n"})
    (tmp_path / "old.md").write_text("yesterday\n", "utf-8")
    (tmp_path / "same.md").write_text("same\n", "utf-8")
    pages.main()
    assert capsys.readouterr().out == "docs/old.md\n"
    assert (tmp_path / "old.md").read_text("utf-8") == "today\n"
