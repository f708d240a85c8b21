"""What counts as a difference between two observations, and what does not."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from pytest_mailu.core.model import Difference, Observation, Outcome, Reply, Stage
from pytest_mailu.judging.compare import differences, noise, view
from tests.events import events


def seen(text: str = "", code: str = "250", **facts: Any) -> Observation:
    return Observation(Outcome.ACCEPTED, Stage.EHLO, Reply(code, "", text), facts)


def paths(old: Observation, new: Observation, *volatile: str) -> list[str]:
    return [difference.path for difference in differences(old, new, volatile)]


def test_a_difference_is_added_removed_or_changed_with_both_values() -> None:
    old, new = seen(size=1, gone="x"), seen(size=2, here="y")
    assert differences(old, new) == (
        Difference("facts.gone", "removed", "x", None),
        Difference("facts.here", "added", None, "y"),
        Difference("facts.size", "changed", 1, 2),
    )


def test_outcome_stage_and_each_part_of_the_reply_have_their_own_path() -> None:
    old = Observation(Outcome.DELIVERED, Stage.DELIVERY, Reply("250", "2.0.0", "Ok"))
    new = Observation(Outcome.REFUSED, Stage.RCPT, Reply("554", "5.7.1", "No"))
    assert paths(old, new) == ["outcome", "reply.code", "reply.enhanced", "reply.text", "stage"]


def test_a_reply_that_is_missing_is_told_from_an_empty_one() -> None:
    silent = Observation(Outcome.ACCEPTED, Stage.EHLO)
    assert paths(silent, seen(code="")) == ["reply.code", "reply.enhanced", "reply.text"]


def test_nested_facts_are_flattened_to_paths() -> None:
    old = seen(arrival={"tls": {"version": "TLSv1.3"}, "login": None})
    new = seen(arrival={"tls": {"version": "TLSv1.2"}, "login": "relay"})
    assert paths(old, new) == ["facts.arrival.login", "facts.arrival.tls.version"]


def test_the_order_of_a_list_of_words_says_nothing() -> None:
    assert not differences(seen(ehlo=["SIZE", "DSN", "ETRN"]), seen(ehlo=["ETRN", "SIZE", "DSN"]))


def test_members_of_a_list_come_and_go_each_on_its_own() -> None:
    old, new = seen(ehlo=["SIZE", "ETRN"]), seen(ehlo=["SIZE", "CHUNKING"])
    assert differences(old, new) == (
        Difference("facts.ehlo[CHUNKING]", "added", None, True),
        Difference("facts.ehlo[ETRN]", "removed", True, None),
    )


def test_how_often_a_word_stands_in_a_list_is_seen() -> None:
    assert differences(seen(auth=["PLAIN"]), seen(auth=["PLAIN", "PLAIN"])) == (
        Difference("facts.auth[PLAIN]", "changed", True, 2),
    )


def test_a_list_of_objects_keeps_its_order() -> None:
    old = seen(chain=[{"subject": "a"}, {"subject": "b"}])
    new = seen(chain=[{"subject": "b"}, {"subject": "a"}])
    assert paths(old, new) == ["facts.chain[0].subject", "facts.chain[1].subject"]


def test_times_transcripts_and_logs_are_no_differences() -> None:
    old = Observation(Outcome.ACCEPTED, Stage.EHLO, transcript=events("C: a"), logs=("x",), started=1.0, seconds=2.0)
    new = Observation(Outcome.ACCEPTED, Stage.EHLO, transcript=events("C: b"), logs=("y",), started=3.0, seconds=4.0)
    assert not differences(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Ok: queued as 4Xk2Lm1Zz9", "Ok: queued as 3AbC9"),
        ("Ok: 392 bytes queued as 4Xk2Lm1Zz9", "Ok: 404 bytes queued as 3AbC9"),
        ("<alice@post.example> AbCdEfGh01234567xyz Saved", "<alice@post.example> ZZZZEfGh01234567abc Saved"),
        ("POP3 ready <1a.5f.64f0@mail>", "POP3 ready <2b.60.64f1@mail>"),
        ("Spam (anti-spoofing: SPF, DKIM)", "Spam (anti-spoofing: DKIM, SPF)"),
    ],
)
def test_volatile_parts_of_a_reply_are_set_aside(old: str, new: str) -> None:
    assert not differences(seen(old), seen(new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Ok: queued as 4Xk2Lm1Zz9", "Fine: queued as 4Xk2Lm1Zz9"),
        ("Ok: queued as 4Xk2Lm1Zz9", "Ok: queued as 4Xk2Lm1Zz9 for later"),
        ("Ok: queued as 4Xk2Lm1Zz9", "Ok: 4Xk2Lm1Zz9"),
        ("Ok: queued as 4Xk2Lm1Zz9", "Ok"),
        ("POP3 ready <1a.5f@mail>", "POP3 at your service <1a.5f@mail>"),
        ("<ada@post.example>: no such user", "<fee@post.example>: no such user"),
        ("Spam (anti-spoofing: SPF)", "Spam (phishing: SPF)"),
    ],
)
def test_a_change_of_the_words_around_a_volatile_part_is_seen(old: str, new: str) -> None:
    assert paths(seen(old), seen(new)) == ["reply.text"]


def test_what_is_volatile_in_a_reply_is_not_volatile_elsewhere() -> None:
    assert paths(seen(banner="queued as AAA"), seen(banner="queued as BBB")) == ["facts.banner"]


def test_a_queue_id_inside_a_fact_s_own_reply_is_volatile_too() -> None:
    old, new = seen(second={"text": "queued as AAA"}), seen(second={"text": "queued as BBB"})
    assert not differences(old, new)


def test_the_value_shown_for_a_volatile_part_is_its_name() -> None:
    (found,) = differences(seen("Ok: queued as AAA"), seen("Fine: queued as BBB"))
    assert (found.old, found.new) == ("Ok: queued as <queue id>", "Fine: queued as <queue id>")


def test_a_behaviour_can_call_paths_volatile_and_brackets_stand_for_themselves() -> None:
    old, new = seen(ehlo=["SIZE 1"], at=1, kept=1), seen(ehlo=["SIZE 2"], at=2, kept=2)
    assert paths(old, new, "facts.ehlo[SIZE *]", "facts.at") == ["facts.kept"]


def test_noise_is_where_a_side_differs_from_itself_at_any_time() -> None:
    attempts = [seen(a=1, b=1), seen(a=2, b=1), seen(a=2, b=3)]
    assert noise(attempts) == {"facts.a", "facts.b"}
    assert noise(attempts[:1]) == frozenset()


def some_json(dice: random.Random, depth: int = 3) -> Any:
    words = ["", "a", "b", "queued as X1", "[", "a.b"]
    kind = dice.randrange(7 if depth else 5)
    if kind == 5:
        return [some_json(dice, depth - 1) for _ in range(dice.randrange(4))]
    if kind == 6:
        return {dice.choice(words): some_json(dice, depth - 1) for _ in range(dice.randrange(4))}
    return [None, True, dice.randrange(3), 0.5, dice.choice(words)][kind]


def some_observations(number: int = 500) -> list[Observation]:
    """Observations of every shape; the same ones each time."""
    dice = random.Random(2024)
    return [
        Observation(
            dice.choice(list(Outcome)),
            dice.choice(list(Stage)),
            dice.choice([None, Reply("250", "2.0.0", "Ok: queued as A1"), Reply("250", "", "Ok")]),
            {word: some_json(dice) for word in "abc" if dice.random() < 0.7},
        )
        for _ in range(number)
    ]


def test_nothing_differs_from_itself() -> None:
    for observation in some_observations():
        assert not differences(observation, observation)


def test_differences_there_and_back_are_the_same_turned_round() -> None:
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    for old, new in pairwise(some_observations()):
        back = tuple(
            Difference(found.path, turned[found.kind], found.new, found.old) for found in differences(new, old)
        )
        assert differences(old, new) == back


def test_every_path_leads_to_something_plain() -> None:
    for observation in some_observations():
        assert all(isinstance(value, str | int | float | bool | None) for value in view(observation).values())
