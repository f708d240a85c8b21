"""Which behaviours may be asked at the same time, as a plan without clocks."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.declaration import ANY_VARIANT, BASE_VARIANT, EVERYTHING, LIMITER, Behaviour
from pytest_mailu.core.endpoints import IMAP_143, IMAPS_993, SUBMISSION_587, SUBMISSIONS_465, Endpoint
from pytest_mailu.core.model import Observation, Outcome, Question, Severity
from pytest_mailu.running.company import Claim, Waiting, claim_of, fits, restart_claim

CHANGED = {BASE_VARIANT: (), "relay": ("smtp",), "tokens": ("admin",), "sizes": ("front", "smtp")}


def restarts(variant: str) -> frozenset[str]:
    return frozenset(CHANGED[variant])


def a_behaviour(id_: str, *needs: str, endpoint: Endpoint | None = None, **how: Any) -> Behaviour:
    async def ask(probe: Any) -> Observation:
        raise AssertionError("nothing is asked here")

    question = Question(id_, "Title", "Breaks.", "Source", Outcome.ACCEPTED, Severity.MAJOR, endpoint)
    given = {"needs": frozenset(needs)} if needs else {}
    return Behaviour(question, ask, **given, **{**how, "disturbs": frozenset(how.get("disturbs", ()))})


def claim(*needs: str, disturbs: tuple[str, ...] = (), alone: bool = False) -> Claim:
    return Claim(frozenset(needs), frozenset(disturbs), alone)


def asked(waiting: Waiting, variant: str = BASE_VARIANT, *running: Claim) -> list[str]:
    """Everything that may be asked at once."""
    claims = list(running)
    found = []
    while behaviour := waiting.next(variant, claims):
        found.append(behaviour.id)
        claims.append(claim_of(behaviour, restarts))
    return found


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        (claim("imap"), claim("imap"), True),
        (claim("imap", disturbs=("imap",)), claim("imap"), False),
        (claim("smtp", disturbs=("imap",)), claim("front"), True),
        (claim("smtp", disturbs=("imap",)), claim("imap", "front"), False),
        (claim(disturbs=(LIMITER,)), claim(disturbs=(LIMITER,)), False),
        (claim(disturbs=(LIMITER,)), claim(*EVERYTHING), True),
        (claim(alone=True), claim(), False),
    ],
)
def test_what_one_disturbs_the_other_must_not_need(one: Claim, other: Claim, may: bool) -> None:
    assert one.beside(other) is other.beside(one) is may


def test_by_default_a_behaviour_needs_every_service_and_disturbs_none() -> None:
    plain = claim_of(a_behaviour("a/1/plain"), restarts)
    assert plain == Claim(EVERYTHING, frozenset())
    assert plain.beside(plain)
    for service in EVERYTHING:
        assert not plain.beside(claim(disturbs=(service,)))


def test_a_behaviour_of_a_variant_needs_the_services_that_have_its_settings() -> None:
    relayed = claim_of(a_behaviour("a/1/relayed", "front", variant="relay"), restarts)
    assert relayed.needs == {"front", "smtp"}
    assert not relayed.beside(restart_claim(("relay", "tokens"), restarts))


def test_a_restart_goes_on_beside_what_does_not_need_the_services_of_both_variants() -> None:
    change = restart_claim((BASE_VARIANT, "relay"), restarts)
    assert change.beside(claim("imap", "admin"))
    assert not change.beside(claim("smtp"))
    assert not restart_claim(("relay", "tokens"), restarts).beside(claim("admin"))
    assert not restart_claim(("relay", "tokens"), restarts).beside(claim("smtp"))


@pytest.mark.parametrize(
    ("behaviour", "variants"),
    [
        (a_behaviour("a/1/plain"), {BASE_VARIANT}),
        (a_behaviour("a/1/reads", "imap", "admin"), {BASE_VARIANT, "relay", "sizes"}),
        (a_behaviour("a/1/relayed", variant="relay"), {"relay"}),
        (a_behaviour("a/1/any", variant=ANY_VARIANT), set(CHANGED)),
    ],
)
def test_it_is_asked_under_settings_that_change_nothing_it_needs(behaviour: Behaviour, variants: set[str]) -> None:
    assert {variant for variant in CHANGED if fits(behaviour, variant, restarts)} == variants


def test_what_needs_most_comes_first_then_what_disturbs_then_what_fills() -> None:
    waiting = Waiting(
        [
            a_behaviour("a/1/reads", "imap"),
            a_behaviour("a/1/limits", "imap", LIMITER, disturbs=(LIMITER,)),
            a_behaviour("a/1/whole"),
        ],
        restarts,
    )
    assert asked(waiting) == ["a/1/whole", "a/1/limits", "a/1/reads"]
    assert not waiting


def test_what_waits_for_others_to_end_is_not_overtaken_by_what_it_would_have_to_wait_for() -> None:
    waiting = Waiting(
        [
            a_behaviour("a/1/stops-imap", "front", "smtp", disturbs=("imap",)),
            a_behaviour("a/1/reads", "imap"),
            a_behaviour("a/1/handshake", "front"),
        ],
        restarts,
    )
    busy = claim("imap", "front")
    assert asked(waiting, BASE_VARIANT, busy) == ["a/1/handshake"], "only what does not keep it waiting longer"
    assert asked(waiting) == ["a/1/stops-imap"]
    assert asked(waiting) == ["a/1/reads"]


def test_what_is_alone_waits_until_nothing_goes_on_and_lets_nothing_begin() -> None:
    waiting = Waiting([a_behaviour("a/1/reads", "imap"), a_behaviour("a/1/quiet", alone=True)], restarts)
    assert asked(waiting, BASE_VARIANT, claim("front")) == []
    assert asked(waiting) == ["a/1/quiet"]
    assert asked(waiting) == ["a/1/reads"]


def test_without_a_slot_it_stays_and_those_with_other_slots_go_on() -> None:
    waiting = Waiting([a_behaviour("a/1/whole"), a_behaviour("a/1/reads", "imap")], restarts)
    chosen = waiting.next(BASE_VARIANT, [], lambda behaviour: behaviour.id == "a/1/reads")
    assert chosen is not None
    assert chosen.id == "a/1/reads"
    assert asked(waiting) == ["a/1/whole"]


def test_a_variant_is_left_when_nothing_that_waits_needs_it() -> None:
    waiting = Waiting(
        [
            a_behaviour("a/1/whole"),
            a_behaviour("a/1/reads", "imap"),
            a_behaviour("a/1/relayed", variant="relay"),
            a_behaviour("a/1/tokens", variant="tokens"),
        ],
        restarts,
    )
    assert waiting.next_variant(BASE_VARIANT) is None, "one needs everything as it is"
    whole = waiting.next(BASE_VARIANT, [])
    assert whole is not None
    assert waiting.next_variant(BASE_VARIANT) == "relay", "what is left does not need smtp"
    assert asked(waiting, "relay") == ["a/1/relayed", "a/1/reads"]
    assert waiting.next_variant("relay") == "tokens"
    assert asked(waiting, "tokens") == ["a/1/tokens"]
    assert waiting.next_variant("tokens") is None


def test_a_variant_that_would_shut_somebody_out_comes_later() -> None:
    waiting = Waiting(
        [
            a_behaviour("a/1/handshake", "front"),
            a_behaviour("a/1/sizes", variant="sizes"),
            a_behaviour("a/1/tokens", variant="tokens"),
        ],
        restarts,
    )
    assert waiting.next_variant(BASE_VARIANT) == "tokens", "sizes changes front, which one still needs as it is"


def test_what_has_to_be_asked_in_the_base_comes_back_to_it() -> None:
    waiting = Waiting([a_behaviour("a/1/whole")], restarts)
    assert asked(waiting, "relay") == []
    assert waiting.next_variant("relay") == BASE_VARIANT


def test_ports_that_may_be_closed_come_first_since_to_confirm_that_takes_a_while() -> None:
    given = [
        a_behaviour("a/465/x", endpoint=SUBMISSIONS_465),
        a_behaviour("a/587/x", endpoint=SUBMISSION_587),
        a_behaviour("a/993/x", endpoint=IMAPS_993),
        a_behaviour("a/143/x", endpoint=IMAP_143),
    ]
    assert asked(Waiting(given, restarts)) == ["a/587/x", "a/143/x", "a/465/x", "a/993/x"]


def test_every_behaviour_of_the_matrix_is_asked_sooner_or_later() -> None:
    from pytest_mailu.stack.settings.variants import VARIANTS

    services = {variant.name: frozenset(variant.services) for variant in VARIANTS} | {BASE_VARIANT: frozenset[str]()}
    matrix = list(built_in())
    waiting = Waiting(matrix, lambda variant: services[variant])
    variant, found = BASE_VARIANT, []
    while waiting:
        claims: set[Claim] = set()
        while behaviour := waiting.next(variant, claims):
            claims.add(claim_of(behaviour, lambda name: services[name]))
            found.append(behaviour)
        target = waiting.next_variant(variant)
        assert claims or target is not None, "it must not stand still"
        variant = target or variant
    assert sorted(behaviour.id for behaviour in found) == sorted(behaviour.id for behaviour in matrix)
