from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from pytest_mailu.core.model import Report, Verdict
from pytest_mailu.reports import markdown
from pytest_mailu.reports.view import ReportView

OURS = {"h2", "h3", "h4", "p", "strong", "br", "a", "table", "thead", "tbody", "tr", "th", "td", "code", "pre"} | {
    "details",
    "summary",
    "ul",
    "li",
    "blockquote",
}


class Rendered(HTMLParser):
    """What a forge shows: Markdown with tables and HTML let through."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.cells: list[int] = []
        self.prose: list[str] = []
        self.code: list[str] = []
        self._open: list[str] = []
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        self.targets += [value or "" for name, value in attrs if name == "href"]
        if tag == "tr":
            self.cells.append(0)
        elif tag in ("td", "th"):
            self.cells[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        (self.code if {"code", "pre"} & set(self._open) else self.prose).append(data)


def test_where_a_service_ended_its_last_log_lines_are_shown(report: Report) -> None:
    text = markdown.render(ReportView(report))
    assert "nginx: [emerg] no space left on device\nnginx: configuration file test failed" in text


def test_it_says_what_decides_in_a_few_lines(report: Report) -> None:
    head = markdown.render(ReportView(report))[:1700]
    assert head.startswith("## NO-GO: Mailu 2.0.43 → 2024.06.24\n")
    assert "9 regressions stop the upgrade (1 cause)." in head
    assert "#### 1. Ports 110, 143 and 587 are closed on the new side" in head
    assert "Set PORTS=25,80,110,143,443,465,587,993,995,4190 in mailu.env" in head
    assert "<https://mailu.io/2024.06/configuration.html#advanced-settings>" in head


def test_it_shows_both_sides_of_what_stops(report: Report) -> None:
    row = next(line for line in markdown.render(ReportView(report)).split("\n") if "587-starttls/external" in line)
    assert "delivered" in row
    assert "250 2.0.0 Ok: queued as" in row
    assert "port closed" in row


def test_it_has_a_waiver_to_paste_for_every_finding_that_stops(report: Report) -> None:
    entries = "\n".join(re.findall(r"```toml\n(.*?)\n```", markdown.render(ReportView(report)), re.DOTALL))
    stopping = {Verdict.REGRESSED, Verdict.UNSTABLE, Verdict.INCONCLUSIVE}
    wanted = {found.behaviour for found in report.findings if found.verdict in stopping and found.waiver is None}
    assert wanted <= {entry["behaviour"] for entry in tomllib.loads(entries)["waiver"]}


def test_what_is_waived_and_what_stops_nobody_is_told_apart(report: Report) -> None:
    text = markdown.render(ReportView(report))
    assert text.index("### Waived") < text.index("sales@ moves away in May")
    assert text.index("### To do") < text.index("- [ ] **look:**") < text.index("### Waived")


def test_hostile_texts_stay_texts(hostile: Report) -> None:
    shown = Rendered(markdown.render(ReportView(hostile)))
    assert set(shown.tags) <= OURS
    assert all(target.startswith("https://") for target in shown.targets)
    assert set(shown.cells) <= {3}, "a text left its cell"


def test_nobody_is_called_and_nothing_is_linked(most_hostile: Report, report: Report) -> None:
    shown = Rendered(markdown.render(ReportView(most_hostile), 10**7))
    prose = " ".join(shown.prose)
    assert "everyone" in prose
    assert not re.search(r"(?<!\w)@\w", prose)
    assert not re.search(r"(?<!\w)#\d", prose)
    assert not re.search(r"https?://\w", prose.replace("https://mailu.io", "").replace("https://evil.example/", ""))


def test_a_code_block_cannot_be_ended_by_what_it_holds() -> None:
    shown = Rendered(markdown.block(["a", "```", "````` b", "<script>"]))
    assert shown.tags == ["pre", "code"]
    assert "".join(shown.code) == "a\n```\n````` b\n<script>\n"


def test_a_long_report_is_told_shorter_and_never_longer_than_a_comment(report: Report) -> None:
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.REGRESSED)
    many = tuple(
        replace(lost, behaviour=f"web/{number}", root=f"cause {number % 40}", breaks=f"{number} {'x' * 900}")
        for number in range(3000)
    )
    text = markdown.render(ReportView(replace(report, findings=many)))
    assert len(text) <= markdown.COMMENT_LIMIT
    assert "#### 1." in text
    assert text.count("<details>") == text.count("</details>")


def test_notes_are_quoted(report: Report) -> None:
    assert "\n> the waiver in line 3 has expired\n" in markdown.render(ReportView(report))
