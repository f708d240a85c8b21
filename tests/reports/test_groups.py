from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_mailu.core.model import (
    Action,
    Advice,
    Cause,
    CauseKind,
    Comparison,
    Direction,
    Finding,
    Observation,
    Outcome,
    Reply,
    Report,
    Severity,
    Stage,
    Verdict,
)
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge
from pytest_mailu.reports import atlas, words
from pytest_mailu.reports.atlas import State
from pytest_mailu.reports.groups import groups
from pytest_mailu.reports.sidebyside import rows
from tests.events import events
from tests.questions import asked


def headlines(report: Report) -> list[str]:
    return [group.headline for group in groups(report.findings)]


@pytest.mark.parametrize(
    ("behaviour", "old", "new", "told"),
    [
        ("settings/ports/4190", Outcome.UNREACHABLE, Outcome.ACCEPTED, "closed → open"),
        ("settings/ports/587", Outcome.ACCEPTED, Outcome.UNREACHABLE, "open → closed"),
        ("settings/env/API", Outcome.NOT_OFFERED, Outcome.ACCEPTED, "not offered → accepted"),
        ("settings/env/DB_FLAVOR", Outcome.ACCEPTED, Outcome.UNREACHABLE, "accepted → unreachable"),
        ("settings/env/PORTS/blanks", Outcome.ALTERED, Outcome.ALTERED, "altered on both sides"),
    ],
)
def test_what_files_mean_has_no_stage(behaviour: str, old: Outcome, new: Outcome, told: str) -> None:
    """It said "not offered at settings → accepted at settings"."""
    sides = [[Observation(outcome, Stage.SETTINGS)] for outcome in (old, new)]
    (found,) = findings([judge(asked(behaviour, wanted=Outcome.ACCEPTED), *sides)])
    assert words.in_brief(found) == told


def test_headlines_are_in_peoples_words(report: Report) -> None:
    assert headlines(report) == [
        "Ports 110, 143 and 587 are closed on the new side",
        "Refused at RCPT on port 25 on the new side: 550 5.1.1",
        "No steady answer on the new side: delivered at delivery, then deferred at data",
        "Could not be asked on the new side: the service front of Mailu 2024.06.24 ended",
        "A wrong password on port 465 (TLS): hung up: yes → no · "
        "reply text: Authentication credentials invalid → Authentication failed.",
        "The greeting on port 465 (TLS): reply text: mail.post.example ESMTP ready → mail.post.example Dovecot ready."
        " · ehlo: +BURL imap +CHUNKING −ETRN",
        "Port 4190 is newly served",
    ]


def test_a_protection_that_is_no_longer_offered_has_a_headline_in_peoples_words() -> None:
    """It was headlined with the raw root: `not-offered at ehlo`."""
    question = asked("submission/587-starttls/stranger", wanted=Outcome.REFUSED)
    refused = Observation(Outcome.REFUSED, Stage.MAIL, Reply("530", "5.7.1"))
    changed = judge(question, [refused], [Observation(Outcome.NOT_OFFERED, Stage.EHLO)])
    (group,) = groups(findings([changed]))
    assert group.verdict is Verdict.CHANGED
    assert group.headline == "Not offered at EHLO on port 587 on the new side"


def test_changes_of_one_cause_have_the_title_of_their_advice_or_the_names_of_what_differs(report: Report) -> None:
    (changed,) = [finding for finding in report.findings if finding.behaviour == "surface/465-tls/greeting"]
    several = (changed, replace(changed, behaviour="surface/993-tls/greeting"))
    assert groups(several)[0].headline == "Surface: ehlo and reply text differ"
    advice = Advice("id", "Cause.", "Remedy.", "docs", Action.DO, "Check the code of a greeting")
    assert groups([replace(changed, advice=(advice,))])[0].headline == "Check the code of a greeting"


def test_a_single_finding_quotes_the_reply(report: Report) -> None:
    (alias,) = [finding for finding in report.findings if finding.behaviour == "inbound/25-plain/alias"]
    assert groups([alias])[0].headline.endswith(": 550 5.1.1 <sales@post.example>: User unknown")


def test_what_is_broken_on_both_sides_is_said_to_be(report: Report) -> None:
    (broken,) = [finding for finding in report.findings if finding.verdict is Verdict.BROKEN]
    assert "on both sides" in groups([broken])[0].headline


def test_a_text_of_ours_falls_into_what_can_be_followed_what_is_typed_and_the_rest() -> None:
    text = "Run `docker compose up -d`; see https://mailu.io/2024.06/x.html#y (PORTS), `unended"
    assert words.pieces(text) == (
        ("Run ", "text"),
        ("docker compose up -d", "code"),
        ("; see ", "text"),
        ("https://mailu.io/2024.06/x.html#y", "address"),
        (" (PORTS), `unended", "text"),
    )
    assert words.pieces("javascript:alert(1) http://plain.example/") == (
        ("javascript:alert(1) http://plain.example/", "text"),
    )


def test_differences_of_a_list_are_told_together(report: Report) -> None:
    (greeting,) = [finding for finding in report.findings if finding.behaviour == "surface/465-tls/greeting"]
    assert words.differences(greeting.differences)[-1] == "ehlo: +BURL imap +CHUNKING −ETRN"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (192.4, "3 min 12 s"), (3725, "1 h 2 min")]
)
def test_durations_are_told_as_people_do(seconds: float, told: str) -> None:
    assert words.duration(seconds) == told


def test_the_map_has_every_behaviour_once_with_old_and_new(report: Report, comparisons: list[Comparison]) -> None:
    spots = atlas.spots(comparisons, report.findings)
    shown = [spot for sheet in atlas.sheets(spots) for row in sheet.rows for cell in row.cells for spot in cell]
    assert sorted(spot.behaviour for spot in shown) == sorted(comparison.question.id for comparison in comparisons)
    states = {spot.behaviour: spot.states for spot in shown}
    assert states["submission/587-starttls/external"] == (State.WORKS, State.FAILS)
    assert states["sieve/4190-starttls/upload"] == (State.ABSENT, State.WORKS)
    assert states["inbound/25-plain/mailbox"] == (State.WORKS, State.WORKS)
    assert states["access/995-starttls/login"] == (State.ABSENT, State.ABSENT)
    assert states["submission/587-starttls/stranger"] == (State.WORKS, State.ABSENT)
    assert states["web/443-tls/webmail"] == (State.ANSWERED, State.UNKNOWN)
    assert states["inbound/25-plain/greylisted"] == (State.ANSWERED, State.UNSTEADY)
    assert states["relay/25-plain/srs"] == (State.FAILS, State.FAILS)


def test_ports_are_open_closed_or_unknown_on_each_side(report: Report, comparisons: list[Comparison]) -> None:
    ports = {port.port: (port.old, port.new) for port in atlas.ports(atlas.spots(comparisons, report.findings))}
    assert ports[587] == ("open", "closed")
    assert ports[4190] == ("closed", "open")
    assert ports[995] == ("closed", "closed")
    assert ports[443] == ("open", "unknown")


def test_the_map_is_made_from_findings_where_there_is_nothing_else(report: Report) -> None:
    findings: list[Finding] = [replace(finding) for finding in report.findings]
    assert len(atlas.spots((), findings)) == len(findings)


def test_transcripts_are_aligned_and_what_differs_is_marked() -> None:
    old = events("S: 220 host ESMTP ready", "C: EHLO x", "S: 250-DSN", "S: 250 ETRN", "C: QUIT")
    new = events("S: 220 host Dovecot ready", "C: EHLO x", "S: 250 DSN", "C: QUIT")
    aligned = rows(old, new)
    assert [row.differs for row in aligned] == [True, False, True, True, False]
    assert ("ESMTP", True) in aligned[0].old
    assert ("Dovecot", True) in aligned[0].new
    assert "".join(text for row in aligned for text, _ in row.old) == "".join(map(str, old))
    assert "".join(text for row in aligned for text, _ in row.new) == "".join(map(str, new))


def test_facts_that_are_lost_are_the_headline_and_not_how_both_sides_ended() -> None:
    """Its headline was "Accepted at TLS on port 465 on the new side"."""

    def ciphers(port: int, *families: str) -> Comparison:
        question = replace(
            asked(f"tls/{port}-tls/ciphers", wanted=None),
            directions={"facts.families": Direction.KEPT},
            severity=Severity.MINOR,
        )
        old = Observation(Outcome.ACCEPTED, Stage.TLS, facts={"families": ["ECDHE", "DHE"]})
        return judge(question, [old], [replace(old, facts={"families": list(families)})])

    found = findings([ciphers(465, "ECDHE"), ciphers(993, "ECDHE")])
    (group,) = groups(found)
    assert group.verdict is Verdict.REGRESSED
    assert group.headline == "TLS: families worse on the new side"
    advice = Advice("dhe", "Dovecot has no DHE.", "Replace them.", "docs", Action.TELL, "Replace old devices")
    known = replace(
        group.lead, cause=Cause(CauseKind.KNOWN, advice="dhe", words="Dovecot is new"), root="Dovecot is new"
    )
    assert groups([known])[0].headline == "Dovecot is new"
    assert groups([replace(known, advice=(advice,))])[0].headline == "Replace old devices"
