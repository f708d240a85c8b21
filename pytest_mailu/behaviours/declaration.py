"""How a behaviour is declared, and the matrix that holds all of them."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias

from pytest_mailu.core.endpoints import Endpoint
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Direction, Observation, Outcome, Question, Severity

if TYPE_CHECKING:
    from pytest_mailu.probe.probe import Probe

P = ParamSpec("P")
Ask: TypeAlias = "Callable[[Probe], Awaitable[Observation]]"

DECLARED = "__mailu_behaviours__"
"""The attribute of a function that holds the behaviours declared with it."""

BASE_VARIANT = "mx"
"""The variant every stack starts as: no relay host, mail goes out by MX."""

ANY_VARIANT = "any"
"""The behaviour needs no settings of its own: it is asked under whatever variant runs, which saves a restart."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing somebody relies on, and the function that asks for it.

    `variant` names the settings it needs (`ANY_VARIANT` for none). While it is asked `alone`, nothing else is. `last`
    ones come after all others. `deep` ones are asked with `--mailu-deep` only. `volatile` are globs over paths whose
    differences do not count. `timeout` is the deadline in seconds.
    """

    question: Question
    ask: Ask = field(compare=False)
    variant: str = BASE_VARIANT
    alone: bool = False
    last: bool = False
    deep: bool = False
    volatile: tuple[str, ...] = ()
    timeout: float = 75.0

    @property
    def id(self) -> str:
        """The stable name, such as `submission/465-tls/external`."""
        return self.question.id


def behaviour(
    id: str,
    *,
    severity: Severity,
    wanted: Outcome | None = None,
    endpoint: Endpoint | None = None,
    better: Mapping[str, Direction] | None = None,
    affected: str = "",
    each: Mapping[str, Iterable[Any]] | None = None,
    variant: str = BASE_VARIANT,
    alone: bool = False,
    last: bool = False,
    deep: bool | Mapping[str, Collection[Any]] = False,
    volatile: tuple[str, ...] = (),
    timeout: float = 75.0,
) -> Callable[
    [Callable[Concatenate[Probe, P], Awaitable[Observation]]], Callable[Concatenate[Probe, P], Awaitable[Observation]]
]:
    """Declare the decorated coroutine function as one behaviour, or as many as the product of `each` has members.

    `id` and the docstring may name parameters in braces. The docstring's first paragraph is the title, its last the
    source (an RFC section, a page or file of Mailu), and what lies between says what somebody loses when it breaks.
    `endpoint` is where it is asked; a parameter of `each` that is an `Endpoint` says so for each member. `better` maps
    globs over facts (`found`, `keywords.*`), or `outcome`, to the direction in which they serve people: the other way
    is a loss. `affected` says whom a stricter answer concerns, where refusing is wanted and was not done before.
    `deep` keeps all members for `--mailu-deep`, or those of `each` that it names: `{"kind": ("zip",)}`. A usual run has
    to end in the time in which people wait for it, so variations are deep: another member asks the same and would fail
    with it. Raises UsageError where a docstring lacks one of its parts.
    """

    def declare(
        function: Callable[Concatenate[Probe, P], Awaitable[Observation]],
    ) -> Callable[Concatenate[Probe, P], Awaitable[Observation]]:
        members = {name: tuple(values) for name, values in (each or {}).items()}
        _check_deep(id, deep, members)
        declared = []
        for values in itertools.product(*members.values()):
            given = dict(zip(members, values, strict=True))
            declared.append(
                Behaviour(
                    question=_question(
                        function,
                        id,
                        given,
                        wanted=wanted,
                        severity=severity,
                        endpoint=endpoint,
                        better=better or {},
                        affected=affected,
                    ),
                    ask=_bound(function, given),
                    variant=variant,
                    alone=alone,
                    last=last,
                    deep=_is_deep(deep, given),
                    volatile=volatile,
                    timeout=timeout,
                )
            )
        before: tuple[Behaviour, ...] = getattr(function, DECLARED, ())
        setattr(function, DECLARED, (*before, *declared))
        return function

    return declare


def _check_deep(id: str, deep: bool | Mapping[str, Collection[Any]], members: Mapping[str, Collection[Any]]) -> None:
    for name, values in {} if isinstance(deep, bool) else deep.items():
        if unknown := [value for value in values if value not in members.get(name, ())]:
            raise UsageError(
                f"the behaviour {id} has no member {name}={unknown[0]} that could be deep",
                "Name members of `each` in `deep`.",
            )


def _is_deep(deep: bool | Mapping[str, Collection[Any]], given: Mapping[str, Any]) -> bool:
    if isinstance(deep, bool):
        return deep
    return any(given[name] in values for name, values in deep.items())


def _bound(function: Callable[..., Awaitable[Observation]], given: Mapping[str, Any]) -> Ask:
    async def ask(probe: Probe) -> Observation:
        return await function(probe, **given)

    return ask


def _endpoint(given: Mapping[str, Any]) -> Endpoint | None:
    found = [value for value in given.values() if isinstance(value, Endpoint)]
    return found[0] if len(found) == 1 else None


def _question(
    function: Callable[..., Any],
    id: str,
    given: Mapping[str, Any],
    *,
    wanted: Outcome | None,
    severity: Severity,
    endpoint: Endpoint | None,
    better: Mapping[str, Direction],
    affected: str,
) -> Question:
    try:
        text = inspect.cleandoc(function.__doc__ or "").format(**given)
        id_ = id.format(**given)
    except (LookupError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the behaviour {id} names in braces what `each` does not give: {error}",
            "Name parameters of `each`; a brace that is meant is written twice.",
        ) from error
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    if len(paragraphs) < 3:
        raise UsageError(
            f"the behaviour {id} does not say what it is",
            "Write a docstring of three paragraphs: the title, what breaks for whom, and what that rests on.",
        )
    title, *breaks, source = paragraphs
    where = endpoint or _endpoint(given)
    operation = id_.partition("/")[2] if where is None else where.operation(id_)
    directions = {path if path == "outcome" else f"facts.{path}": direction for path, direction in better.items()}
    # Without a wanted outcome the sentence of what breaks speaks of differences.
    concerned = affected or ("" if wanted else " ".join(breaks))
    return Question(id_, title, " ".join(breaks), source, wanted, severity, where, operation, directions, concerned)


class Matrix:
    """All behaviours by id, in their order. Users change it in the hook `pytest_mailu_matrix`."""

    def __init__(self, behaviours: Iterable[Behaviour] = ()) -> None:
        self._behaviours: dict[str, Behaviour] = {}
        self.add(*behaviours)

    def add(self, *behaviours: Behaviour | Callable[..., Any]) -> None:
        """Add behaviours, or functions decorated with `behaviour`; an id that is taken is a UsageError."""
        for entry in behaviours:
            if not isinstance(entry, Behaviour) and not hasattr(entry, DECLARED):
                raise UsageError(f"{entry!r} is no behaviour", "Decorate the function with `pytest_mailu.behaviour`.")
            for added in (entry,) if isinstance(entry, Behaviour) else getattr(entry, DECLARED, ()):
                if added.id in self._behaviours:
                    raise UsageError(
                        f"the behaviour {added.id} is declared twice", "Give one of them another id, or drop one."
                    )
                self._behaviours[added.id] = added

    def drop(self, *ids: str) -> None:
        """Leave behaviours out; an unknown id is a UsageError."""
        for id_ in ids:
            del self._behaviours[self[id_].id]

    def regrade(
        self, id: str, *, severity: Severity | None = None, wanted: Outcome | None = None, deep: bool | None = None
    ) -> None:
        """Give a behaviour another severity or wanted outcome, or ask it in every run or with `--mailu-deep` only.

        An unknown id is a UsageError.
        """
        old = self[id]
        question = replace(
            old.question, severity=severity or old.question.severity, wanted=wanted or old.question.wanted
        )
        self._behaviours[id] = replace(old, question=question, deep=old.deep if deep is None else deep)

    def __getitem__(self, id: str) -> Behaviour:
        try:
            return self._behaviours[id]
        except KeyError:
            raise UsageError(
                f"there is no behaviour {id}", "See the ids with: pytest --mailu-from … --mailu-to … --collect-only -q"
            ) from None

    def __contains__(self, id: object) -> bool:
        return id in self._behaviours

    def __iter__(self) -> Iterator[Behaviour]:
        return iter(self._behaviours.values())

    def __len__(self) -> int:
        return len(self._behaviours)
