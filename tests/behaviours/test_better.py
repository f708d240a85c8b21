"""In which direction facts serve people: what is declared matches facts, and a loss is told as one."""

from __future__ import annotations

from dataclasses import replace

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Observation, Outcome, Stage, Verdict
from pytest_mailu.core.releases import Release
from pytest_mailu.judging.compare import view
from pytest_mailu.judging.judge import judge
from pytest_mailu.judging.losses import lost_facts
from pytest_mailu.sides.recording import load, shipped

RECORDINGS = [load(f"recorded:{name}") for name in sorted(shipped(), key=Release.parse)]
UNSEEN = {
    "facts.left": "no recorded release leaves processes behind",
    "facts.zombies": "no recorded release leaves processes behind",
    "facts.added.dkim-signature": "the Rspamd of the recordings signs for no domain outside ASCII",
}
"""Facts with a direction that no recorded release shows: glob → why."""


def test_every_glob_matches_a_fact_of_a_behaviour_that_declares_it() -> None:
    declared: dict[str, bool] = {}
    for made in built_in():
        seen = [recording.observations.get(made.id, ()) for recording in RECORDINGS]
        paths = {path for attempts in seen for attempt in attempts for path in view(attempt)}
        for glob in made.question.directions if paths else ():
            found = any(matches(glob, path) or matches(glob, path.partition("[")[0]) for path in paths)
            declared[glob] = declared.get(glob, False) or found
    assert {glob for glob, found in declared.items() if not found} == UNSEEN.keys()
    assert len(declared) > 30


def losses(old: int, new: int) -> dict[str, set[str]]:
    """What one shipped recording loses against another: behaviours that are regressed by a fact, with its paths."""
    found = {}
    for made in built_in():
        before, after = (RECORDINGS[index].observations.get(made.id, ()) for index in (old, new))
        if before and after:
            comparison = judge(made.question, before, after, made.volatile)
            lost = {difference.path for difference in lost_facts(made.question, comparison.differences)}
            if comparison.verdict is Verdict.REGRESSED and lost:
                found[made.id] = lost
    return found


def test_a_message_that_search_no_longer_finds_is_a_regression() -> None:
    """It was "changed, as wanted", with two ticks, on 2.0.43 → 2024.06.24."""
    names = [str(recording.side.release) for recording in RECORDINGS]
    found = losses(names.index("2.0.43"), names.index("2024.06.24"))
    assert found["mailbox/993/search/message-id"] == {"facts.found"}
    assert found["tls/993-tls/ciphers"] == {"facts.families.DHE-AESGCM"}


def test_no_recorded_release_loses_anything_against_itself() -> None:
    assert [losses(index, index) for index in range(len(RECORDINGS))] == [{}] * len(RECORDINGS)


BOTH_WAYS = {
    "inside/*": "explains differences, and is no function",
    "services/*/cost": "numbers of this machine at this moment",
    "services/*/idle": "numbers of this machine at this moment",
    "access/limits/*": "an earlier limit keeps attackers out, and users behind the same address",
    "access/session/*": "a session that goes on is comfort, or a hole",
    "access/web/token": "a token that opens the site is comfort, or a hole",
    "inbound/25/forged": "what is let through is a nuisance, what is refused may be honest",
    "inbound/25/sender-with-*": "what is let through is a nuisance, what is refused may be honest",
    "inbound/25/disabled-user": "mail of a user who left is kept, or refused",
    "inbound/25/helo-*": "badly configured servers are let in, or kept out",
    "inbound/25/brings-spam-headers": "headers of strangers are believed, or not",
    "ipv6/*/limit": "an earlier limit keeps attackers out, and users of the same network",
    "relay/relayhost/login-without-tls": "the password is protected, or the mail goes out",
    "submission/465-tls/gtube": "users' mail is checked, or not",
    "submission/465-tls/others-header-from": "another's name is allowed, or refused",
    "surface/*/verb-*": "VRFY, EXPN and ETRN give addresses away; HELP and unknown words serve nobody",
    "surface/25-plain/hello-*": "badly configured clients are let in, or kept out",
    "surface/25-starttls/order-*": "wrong order is forgiven, or refused",
    "web/login/returns-to-page": "its reply says where; no fact does",
}
"""Behaviours without a wanted outcome of which no direction serves people: glob over ids → why."""


def test_every_behaviour_without_a_wanted_outcome_says_which_direction_serves_people_or_why_none_does() -> None:
    silent = [made.id for made in built_in() if made.question.wanted is None and not made.question.directions]
    assert [id_ for id_ in silent if not any(matches(glob, id_) for glob in BOTH_WAYS)] == []
    assert [glob for glob in BOTH_WAYS if not any(matches(glob, id_) for id_ in silent)] == []


def test_a_check_of_monitoring_that_is_no_longer_answered_is_a_regression() -> None:
    """NOOP that is refused, and folders that move to another separator, were "changed"."""
    questions = {made.id: made.question for made in built_in()}
    accepted = Observation(Outcome.ACCEPTED, Stage.COMMAND)
    for id_ in ("surface/25-plain/verb-NOOP", "surface/465-tls/verb-RSET", "web/http/health"):
        assert judge(questions[id_], [accepted], [replace(accepted, outcome=Outcome.REFUSED)]).verdict is (
            Verdict.REGRESSED
        )
    dots, slashes = (replace(accepted, facts={"namespaces": [[["", mark]], None, None]}) for mark in "./")
    assert judge(questions["surface/993-tls/imap-namespace"], [dots], [slashes]).verdict is Verdict.REGRESSED
