"""Comparisons made from what an entry says that it wants to see, judged as real ones are."""

from __future__ import annotations

from itertools import product
from typing import Any

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.globs import matches
from pytest_mailu.core.model import Comparison, Observation, Outcome, Question, Reply, Stage
from pytest_mailu.core.setups import SETUPS
from pytest_mailu.judging.advice.entry import When
from pytest_mailu.judging.judge import judge

QUESTIONS = {behaviour.id: behaviour.question for behaviour in built_in()}
EVERYWHERE = {
    (one.id, str(one.question.endpoint or "")): one.question
    for setup in SETUPS
    for one in in_setup(built_in(), setup).answered
}
"""The same in every set-up, by id and endpoint."""


def named(when: When) -> list[Question]:
    """The behaviours of the matrix that the globs name, in any set-up."""
    return [
        question
        for (id_, endpoint), question in EVERYWHERE.items()
        if any(matches(glob, id_) for glob in when.behaviours)
        and (not when.endpoints or any(matches(glob, endpoint) for glob in when.endpoints))
    ]


def observation(shown: dict[str, str]) -> Observation:
    """What shows these values at these paths; nothing but strings."""
    facts: dict[str, Any] = {}
    for path, value in shown.items():
        first, _, rest = path.partition(".")
        if first == "facts":
            _put(facts, rest, value)
    reply = Reply(*(shown.get(f"reply.{part}", "") for part in ("code", "enhanced", "text")))
    return Observation(
        Outcome(shown.get("outcome", "accepted")),
        Stage(shown.get("stage", "command")),
        reply if any(path.startswith("reply.") for path in shown) else None,
        facts,
    )


def _put(facts: dict[str, Any], path: str, value: str) -> None:
    name, bracket, member = path.partition("[")
    if bracket:
        facts.setdefault(name, []).append(member.removesuffix("]"))
        return
    head, dot, tail = path.partition(".")
    if dot:
        _put(facts.setdefault(head, {}), tail, value)
    else:
        facts[head] = value


def shown(when: When) -> Comparison | None:
    """A comparison that shows what the entry wants to see, of the first behaviour for which there can be one.

    A path that has to differ is shown by one side only; globs are read with nothing in the place of their stars.
    """
    old = {_plain(path): _plain(value) for path, value in when.old.items()}
    new = {_plain(path): _plain(value) for path, value in when.new.items()}
    for path in map(_plain, when.paths[:1]):
        if path in old and path in new:
            new[path] += " and more"
        elif path.startswith(("facts", "reply")) and path not in old:
            new.setdefault(path, "something new")
    made = (
        judge(question, [observation({"outcome": before, **old})], [observation({"outcome": after, **new})])
        for question, before, after in product(named(when), Outcome, Outcome)
        if old.get("outcome", before) == before and new.get("outcome", after) == after
    )
    return next(filter(when.fits, made), None)


def _plain(glob: str) -> str:
    return glob.replace("*", "")
