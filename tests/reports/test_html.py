from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pytest_mailu.core.model import Action, Advice, Comparison, Difference, Reply, Report, Verdict
from pytest_mailu.core.serialization import dumps, plain, structured
from pytest_mailu.core.transcript import Event, Kind, Speaker
from pytest_mailu.reports import html, markdown, terminal
from pytest_mailu.reports.view import ReportView

VOID = {"meta", "input", "br"}


def render(report: Report, comparisons: Sequence[Comparison] = ()) -> str:
    return html.render(ReportView(report, comparisons))


class Page(HTMLParser):
    """Elements, texts and attributes of a page; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


def test_it_says_everything_that_decides(report: Report, comparisons: list[Comparison]) -> None:
    text = Page(render(report, comparisons)).text
    for words in (
        "NO-GO",
        "Mailu 2.0.43 → 2024.06.24",
        "9 regressions stop the upgrade (1 cause).",
        "10 regressed (1 waived)",
        "3 min 12 s",
        "Ports 110, 143 and 587 are closed on the new side",
        "Mail programs set to port 587 (STARTTLS) cannot write to anybody outside.",
        "Set PORTS=25,80,110,143,443,465,587,993,995,4190 in mailu.env",
        "mailu::submission/587-starttls/external",
        "the waiver in line 3 has expired",
        "sales@ moves away in May, Ada, until 2027-01-31 (line 7)",
    ):
        assert words in text


def test_it_shows_the_evidence(report: Report, comparisons: list[Comparison]) -> None:
    text = Page(render(report, comparisons)).text
    for words in (
        "C: MAIL FROM:<alice@post.example>",
        "-- connection refused",
        "smtp | 4Xk2Lm1Zz9: to=<someone@elsewhere.example>, status=sent (250 2.0.0 kept)",
        "ghcr.io/mailu/nginx@sha256:1a1a",
        "25,80,443,465,993,995,4190",
        "10.213.7.0/24",
        "swaks --server mail.example.org",
        '[[waiver]] behaviour = "submission/587-starttls/external"',
    ):
        assert words in text


def test_every_link_within_the_page_leads_somewhere(report: Report, comparisons: list[Comparison]) -> None:
    page = Page(render(report, comparisons))
    names = page.attributes("id")
    assert len(names) == len(set(names))
    within = [target for target in page.attributes("href") if target.startswith("#")]
    assert within
    assert {target[1:] for target in within} <= set(names)


def test_everything_asked_is_on_the_map_and_findings_alone_make_one_too(
    report: Report, comparisons: list[Comparison]
) -> None:
    whole, alone = Page(render(report, comparisons)), Page(render(structured(plain(report), Report)))
    assert "same: old delivered, new delivered" in whole.text
    assert "same: old delivered, new delivered" not in alone.text
    assert "regressed: old delivered, new port closed" in alone.text
    assert "Only findings are shown" in alone.text


def test_a_report_file_is_enough(report: Report) -> None:
    import json

    assert render(structured(json.loads(dumps(report)), Report)) == render(report)


def test_it_needs_nothing_from_anywhere(report: Report, comparisons: list[Comparison]) -> None:
    page = Page(render(report, comparisons))
    assert not {"link", "img", "iframe", "object", "embed", "audio", "video", "base"} & {tag for tag, _ in page.tags}
    assert not page.attributes("src")
    assert not re.search(r"url\(|@import", render(report))


def test_only_its_own_style_and_script_are_let_through(report: Report) -> None:
    text = render(report)
    page = Page(text)
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not page.attributes("style")


def test_hostile_texts_stay_texts(hostile: Report, report: Report, comparisons: list[Comparison]) -> None:
    good, bad = Page(render(report)), Page(render(hostile))
    assert {tag for tag, _ in bad.tags} == {tag for tag, _ in good.tags}
    assert sum(tag == "script" for tag, _ in bad.tags) == 1
    assert not [name for _, attributes in bad.tags for name in attributes if name.startswith("on")]
    assert all(target.startswith(("#", "https://")) for target in bad.attributes("href"))


def test_nothing_unprintable_gets_into_the_page(most_hostile: Report) -> None:
    assert all(char.isprintable() or char == "\n" for char in render(most_hostile))


@pytest.mark.parametrize("decision", ["go", "go-with-waivers", "no-go", "cannot-tell"])
def test_every_decision_makes_a_page(report: Report, decision: str) -> None:
    bare = structured({**plain(report), "decision": decision, "findings": [], "notes": [], "counts": {}}, Report)
    Page(render(bare))


def test_a_reply_of_a_megabyte_is_cut_with_a_mark(report: Report, comparisons: list[Comparison]) -> None:
    """The page had 30 MB, and one line of a million characters."""
    huge = "x" * 1_000_000
    lead = report.findings[0]
    assert lead.old is not None
    old = replace(
        lead.old,
        reply=Reply("250", "", huge),
        transcript=(Event(Speaker.SERVER, Kind.LINE, huge),) * 900,
        logs=(huge,) * 3,
    )
    new = replace(old, reply=Reply("251", "", huge[1:]), transcript=(Event(Speaker.SERVER, Kind.LINE, huge[1:]),) * 900)
    difference = Difference("facts.x", "changed", huge, huge[1:])
    bad = replace(lead, old=old, new=new, differences=(difference,), why=None)
    bloated = replace(report, findings=(bad, *report.findings[1:]))
    usual = len(render(report, comparisons))
    page = render(bloated, comparisons)
    assert "characters left out]" in page
    assert "[500 more events]" in page
    assert len(page) < usual + 1_500_000
    assert len(markdown.render(ReportView(bloated))) <= markdown.COMMENT_LIMIT
    text = ["".join(span.text for span in line) for line in terminal.lines(bloated, 80, "", 1)]
    assert max(map(len, text)) <= 80


@pytest.mark.parametrize(("number", "folded"), [(12, ""), (13, "1 more that is less urgent"), (15, "3 more that are")])
def test_more_than_a_dozen_to_dos_are_folded(report: Report, number: int, folded: str) -> None:
    changed = next(finding for finding in report.findings if finding.verdict is Verdict.CHANGED)
    to_do = tuple(
        replace(
            changed,
            behaviour=f"web/page/number-{each}",
            root=f"root {each}",
            action=Action.DO,
            advice=(Advice(f"advice-{each}", "Cause.", "Remedy.", "docs", Action.DO, f"Do the thing {each}"),),
        )
        for each in range(number)
    )
    page = render(replace(report, findings=to_do))
    assert all(f"Do the thing {each}" in page for each in range(number))
    assert ('<details class="rest">' in page) is bool(folded)
    assert folded in page
