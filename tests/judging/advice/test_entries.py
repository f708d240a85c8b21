"""The entries that are shipped: each can explain something, none explains everything."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from itertools import combinations, pairwise, product

import pytest

from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Action, Observation, Outcome, Reply, Stage
from pytest_mailu.core.ranges import ReleaseRange
from pytest_mailu.core.releases import MASTER, SERIES
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.judging.advice import Advisor, Entry
from pytest_mailu.judging.judge import judge
from tests.judging.advice.synthetic import EVERYWHERE, QUESTIONS, named, shown

ENTRIES = Advisor.load().entries
LAST = {entry.series: entry.last.patch or 0 for entry in load().series}
RELEASES = [f"{series}.{patch}" for series in SERIES if series != MASTER for patch in range(LAST.get(series, 0) + 1)]
RELEASES.append(MASTER)
"""In the order in which they came; of a series that the catalogue does not know yet, the first one."""


def each(entries: tuple[Entry, ...] = ENTRIES) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.advice.id)


@cache
def inside(range_: ReleaseRange) -> frozenset[str]:
    return frozenset(release for release in RELEASES if release in range_)


def pairs(entry: Entry) -> list[tuple[str, str]]:
    """The upgrades, from a release to a later one, that an entry is about."""
    return [
        (old, new) for old, new in combinations(RELEASES, 2) if old in inside(entry.from_) and new in inside(entry.to)
    ]


def test_there_are_enough_of_them() -> None:
    assert len(ENTRIES) >= 40


@each()
def test_an_entry_is_about_some_upgrades_and_not_about_all(entry: Entry) -> None:
    about = pairs(entry)
    assert about
    assert len(about) < len(RELEASES) * (len(RELEASES) - 1) // 2
    assert not (entry.from_.text and entry.to.text and inside(entry.from_) & inside(entry.to))


@each()
def test_every_glob_names_a_behaviour_of_the_matrix_and_not_all_of_them(entry: Entry) -> None:
    for when in entry.when:
        for glob in when.behaviours:
            assert any(matches(glob, id_) for id_, _ in EVERYWHERE), glob
        assert len(named(when)) < len(EVERYWHERE)


@each()
def test_each_way_in_which_a_change_shows_can_come_about(entry: Entry) -> None:
    for when in entry.when:
        comparison = shown(when)
        assert comparison is not None, when
        assert all(entry.fits(comparison, *pair) for pair in (pairs(entry)[0], pairs(entry)[-1]))


@each()
def test_an_entry_does_not_explain_the_same_on_other_upgrades(entry: Entry) -> None:
    about = set(pairs(entry))
    others = [pair for pair in pairwise(RELEASES) if pair not in about]
    for comparison in filter(None, map(shown, entry.when)):
        assert not any(entry.fits(comparison, *pair) for pair in others)


def test_nothing_is_said_of_a_change_that_nobody_knows() -> None:
    before, after = (
        Observation(Outcome.ACCEPTED, Stage.COMMAND, Reply("299", "2.9.9", "same"), {"nobody knows": text})
        for text in ("this", "that")
    )
    changed = [judge(question, [before], [after]) for question in QUESTIONS.values()]
    for entry in ENTRIES:
        for pair in (pairs(entry)[0], pairs(entry)[-1]):
            assert not [one.question.id for one in changed if entry.fits(one, *pair)], entry.advice.id


@each()
def test_an_entry_says_what_an_administrator_can_do(entry: Entry) -> None:
    advice = entry.advice
    assert advice.cause.endswith((".", "!"))
    assert advice.remedy.endswith((".", ";", "/24.", ")."))
    assert 30 < len(advice.cause) < 420, len(advice.cause)
    assert 8 <= len(advice.remedy) < 420, len(advice.remedy)
    assert re.search(r"Mailu|https://|RFC \d|CVE-", advice.source)
    for text in (advice.cause, advice.remedy, advice.source):
        assert text == text.strip()
        assert "\n" not in text
        assert "  " not in text


def test_what_is_told_as_one_has_words_of_its_own() -> None:
    roots = {entry.root for entry in ENTRIES if entry.root}
    assert not roots & {"port closed"}
    assert all(len(root) < 60 for root in roots)


def test_the_files_are_short_enough_to_be_read() -> None:
    for file in files("pytest_mailu.judging.advice").iterdir():
        if file.name.endswith(".toml"):
            assert len(file.read_text("utf-8").splitlines()) < 300, file.name


def test_no_two_entries_are_the_same() -> None:
    for first, second in product(ENTRIES, ENTRIES):
        if first is not second:
            assert (first.advice.cause, first.advice.remedy) != (second.advice.cause, second.advice.remedy)


@each()
def test_an_entry_says_on_one_line_what_to_do_and_nothing_where_nothing_is_to_be_done(entry: Entry) -> None:
    if entry.action is Action.NOTHING:
        assert entry.remedy.startswith("Nothing")
        assert not entry.title
    else:
        assert entry.action is not Action.LOOK, "that is for findings without advice"
        assert 10 < len(entry.title) <= 72
        assert not entry.title.endswith(".")
        assert not entry.remedy.startswith("Nothing")
    assert entry.paste == entry.paste.strip()
