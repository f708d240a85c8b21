"""Documents and pages as data: XML without a document type, and the tables and texts of web pages. All have limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.wire.transport.errors import CannotAsk

LONGEST = 1 << 18
LONGEST_PAGE = 1 << 20
DEEPEST = 30
MOST = 2000
"""Characters of a document and of a page, elements in one another, and elements, cells and texts that are read."""


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Entities come with a document type, and with them what makes small documents large (CWE-776) or reads files
    (CWE-611). Nobody needs either."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a document type")


def xml(text: str) -> ElementTree.Element:
    """The root of an XML document. Raises `CannotAsk` for what is none, has a document type, or is too large."""
    if len(text) > LONGEST:
        raise CannotAsk(f"an XML document of more than {LONGEST} characters")
    parser = ElementTree.XMLParser(target=_WithoutDoctype())  # noqa: S314 - without a document type, in these limits
    try:
        parser.feed(text.strip())
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        raise CannotAsk(f"not XML: {show_line(str(error), 80)}") from error
    if sum(1 for _ in root.iter()) > MOST:
        raise CannotAsk(f"an XML document of more than {MOST} elements")
    return root


def structure(root: ElementTree.Element) -> dict[str, Any]:
    """An XML document as facts: `incomingServer(imap)/port` → `993`. Names are without their namespaces.

    An element's attribute `type` tells it from its neighbours; other attributes are facts of their own. Of several with
    the same path all texts are told.
    """
    found: dict[str, list[str]] = {}
    level: list[tuple[str, ElementTree.Element, int]] = [("", root, 0)]
    while level:
        path, element, depth = level.pop()
        if depth > DEEPEST:
            raise CannotAsk(f"an XML document of more than {DEEPEST} levels")
        kind = f"({element.attrib['type']})" if "type" in element.attrib else ""
        name = f"{element.tag.rpartition('}')[2]}{kind}"
        here = f"{path}/{name}" if path else name
        text = (element.text or "").strip()
        if text or not len(element):
            found.setdefault(here, []).append(show_line(text, TEXT_LIMIT))
        for key, value in element.attrib.items():
            if key != "type":
                found.setdefault(f"{here}@{key}", []).append(show_line(value, TEXT_LIMIT))
        level += [(here, child, depth + 1) for child in reversed(element)]
    return {path: texts[0] if len(texts) == 1 else texts for path, texts in found.items()}


@dataclass(slots=True)
class Page:
    """What a web page says: its tables, row by row, and its named texts (`<pre id=…>`)."""

    tables: list[list[list[str]]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    def columns(self) -> list[str]:
        """The heads of the first table that has more than two columns."""
        return next((table[0] for table in self.tables if table and len(table[0]) > 2), [])

    def pairs(self) -> list[dict[str, str]]:
        """The tables of two columns: the left cell names what the right one says."""
        return [{row[0]: row[1] for row in table if len(row) == 2} for table in self.tables if table]


def page(text: str) -> Page:
    """What a web page says. Raises `CannotAsk` for markup that cannot be read."""
    reader = _Reader()
    try:
        reader.feed(text[:LONGEST_PAGE])
    except Exception as error:  # HTMLParser's own, for markup that makes no sense
        raise CannotAsk(f"a page that cannot be read: {show_line(str(error), 80)}") from error
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._left = MOST
        self._cell: list[str] | None = None
        self._pre = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._left <= 0:
            return
        if tag == "table":
            self.page.tables.append([])
        elif tag == "tr" and self.page.tables:
            self.page.tables[-1].append([])
        elif tag in ("th", "td") and self.page.tables and self.page.tables[-1]:
            self._cell = []
            self._left -= 1
        elif tag == "pre":
            self._pre = given.get("id", "")
            if self._pre:
                # An id that comes again (domain-dns of master: one of each alternative) is one text of several lines.
                so_far = self.page.texts.get(self._pre)
                self.page.texts[self._pre] = "" if so_far is None else f"{so_far}\n"[:TEXT_LIMIT]
        elif tag == "a" and given.get("href"):
            self.page.links.append(given["href"][:TEXT_LIMIT])
            self._left -= 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td") and self._cell is not None:
            self.page.tables[-1][-1].append(show_line(" ".join("".join(self._cell).split()), TEXT_LIMIT))
            self._cell = None
        elif tag == "pre":
            self._pre = ""

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
        if self._pre:
            self.page.texts[self._pre] = (self.page.texts[self._pre] + data)[:TEXT_LIMIT]
