from __future__ import annotations

import datetime
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import (
    Finding,
    Observation,
    Outcome,
    Problem,
    Question,
    Reply,
    Severity,
    SideName,
    Stage,
    Verdict,
    Why,
)
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.waivers import Waivers, entry_for

IDS = ("submission/587-starttls/external", "submission/465-tls/external", "access/143-starttls/login", "web/admin")
TODAY = datetime.date(2026, 5, 1)


def write(folder: Path, text: str) -> Path:
    file = folder / "mailu-waivers.toml"
    file.write_text(text, "utf-8")
    return file


def load(folder: Path, text: str) -> Waivers:
    return Waivers.load(write(folder, text), IDS)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, text)
    return str(caught.value)


def finding(behaviour: str, old: Observation, new: Observation, severity: Severity = Severity.MAJOR) -> Finding:
    asked = Question(behaviour, "title", "breaks", "source", Outcome.ACCEPTED, severity)
    (found,) = findings([judge(asked, (old, old), (new, new))])
    return found


GOOD = Observation(Outcome.ACCEPTED, Stage.AUTH, Reply("235", "2.0.0", "OK"), {"ehlo": ["DSN", "ETRN"]})
CLOSED = Observation(Outcome.UNREACHABLE, Stage.CONNECT)
LOST = finding("submission/587-starttls/external", GOOD, CLOSED)
REWORDED = finding(
    "submission/465-tls/external",
    GOOD,
    replace(GOOD, reply=Reply("235", "2.7.0", "Logged in."), facts={"ehlo": ["DSN"]}),
)


def applies(waivers: Waivers, found: Finding, old: str = "2.0.43", new: str = "2024.06.24") -> bool:
    return waivers.match(found, old, new, TODAY) is not None


def entry(**values: str) -> str:
    given = {"behaviour": LOST.behaviour, "reason": "nobody uses it", **values}
    return "[[waiver]]\n" + "\n".join(f'"{key}" = "{value}"' for key, value in given.items()) + "\n"


# Applying ------------------------------------------------------------------------------------------------------------


def test_a_waiver_applies_to_the_behaviour_it_names_and_no_other(tmp_path: Path) -> None:
    waivers = load(tmp_path, entry())
    assert applies(waivers, LOST)
    assert not applies(waivers, replace(LOST, behaviour="submission/465-tls/external"))


@pytest.mark.parametrize("glob", ["submission/587-*", "*/external", "submission/???-starttls/external", "*"])
def test_a_glob_names_many(tmp_path: Path, glob: str) -> None:
    assert applies(load(tmp_path, entry(behaviour=glob)), LOST)


def test_an_id_pasted_from_pytest_is_understood(tmp_path: Path) -> None:
    assert applies(load(tmp_path, entry(behaviour=f"mailu::{LOST.behaviour}")), LOST)


@pytest.mark.parametrize(
    ("from_", "to", "old", "new", "expected"),
    [
        ("2.0", "2024.06", "2.0.43", "2024.06.24", True),
        ("2.0.43", "", "2.0.43", "2024.06.24", True),
        ("2.0.42", "", "2.0.43", "2024.06.24", False),
        ("1.9", "", "2.0.43", "2024.06.24", False),
        (">=1.9,<2024.06", ">=2024.06", "2.0.43", "2024.06.24", True),
        (">=1.9,<2024.06", "<2024.06.20", "2.0.43", "2024.06.24", False),
        ("", "master", "2.0.43", "2024.06.24", False),
        ("", "master", "2024.06.57", "master", True),
        ("2.0", "", "live:mail.example.org", "2024.06.24", False),
        ("", "2024.06", "live:mail.example.org", "2024.06.24", True),
    ],
)
def test_a_waiver_holds_for_the_releases_it_names(
    tmp_path: Path, from_: str, to: str, old: str, new: str, expected: bool
) -> None:
    assert applies(load(tmp_path, entry(**{"from": from_, "to": to})), LOST, old, new) is expected


def test_a_fingerprint_ties_a_waiver_to_one_finding(tmp_path: Path) -> None:
    waivers = load(tmp_path, entry(fingerprint=LOST.fingerprint))
    assert applies(waivers, LOST)
    assert not applies(waivers, finding(LOST.behaviour, GOOD, replace(CLOSED, stage=Stage.GREETING)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [("*", True), ("facts.*", False), ("reply.*", False), ("facts.ehlo[ETRN]", False), ("?*", True)],
)
def test_a_path_has_to_cover_every_difference(tmp_path: Path, path: str, expected: bool) -> None:
    waivers = load(tmp_path, entry(behaviour=REWORDED.behaviour, path=path))
    assert applies(waivers, REWORDED) is expected


def test_brackets_in_a_path_are_no_classes(tmp_path: Path) -> None:
    poorer = finding(REWORDED.behaviour, GOOD, replace(GOOD, facts={"ehlo": ["DSN"]}))
    for path in ("facts.ehlo[ETRN]", "facts.ehlo[*]", "facts.ehlo*"):
        assert applies(load(tmp_path, entry(behaviour=poorer.behaviour, path=path)), poorer)
    assert not applies(load(tmp_path, entry(behaviour=poorer.behaviour, path="facts.ehlo[DSN]")), poorer)


def test_a_path_for_texts_never_lets_a_lost_port_pass(tmp_path: Path) -> None:
    assert not applies(load(tmp_path, entry(path="reply.*")), LOST)
    # A behaviour may call anything volatile, its own outcome too.
    hidden = replace(LOST, differences=tuple(one for one in LOST.differences if one.path.startswith("reply")))
    assert not applies(load(tmp_path, entry(path="reply.*")), hidden)


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.UNSTABLE])
def test_a_path_means_nothing_where_nothing_was_compared(tmp_path: Path, verdict: Verdict) -> None:
    unclear = replace(REWORDED, verdict=verdict)
    assert not applies(load(tmp_path, entry(behaviour=unclear.behaviour, path="*")), unclear)
    assert applies(load(tmp_path, entry(behaviour=unclear.behaviour)), unclear)


@pytest.mark.parametrize("problem", [Problem.NOT_RECORDED, Problem.NOT_ASKED])
def test_a_glob_never_covers_what_nobody_has_seen(tmp_path: Path, problem: Problem) -> None:
    """A waiver `*` over an empty recording ended in GO WITH WAIVERS."""
    unseen = replace(LOST, verdict=Verdict.INCONCLUSIVE, why=Why(SideName.NEW, problem, "not recorded"))
    for glob in ("*", "submission/*", "submission/587-starttls/externa?"):
        assert not applies(load(tmp_path, entry(behaviour=glob)), unseen)
    assert applies(load(tmp_path, entry()), unseen), "by its id it can be accepted"


def test_a_waiver_holds_through_the_day_it_names(tmp_path: Path) -> None:
    assert applies(load(tmp_path, entry() + f"expires = {TODAY}\n"), LOST)
    assert applies(load(tmp_path, entry(expires=str(TODAY))), LOST)
    assert not applies(load(tmp_path, entry() + f"expires = {TODAY - datetime.timedelta(days=1)}\n"), LOST)


def test_the_first_waiver_that_applies_is_taken(tmp_path: Path) -> None:
    waivers = load(tmp_path, entry(to="1.9") + "\n" + entry(reason="second") + "\n" + entry(reason="third"))
    taken = waivers.match(LOST, "2.0.43", "2024.06.24", TODAY)
    assert taken is not None
    assert (taken.reason, taken.line) == ("second", 6)


def test_no_file_waives_nothing() -> None:
    assert not applies(Waivers(), LOST)
    assert Waivers().notes([LOST], [LOST.behaviour], TODAY) == ()


# Notes ---------------------------------------------------------------------------------------------------------------


def notes(waivers: Waivers, found: list[Finding], asked: tuple[str, ...] = IDS) -> tuple[str, ...]:
    told = [replace(one, waiver=waivers.match(one, "2.0.43", "2024.06.24", TODAY)) for one in found]
    return waivers.notes(told, asked, TODAY, "2.0.43", "2024.06.24")


def test_a_waiver_that_was_used_needs_no_note(tmp_path: Path) -> None:
    assert notes(load(tmp_path, entry()), [LOST]) == ()


def test_an_expired_waiver_is_named_when_its_behaviour_ran(tmp_path: Path) -> None:
    waivers = load(tmp_path, "# old\n" + entry(expires="2026-04-30"))
    (note,) = notes(waivers, [LOST])
    assert "mailu-waivers.toml:2:" in note
    assert "expired on 2026-04-30" in note
    assert notes(waivers, [], asked=("web/admin",)) == ()


def test_an_unused_waiver_is_named_only_when_all_it_names_ran(tmp_path: Path) -> None:
    waivers = load(tmp_path, entry(behaviour="submission/*"))
    (note,) = notes(waivers, [])
    assert "unused" in note
    assert notes(waivers, [], asked=("submission/465-tls/external", "web/admin")) == ()


def test_a_waiver_for_another_upgrade_is_not_called_unused(tmp_path: Path) -> None:
    assert notes(load(tmp_path, entry(**{"from": "1.9"})), []) == ()


# Reading -------------------------------------------------------------------------------------------------------------


def test_a_whole_entry_is_read(tmp_path: Path) -> None:
    text = entry(**{"from": "2.0", "to": ">=2024.06", "path": "*", "fingerprint": "0123456789ab", "by": "Ada"})
    (waiver,) = load(tmp_path, "\ufeff# kept by Ada\n\n" + text + "expires = 2027-01-31\n").entries
    assert (waiver.behaviour, waiver.reason, waiver.from_, waiver.to) == (
        LOST.behaviour,
        "nobody uses it",
        "2.0",
        ">=2024.06",
    )
    assert (waiver.path, waiver.fingerprint, waiver.by, waiver.expires) == ("*", "0123456789ab", "Ada", "2027-01-31")
    assert waiver.line == 3


def test_an_empty_file_is_fine(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n").entries == ()


def test_lines_are_counted_past_texts_that_look_like_entries(tmp_path: Path) -> None:
    text = '[[waiver]]\nbehaviour = "web/admin"\nreason = """\n[[waiver]]\nbehaviour = "no/such"\n"""\n\n' + entry()
    assert [waiver.line for waiver in load(tmp_path, text).entries] == [1, 8]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (entry(behaviour="submission/587-starttls/externl"), 2, "did you mean 'submission/587-starttls/external'?"),
        (entry(behaviour="sumbission/*"), 2, "no behaviour matches 'sumbission/*', did you mean 'submission/*'?"),
        (entry(behaviour="*/587-startls/*"), 2, "'*/587-startls/*', did you mean '*/587-starttls/*'?"),
        (entry(behaviour="*/nothing-like-it/*"), 2, "no behaviour matches '*/nothing-like-it/*'\n"),
        (entry(behaviour="no/such"), 2, "→ See the ids with: pytest --mailu-from … --mailu-to … --collect-only -q"),
        (entry(resaon="x"), 4, "`resaon` is not known, did you mean 'reason'?"),
        (entry(reason=" "), 3, "`reason` is empty"),
        ('[[waiver]]\nbehaviour = "web/admin"\n', 1, "`reason` is missing"),
        ('[[waiver]]\nreason = "x"\n', 1, "`behaviour` is missing"),
        ('[[waiver]]\nbehaviour = 587\nreason = "x"\n', 2, "`behaviour` has to be a text in quotes, not 587"),
        (entry(expires="next year"), 4, "`expires` has to be a date"),
        (entry() + "expires = 2027-01-31T00:00:00\n", 4, "`expires` has to be a date"),
        (entry(to=">=2024.06,<"), 4, "`to` "),
        (entry(**{"from": "2.1"}), 4, "`from` "),
        (entry(path="reply.txt"), 4, "did you mean 'reply.text'?"),
        (entry(fingerprint="abc"), 4, "is not a fingerprint"),
        ("[[wavier]]\n" + entry(), 1, "'wavier' is not known here, did you mean 'waiver'?"),
        ('[waiver]\nbehaviour = "web/admin"\nreason = "x"\n', 1, "a table of its own, [[waiver]]"),
        ('\nwaiver = [{behaviour = "web/admin", reason = "x"}]\n', 2, "a table of its own, [[waiver]]"),
        (entry() + "[waiver.more]\nx = 1\n", 4, "`more` is not known"),
        ('[[waiver]]\nbehaviour = "web/admin\nreason = "x"\n', 2, "is invalid TOML"),
    ],
)
def test_whatever_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    told = refusal(tmp_path, text)
    assert words in told
    assert f"mailu-waivers.toml:{line}:" in told or f"line {line}," in told


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, entry(reason="") + "\n" + entry(behaviour="no/such", by="Ada", expired="x"))
    assert [f":{line}:" in told for line in (3, 6, 9)] == [True, True, True]


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the waivers"):
        Waivers.load(tmp_path / "none.toml", IDS)
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        Waivers.load(tmp_path / "latin.toml", IDS)


def filled(text: str) -> str:
    """An entry to paste, with the reason that a person writes."""
    return text.replace('reason = ""', 'reason = "nobody uses it"')


# Writing -------------------------------------------------------------------------------------------------------------


def test_what_is_ready_to_paste_waives_its_finding_and_no_other(tmp_path: Path) -> None:
    waivers = load(tmp_path, filled(entry_for(LOST, "2.0.43", "2024.06.24")))
    assert applies(waivers, LOST)
    assert applies(waivers, LOST, "2.0.42", "2024.06.57"), "the same upgrade, other patches"
    assert not applies(waivers, LOST, "1.9.50", "2024.06.24")
    assert not applies(waivers, finding(LOST.behaviour, GOOD, replace(CLOSED, outcome=Outcome.UNANSWERED)))


def test_what_is_ready_to_paste_names_both_patches_within_a_series(tmp_path: Path) -> None:
    (waiver,) = load(tmp_path, filled(entry_for(LOST, "2024.06.24", "2024.06.57"))).entries
    assert (waiver.from_, waiver.to) == ("2024.06.24", "2024.06.57")


def test_what_is_ready_to_paste_does_without_releases_where_there_are_none(tmp_path: Path) -> None:
    assert applies(load(tmp_path, filled(entry_for(LOST, "live:mail.example.org", "2024.06"))), LOST)


def test_what_is_ready_to_paste_has_an_empty_reason_which_a_person_has_to_write(tmp_path: Path) -> None:
    (entry_,) = tomllib.loads(entry_for(LOST))["waiver"]
    assert entry_["reason"] == ""
    assert "`reason` is empty" in refusal(tmp_path, entry_for(LOST))


@pytest.mark.parametrize("cause", ['"quotes" \\ and \x7f \x00', "two\nlines", '"""\n[[waiver]]\n', "\udc80", "Ä €"])
def test_no_text_breaks_what_is_ready_to_paste(cause: str) -> None:
    told = replace(LOST, behaviour=f"x/{cause}", fingerprint=cause)
    (entry_,) = tomllib.loads(entry_for(told))["waiver"]
    assert entry_["behaviour"].startswith("x/")
