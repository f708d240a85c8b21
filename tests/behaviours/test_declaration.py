"""Declaring behaviours, and the matrix that holds them."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import Matrix, behaviour, built_in, declared_in
from pytest_mailu.behaviours.declaration import BASE_VARIANT, DECLARED, Behaviour
from pytest_mailu.core.endpoints import SUBMISSION_587, SUBMISSIONS_465, Endpoint
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage

ASKED = (SUBMISSION_587, SUBMISSIONS_465)


def declared(function: Any) -> tuple[Behaviour, ...]:
    found: tuple[Behaviour, ...] = getattr(function, DECLARED)
    return found


@behaviour(
    "shop/{endpoint}/{kind}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"endpoint": ASKED, "kind": ("a", "b")},
)
async def shop(probe: Any, endpoint: Endpoint, kind: str) -> Observation:
    """Orders of kind {kind} through {endpoint.words}

    Orders stay
    unread.

    The shop closes.

    The shop's own manual
    """
    return Observation(Outcome.ACCEPTED, Stage.COMMAND, facts={"probe": probe, "way": str(endpoint), "kind": kind})


@behaviour(
    "shop/25/single", severity=Severity.INFO, variant="relay-host", alone=True, last=True, volatile=("facts.at",)
)
async def single(probe: Any) -> Observation:
    """Title

    Breaks.

    Source
    """
    return Observation(Outcome.ACCEPTED, Stage.COMMAND)


def test_each_makes_one_behaviour_per_combination_in_order() -> None:
    assert [made.id for made in declared(shop)] == [
        "shop/587-starttls/a",
        "shop/587-starttls/b",
        "shop/465-tls/a",
        "shop/465-tls/b",
    ]


def test_the_docstring_s_paragraphs_are_title_loss_and_source() -> None:
    question = declared(shop)[0].question
    assert question.title == "Orders of kind a through port 587 (STARTTLS)"
    assert question.breaks == "Orders stay unread. The shop closes."
    assert question.source == "The shop's own manual"
    assert (question.family, question.wanted, question.severity) == ("shop", Outcome.ACCEPTED, Severity.MAJOR)


def test_each_behaviour_asks_with_its_own_parameters() -> None:
    probe: Any = "the probe"

    async def ask() -> Observation:
        return await declared(shop)[3].ask(probe)

    seen = asyncio.run(ask())
    assert seen.facts == {"probe": "the probe", "way": "465-tls", "kind": "b"}


def test_what_is_not_said_has_quiet_defaults_and_what_is_said_is_kept() -> None:
    plain, special = declared(shop)[0], declared(single)[0]
    assert (plain.variant, plain.alone, plain.last, plain.volatile) == (BASE_VARIANT, False, False, ())
    assert (special.variant, special.alone, special.last, special.volatile) == ("relay-host", True, True, ("facts.at",))
    assert special.question.wanted is None


@pytest.mark.parametrize("text", [None, "", "Only a title", "A title\n\nAnd what breaks"])
def test_a_docstring_that_lacks_a_paragraph_is_a_usage_error(text: str | None) -> None:
    async def ask(probe: Any) -> Observation:
        return Observation(Outcome.ACCEPTED, Stage.COMMAND)

    ask.__doc__ = text
    with pytest.raises(UsageError, match="shop/25/bare does not say what it is"):
        behaviour("shop/25/bare", severity=Severity.INFO)(ask)


@pytest.mark.parametrize("text", ["{nothing}", "{0}", "{endpoint.nothing}", "{", "}"])
def test_a_brace_that_stands_for_nothing_is_a_usage_error(text: str) -> None:
    async def ask(probe: Any, endpoint: Endpoint) -> Observation:
        return Observation(Outcome.ACCEPTED, Stage.COMMAND)

    ask.__doc__ = f"Title {text}\n\nBreaks.\n\nSource"
    with pytest.raises(UsageError, match="in braces"):
        behaviour("shop/{endpoint}/x", severity=Severity.INFO, each={"endpoint": ASKED})(ask)


def test_decorating_twice_declares_both() -> None:
    async def ask(probe: Any) -> Observation:
        """Title

        Breaks.

        Source
        """
        return Observation(Outcome.ACCEPTED, Stage.COMMAND)

    twice = behaviour("b/1/x", severity=Severity.INFO)(behaviour("a/1/x", severity=Severity.INFO)(ask))
    assert [made.id for made in Matrix(declared(twice))] == ["a/1/x", "b/1/x"]


# The matrix


def test_a_matrix_takes_functions_and_behaviours_and_keeps_their_order() -> None:
    matrix = Matrix()
    matrix.add(single, *declared(shop)[:2])
    assert [made.id for made in matrix] == ["shop/25/single", "shop/587-starttls/a", "shop/587-starttls/b"]
    assert len(matrix) == 3
    assert "shop/25/single" in matrix
    assert "shop/25/other" not in matrix


def test_an_id_that_is_taken_is_a_usage_error() -> None:
    matrix = Matrix(declared(single))
    with pytest.raises(UsageError, match="shop/25/single is declared twice"):
        matrix.add(single)


def test_what_declares_no_behaviour_cannot_be_added() -> None:
    def plain() -> None: ...

    with pytest.raises(UsageError, match="is no behaviour"):
        Matrix().add(plain)


def test_dropping_leaves_the_others() -> None:
    matrix = Matrix(declared(shop))
    matrix.drop("shop/587-starttls/a", "shop/465-tls/b")
    assert [made.id for made in matrix] == ["shop/587-starttls/b", "shop/465-tls/a"]


def test_regrading_changes_severity_and_wanted_and_nothing_else() -> None:
    matrix = Matrix(declared(shop))
    before = matrix["shop/465-tls/a"]
    matrix.regrade(before.id, severity=Severity.MINOR)
    assert matrix[before.id].question.severity is Severity.MINOR
    assert matrix[before.id].question.wanted is Outcome.ACCEPTED
    matrix.regrade(before.id, wanted=Outcome.REFUSED)
    assert matrix[before.id].question.wanted is Outcome.REFUSED
    assert matrix[before.id].question.severity is Severity.MINOR
    assert matrix[before.id].question.title == before.question.title
    assert [made.id for made in matrix] == [made.id for made in declared(shop)]


def test_unknown_ids_are_usage_errors_everywhere() -> None:
    matrix = Matrix(declared(shop))
    for attempt in (
        lambda: matrix["shop/25/x"],
        lambda: matrix.drop("shop/25/x"),
        lambda: matrix.regrade("shop/25/x", severity=Severity.INFO),
    ):
        with pytest.raises(UsageError, match=re.escape("there is no behaviour shop/25/x")):
            attempt()


def test_a_module_declares_its_own_functions_and_not_what_it_imports() -> None:
    module = SimpleNamespace(__name__=__name__, shop=shop, other=7)
    elsewhere = SimpleNamespace(__name__="elsewhere", shop=shop)
    assert declared_in(module) == [shop]
    assert declared_in(elsewhere) == []


# The built-in matrix


def test_every_built_in_behaviour_says_what_it_is_and_where_that_comes_from() -> None:
    matrix = built_in()
    for made in matrix:
        question = made.question
        assert question.title, made.id
        assert question.breaks.endswith((".", "!", "?")), made.id
        assert question.source, made.id
        assert not re.search(r"[{}]", question.title + question.breaks + question.source), made.id


def test_every_built_in_id_can_be_typed_and_pasted() -> None:
    for made in built_in():
        assert re.fullmatch(r"[a-z0-9]+(?:/[A-Za-z0-9][A-Za-z0-9.+_-]*)+", made.id), made.id


def test_members_that_are_named_are_deep() -> None:
    @behaviour("shop/{kind}", severity=Severity.INFO, each={"kind": ("a", "b", "c")}, deep={"kind": ("b",)})
    async def ask(probe: Any, kind: str) -> Observation:
        """Title

        Breaks.

        Source
        """
        return Observation(Outcome.ACCEPTED, Stage.COMMAND)

    matrix = Matrix()
    matrix.add(ask)
    assert [made.id for made in matrix if made.deep] == ["shop/b"]


def test_a_deep_member_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UsageError, match="no member kind=z"):
        behaviour("shop/{kind}", severity=Severity.INFO, each={"kind": ("a",)}, deep={"kind": ("z",)})(shop)


def test_directions_are_globs_over_facts() -> None:
    async def ask(probe: Any) -> Observation:
        """Title

        Breaks.

        Source
        """
        return Observation(Outcome.ACCEPTED, Stage.COMMAND)

    declared = behaviour("shop/x", severity=Severity.INFO, better={"found": Direction.MORE})(ask)
    matrix = Matrix()
    matrix.add(declared)
    assert matrix["shop/x"].question.directions == {"facts.found": Direction.MORE}
