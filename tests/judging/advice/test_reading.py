"""How entries are read: what is wrong with a file is said with its name and the entry's."""

from __future__ import annotations

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.judging.advice import Advisor, read

GOOD = """
[[advice]]
id = "ports-default"
from = "<2024.06"
to = ">=2024.06"
cause = "A new default."
remedy = "PORTS=25"
source = "docs"

[[advice.when]]
behaviours = ["surface/*"]
verdicts = ["regressed"]
new = { outcome = "unreachable" }
"""


def wrong(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(text, "ports.toml")
    return caught.value.cause


def test_an_entry_is_read_as_it_is_written() -> None:
    (entry,) = read(GOOD, "ports.toml")
    assert (entry.advice.id, entry.advice.remedy, entry.from_.text, entry.root) == (
        "ports-default",
        "PORTS=25",
        "<2024.06",
        "",
    )
    assert entry.when[0].new == {"outcome": "unreachable"}


def test_what_is_no_toml_names_the_file_and_the_line() -> None:
    assert wrong('[[advice]]\nid = "a').startswith("ports.toml is invalid TOML: ")
    assert "line 3" in wrong('[[advice]]\nid = "a"\nthis is nothing\n')


@pytest.mark.parametrize("text", ["", "[advice]\n", "advice = [1]\n", GOOD + "[other]\n"])
def test_a_file_holds_entries_and_nothing_else(text: str) -> None:
    assert wrong(text) == "ports.toml has to hold [[advice]] and nothing else"


@pytest.mark.parametrize(
    ("part", "instead", "said"),
    [
        ('cause = "A new default."', "", "`cause` is missing"),
        ('remedy = "PORTS=25"', 'remedy = " "', "`remedy` is empty"),
        ('source = "docs"', "source = 5", "`source` has to be a text in quotes, not 5"),
        ('source = "docs"', 'source = "docs"\nsorce = "docs"', "`sorce` is not known, did you mean 'source'?"),
        ('from = "<2024.06"\nto = ">=2024.06"', "", "`from` or `to` is missing"),
        ('from = "<2024.06"', 'from = "before"', "`from` "),
        ('to = ">=2024.06"', 'to = ">=no"', "`to` "),
        ('to = ">=2024.06"', "to = 2024.06", "`to` has to be a text"),
        ("[[advice.when]]", "[advice.other]", "`when` is missing"),
        ('behaviours = ["surface/*"]', "behaviours = []", "`behaviours` has to name some, and not everything"),
        ('behaviours = ["surface/*"]', 'behaviours = ["*"]', "`behaviours` has to name some, and not everything"),
        (
            'behaviours = ["surface/*"]',
            'behaviours = "surface/*"',
            "`when.behaviours` has to be a list, not",
        ),
        ('verdicts = ["regressed"]', 'verdict = ["regressed"]', "`when.verdict` is not known"),
        ('verdicts = ["regressed"]', 'verdicts = ["lost"]', "'lost' is not a valid Verdict"),
        (
            'new = { outcome = "unreachable" }',
            "new = { outcome = 1 }",
            "`when.new` has to be a table from paths to texts",
        ),
        (
            'new = { outcome = "unreachable" }',
            "new.reply.code = '554'",
            "`when.new` has to be a table from paths to texts",
        ),
        (
            'verdicts = ["regressed"]\nnew = { outcome = "unreachable" }',
            "",
            "one of verdicts, paths, old, new is needed",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_entry(part: str, instead: str, said: str) -> None:
    assert part in GOOD
    cause = wrong(GOOD.replace(part, instead))
    assert cause.startswith("ports.toml, advice 'ports-default': ")
    assert said in cause


def test_an_entry_without_an_id_is_named_as_such() -> None:
    assert wrong(GOOD.replace('id = "ports-default"', "")) == "ports.toml, advice '?': `id` is missing"


def test_an_id_is_what_can_be_pasted_anywhere() -> None:
    assert "an id is made of" in wrong(GOOD.replace('"ports-default"', '"Ports default"'))


def test_an_entry_without_when_is_no_entry() -> None:
    assert "`when` is missing" in wrong(GOOD.partition("[[advice.when]]")[0])


def test_two_entries_of_one_id_are_an_error() -> None:
    with pytest.raises(UsageError, match="there are 2 entries 'ports-default'"):
        Advisor(read(GOOD + GOOD, "ports.toml"))


def test_everything_that_is_wrong_with_an_entry_is_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        read(GOOD.replace('source = "docs"', "sorce = 5").replace('["regressed"]', '["lost"]'), "ports.toml")
    told = str(caught.value)
    assert "`sorce` is not known" in told
    assert "`source` is missing" in told
    assert "'lost' is not a valid Verdict" in told
