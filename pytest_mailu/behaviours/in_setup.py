"""The matrix as it is in a set-up: what it can answer, at the endpoints that people use there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.setups import SetUp


@dataclass(frozen=True, slots=True)
class InSetUp:
    """What a set-up can answer, what it cannot, and what needs an optional service that it does not start."""

    answered: tuple[Behaviour, ...]
    unanswered: tuple[Behaviour, ...] = ()
    unserved: tuple[Behaviour, ...] = ()


def in_setup(behaviours: Iterable[Behaviour], setup: SetUp) -> InSetUp:
    """The behaviours whose needs the set-up meets, each with the question that is asked there.

    Where several ports come down to one (465 with TLS and 587 with STARTTLS, without TLS), one behaviour is left for
    them: a usual one before one for `--mailu-deep`, then the one that had the port before.
    """
    answered: dict[str, tuple[bool, bool, Behaviour]] = {}
    unanswered, unserved = [], []
    for behaviour in behaviours:
        if not behaviour.services <= setup.services:
            unserved.append(behaviour)
            continue
        if not behaviour.of_setup <= setup.features_at(behaviour.question.endpoint):
            unanswered.append(behaviour)
            continue
        here = _worded(behaviour, setup)
        usual, now = behaviour.question.endpoint, here.question.endpoint
        rank = (here.deep, usual is not None and now is not None and usual.port != now.port)
        if here.id not in answered or rank < answered[here.id][:2]:
            answered[here.id] = (*rank, here)
    found = tuple(behaviour for *_, behaviour in answered.values())
    return InSetUp(found, tuple(unanswered), tuple(unserved))


def _worded(behaviour: Behaviour, setup: SetUp) -> Behaviour:
    """The behaviour with the question for this set-up. A project may have graded it otherwise: that stays."""
    question = behaviour.question
    if behaviour.elsewhere is None or not setup.flavour.moved:
        return behaviour
    worded = behaviour.elsewhere(setup)
    return replace(behaviour, question=replace(worded, severity=question.severity, wanted=question.wanted))
