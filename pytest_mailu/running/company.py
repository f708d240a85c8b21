"""Which behaviours may be asked at the same time, and in which order: a pure plan, without clocks and sides."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pytest_mailu.behaviours.declaration import ANY_VARIANT, BASE_VARIANT, EVERYTHING, Behaviour
from pytest_mailu.core.endpoints import Protocol, Tls

Restarts: TypeAlias = Callable[[str], frozenset[str]]
"""The services that are made anew for a variant, and have its settings as long as it is there; none for the base."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What something that goes on needs undisturbed, and what it may disturb; `alone` it bears nothing beside it."""

    needs: frozenset[str]
    disturbs: frozenset[str]
    alone: bool = False

    def beside(self, other: Claim) -> bool:
        """Whether both may go on at the same time."""
        if self.alone or other.alone:
            return False
        return not (self.disturbs & other.needs or other.disturbs & self.needs or self.disturbs & other.disturbs)


def claim_of(behaviour: Behaviour, restarts: Restarts) -> Claim:
    """A behaviour's claim. One that needs a variant needs the services that have its settings."""
    own = frozenset() if behaviour.variant == ANY_VARIANT else restarts(behaviour.variant)
    return Claim(behaviour.needs | own, behaviour.disturbs, behaviour.alone)


def restart_claim(variants: Iterable[str], restarts: Restarts) -> Claim:
    """The claim of the change from one of these variants to another."""
    services = frozenset[str]().union(*map(restarts, variants))
    return Claim(services, services)


def fits(behaviour: Behaviour, variant: str, restarts: Restarts) -> bool:
    """Whether a behaviour may be asked under a variant: its own one, or one that changes nothing that it needs."""
    if behaviour.variant in (variant, ANY_VARIANT):
        return True
    return behaviour.variant == BASE_VARIANT and not behaviour.needs & restarts(variant)


class Waiting:
    """The behaviours that wait to be asked.

    Those that need most come first, since they keep from being asked what disturbs them; then those that disturb
    something; and those that need little fill what is left. Behaviours with the same claim keep their order, but for
    those whose port may well be closed: to confirm that takes a while, so they come first.
    """

    def __init__(self, behaviours: Iterable[Behaviour], restarts: Restarts) -> None:
        self._restarts = restarts
        self._groups: dict[tuple[str, Claim], deque[Behaviour]] = {}
        for behaviour in sorted(behaviours, key=lambda one: not _may_be_closed(one)):
            key = (behaviour.variant, claim_of(behaviour, restarts))
            self._groups.setdefault(key, deque()).append(behaviour)
        self._order = sorted(self._groups, key=_rank)

    def __bool__(self) -> bool:
        return any(self._groups.values())

    def _left(self) -> Iterator[tuple[Claim, deque[Behaviour]]]:
        return ((key[1], self._groups[key]) for key in self._order if self._groups[key])

    def next(
        self, variant: str, running: Collection[Claim], room: Callable[[Behaviour], bool] = lambda _: True
    ) -> Behaviour | None:
        """Takes out the first that may be asked now; None where nothing may.

        `room` says whether there is a slot for it. What waits only for others to end keeps its place: nothing that
        would disturb it, or that it would disturb, overtakes it.
        """
        reserved: list[Claim] = []
        for claim, group in self._left():
            if not fits(group[0], variant, self._restarts):
                continue
            if not all(claim.beside(other) for other in reserved):
                continue
            if not all(claim.beside(other) for other in running):
                reserved.append(claim)
            elif room(group[0]):
                return group.popleft()
        return None

    def next_variant(self, variant: str) -> str | None:
        """A variant to change to, the base first: one that some wait for, and that keeps nobody from being asked.

        None where nothing waits for another one, or everything that could be changed to would shut somebody out.
        """
        left = [group[0] for _, group in self._left()]
        others = {one.variant for one in left if not fits(one, variant, self._restarts)}
        present = [one for one in left if fits(one, variant, self._restarts)]
        for target in sorted(others, key=lambda name: (name != BASE_VARIANT, name)):
            if all(fits(one, target, self._restarts) for one in present):
                return target
        return None


def _rank(key: tuple[str, Claim]) -> tuple[int, int]:
    claim = key[1]
    if claim.alone:
        return 2, 0
    if claim.disturbs:
        return 1, 0
    return (0, 0) if claim.needs >= EVERYTHING else (3, -len(claim.needs))


_LATE = frozenset({Tls.STARTTLS, Tls.NONE})
_ALWAYS_THERE = frozenset({Protocol.SMTP, Protocol.HTTP})


def _may_be_closed(behaviour: Behaviour) -> bool:
    """Whether it is asked at a port that Mailu may not serve: those without TLS from the start (RFC 8314)."""
    endpoint = behaviour.question.endpoint
    return endpoint is not None and endpoint.tls in _LATE and endpoint.protocol not in _ALWAYS_THERE
