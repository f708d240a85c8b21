"""How a behaviour is declared, and the matrix that holds all of them."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias

from pytest_mailu.core.endpoints import Endpoint
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Direction, Observation, Outcome, Question, Severity, Vantage
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.core.setups import DEFAULT, Feature, SetUp, tls_of

if TYPE_CHECKING:
    from pytest_mailu.probe.probe import Probe

P = ParamSpec("P")
Ask: TypeAlias = "Callable[[Probe], Awaitable[Observation]]"
Live: TypeAlias = "Callable[[Probe], Awaitable[None]]"
"""Makes on the old release what has to survive an upgrade."""

DECLARED = "__mailu_behaviours__"
"""The attribute of a function that holds the behaviours declared with it."""

BASE_VARIANT = "mx"
"""The variant every stack starts as: no relay host, mail goes out by MX."""

ANY_VARIANT = "any"
"""The behaviour needs no settings of its own: it is asked under whatever variant runs, which saves a restart."""


LIMITER = "limiter"
"""The counters of failed logins from `Vantage.OTHER_STRANGER`, the only one that the login limiter does not exempt."""

SESSIONS = "sessions"
"""How many sessions one user, or one address, may have at the same time."""

EVERYTHING = frozenset(CORE_SERVICES)
"""What a behaviour needs undisturbed unless it says otherwise: all core services."""

RESOURCES = EVERYTHING | STARTED | {LIMITER, SESSIONS}
"""What behaviours can need and disturb. Who comes from `OTHER_STRANGER` needs `LIMITER` as well. What needs an optional
service is asked where the set-up has it."""

Needs: TypeAlias = Collection[str] | Callable[..., Collection[str]]
"""Names from `RESOURCES`, or a function that gives them for the parameters of `each`, and for `endpoint`."""


OfSetUp: TypeAlias = Collection[Feature] | Callable[..., Collection[Feature]]
"""What a behaviour needs of a set-up, or a function that gives it for the parameters of `each`, and for `endpoint`."""


def tls_there(endpoint: Endpoint, **_: Any) -> frozenset[Feature]:
    """What a behaviour needs of a set-up that is about TLS at its own endpoint."""
    return frozenset({tls_of(endpoint.protocol)})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing somebody relies on, and the function that asks for it.

    `variant` names the settings it needs (`ANY_VARIANT` for none). `needs` and `disturbs` are names from `RESOURCES`:
    what it needs undisturbed, and what it may disturb while it is asked. While it is asked `alone`, nothing else is.
    `last` ones come after all others. `deep` ones are asked with `--mailu-deep` only. `volatile` are globs over paths
    whose differences do not count. `timeout` is the deadline in seconds. `in_place` ones look at what has to survive an
    upgrade, before and after it, with `--mailu-in-place` only; `live` makes that beforehand, `parting` at the last
    moment before old is stopped; `once` are looked at after the first step only; `option` names the option
    without which there is nothing to ask (`data`, `export`). `of_setup` is what it needs of a set-up; `elsewhere` words
    the question for a set-up in which people connect to other endpoints.
    """

    question: Question
    ask: Ask = field(compare=False)
    variant: str = BASE_VARIANT
    needs: frozenset[str] = EVERYTHING
    disturbs: frozenset[str] = frozenset()
    alone: bool = False
    last: bool = False
    deep: bool = False
    volatile: tuple[str, ...] = ()
    timeout: float = 75.0
    in_place: bool = False
    live: Live | None = field(default=None, compare=False)
    parting: Live | None = field(default=None, compare=False)
    once: bool = False
    option: str = ""
    of_setup: frozenset[Feature] = frozenset()
    elsewhere: Callable[[SetUp], Question] | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """The stable name, such as `submission/465-tls/external`."""
        return self.question.id

    @property
    def services(self) -> frozenset[str]:
        """The optional services without which it cannot be asked."""
        return self.needs & STARTED

    @property
    def usual(self) -> bool:
        """Whether every run asks for it, whatever options it is given."""
        return not (self.deep or self.in_place or self.option)


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
    needs: Needs = EVERYTHING,
    disturbs: Needs = (),
    alone: bool = False,
    last: bool = False,
    deep: bool | Mapping[str, Collection[Any]] = False,
    volatile: tuple[str, ...] = (),
    timeout: float = 75.0,
    in_place: bool = False,
    live: Live | None = None,
    parting: Live | None = None,
    once: bool = False,
    option: str = "",
    of_setup: OfSetUp = (),
) -> Callable[
    [Callable[Concatenate[Probe, P], Awaitable[Observation]]], Callable[Concatenate[Probe, P], Awaitable[Observation]]
]:
    """Declare the decorated coroutine function as one behaviour, or as many as the product of `each` has members.

    `id` and the docstring may name parameters in braces. The docstring's first paragraph is the title, its last the
    source (an RFC section, a page or file of Mailu), and what lies between says what somebody loses when it breaks.
    `endpoint` is where it is asked; a parameter of `each` that is an `Endpoint` says so for each member. `better` maps
    globs over facts (`found`, `keywords.*`), or `outcome`, to the direction in which they serve people: the other way
    is a loss. `affected` says whom a stricter answer concerns, where refusing is wanted and was not done before.
    `needs` (see `Needs`) and `disturbs` say beside what it may be asked, see
    `Behaviour`: it needs all core services, unless it says otherwise, and disturbs none. An optional service that it
    needs is a condition as well: it is left out where that is not started.
    `deep` keeps all members for `--mailu-deep`, or those of `each` that it names: `{"kind": ("zip",)}`. A usual run has
    to end in the time in which people wait for it, so variations are deep: another member asks the same and would fail
    with it. `of_setup` (see `OfSetUp`) says what it needs of a set-up: one without that is not asked. `in_place`,
    `live`, `parting` and `once`: see `Behaviour`. Raises UsageError where a docstring lacks one of its parts.
    """

    def declare(
        function: Callable[Concatenate[Probe, P], Awaitable[Observation]],
    ) -> Callable[Concatenate[Probe, P], Awaitable[Observation]]:
        members = {name: tuple(values) for name, values in (each or {}).items()}
        _check_deep(id, deep, members)
        declared = []
        for values in itertools.product(*members.values()):
            given = dict(zip(members, values, strict=True))
            word = partial(
                _question,
                function,
                id,
                given,
                wanted=wanted,
                severity=severity,
                endpoint=endpoint,
                better=better or {},
                affected=affected,
            )
            declared.append(
                Behaviour(
                    question=word(),
                    ask=_bound(function, given),
                    variant=variant,
                    needs=_named(id, needs, endpoint, given) | _of_the_vantage(given),
                    disturbs=_named(id, disturbs, endpoint, given),
                    alone=alone,
                    last=last,
                    deep=_is_deep(deep, given),
                    volatile=volatile,
                    timeout=timeout,
                    in_place=in_place,
                    live=live,
                    parting=parting,
                    once=once,
                    option=option,
                    of_setup=_features(of_setup, endpoint, given),
                    elsewhere=word,
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


def _named(id: str, resources: Needs, endpoint: Endpoint | None, given: Mapping[str, Any]) -> frozenset[str]:
    where = endpoint or _endpoint(given)
    names = resources(**{**given, "endpoint": where}) if callable(resources) else resources
    if unknown := sorted(set(names) - RESOURCES):
        raise UsageError(
            f"the behaviour {id} needs or disturbs {unknown[0]}, which is nothing of Mailu",
            f"Name some of {', '.join(sorted(RESOURCES))}.",
        )
    return frozenset(names)


def _features(of_setup: OfSetUp, endpoint: Endpoint | None, given: Mapping[str, Any]) -> frozenset[Feature]:
    where = endpoint or _endpoint(given)
    return frozenset(of_setup(**{**given, "endpoint": where}) if callable(of_setup) else of_setup)


def _of_the_vantage(given: Mapping[str, Any]) -> frozenset[str]:
    return frozenset({LIMITER}) if Vantage.OTHER_STRANGER in given.values() else frozenset()


def _endpoint(given: Mapping[str, Any]) -> Endpoint | None:
    found = [value for value in given.values() if isinstance(value, Endpoint)]
    return found[0] if len(found) == 1 else None


def _question(
    function: Callable[..., Any],
    id: str,
    given: Mapping[str, Any],
    setup: SetUp = DEFAULT,
    *,
    wanted: Outcome | None,
    severity: Severity,
    endpoint: Endpoint | None,
    better: Mapping[str, Direction],
    affected: str,
) -> Question:
    """The question as it is worded for a set-up: where people connect elsewhere, id and title name that endpoint."""
    usual = endpoint or _endpoint(given)
    given = {name: setup.endpoint(value) if isinstance(value, Endpoint) else value for name, value in given.items()}
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
    where = None if usual is None else setup.endpoint(usual)
    if usual is not None and where is not None:
        id_ = _at(id_, usual, where)
    operation = id_.partition("/")[2] if where is None else where.operation(id_)
    directions = {path if path == "outcome" else f"facts.{path}": direction for path, direction in better.items()}
    # Without a wanted outcome the sentence of what breaks speaks of differences.
    concerned = affected or ("" if wanted else " ".join(breaks))
    return Question(id_, title, " ".join(breaks), source, wanted, severity, where, operation, directions, concerned)


def _at(id: str, usual: Endpoint, where: Endpoint) -> str:
    """An id whose parts name an endpoint, for another one: `mailbox/143/folders` for `mailbox/993/folders`."""
    names = {str(usual): str(where), str(usual.port): str(where.port)}
    return "/".join(names.get(part, part) for part in id.split("/"))


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
