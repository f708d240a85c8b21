"""What survives an upgrade has to be made before it, whichever behaviours are chosen."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from pytest_mailu.behaviours import Behaviour, built_in
from pytest_mailu.core.population import User

SURVIVAL = [behaviour for behaviour in built_in() if behaviour.in_place]


def users(function: Callable[..., Any]) -> set[str]:
    """The own mailboxes that a function names. Those of the population are there whatever is chosen."""
    named = inspect.getclosurevars(function).globals.values()
    return {value.address for value in named if isinstance(value, User) and value.address.startswith("box-")}


FILLED = defaultdict[str, set[Any]](set)
"""Mailbox → the functions that fill it before the upgrade."""
for _behaviour in SURVIVAL:
    for _maker in filter(None, (_behaviour.live, _behaviour.parting)):
        for _address in users(_maker):
            FILLED[_address].add(_maker)


@pytest.mark.parametrize("behaviour", SURVIVAL, ids=lambda each: each.id)
def test_who_looks_at_a_mailbox_that_is_filled_before_has_it_filled(behaviour: Behaviour) -> None:
    """Chosen alone (`--lf`, `-k`), it compared an empty mailbox with an empty one: the same."""
    looks = inspect.getclosurevars(behaviour.ask).nonlocals["function"]
    for address in users(looks) & FILLED.keys():
        assert {behaviour.live, behaviour.parting} & FILLED[address], address


def test_there_are_such_mailboxes() -> None:
    assert len(FILLED) >= 8
