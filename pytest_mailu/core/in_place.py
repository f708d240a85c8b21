"""The values of a rehearsed upgrade: what each hop took, on whose data a difference shows, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Origin(StrEnum):
    """Where something that regressed fails: the new release itself, or the new release with old data."""

    FRESH = "fresh-install"
    """On a fresh install only; on the data of the old release it works."""
    DATA = "upgraded-data"
    """On the data of the old release only; on a fresh install it works."""
    BOTH = "both"


class CopyKind(StrEnum):
    """How data came to a stack without a change of where it came from."""

    COPIED = "copied"
    OVERLAY = "overlay"
    """Nothing was copied: what changes is written beside it (overlayfs)."""


@dataclass(frozen=True, slots=True)
class CopiedData:
    """What was taken over. `shared` are bytes that the file system shares with the source (reflink), so that they need
    no space; `digests` has a fingerprint of each volume of the source, by name; `left_out` counts entries that are no
    data (sockets, devices).
    """

    kind: CopyKind = CopyKind.COPIED
    files: int = 0
    bytes: int = 0
    shared: int = 0
    left_out: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of the upgrade: the release that was started on the data of the one before.

    Durations are in seconds: until the one before was stopped, until its data was copied, until the new one answered
    (its migrations included). `failure` says why it did not start, empty where it did.
    """

    release: str
    stop_seconds: float = 0.0
    copy_seconds: float = 0.0
    ready_seconds: float = 0.0
    data: CopiedData = field(default_factory=CopiedData)
    failure: str = ""

    @property
    def downtime(self) -> float:
        """Seconds in which no mail was served. Without the copy: an upgrade in place needs none."""
        return self.stop_seconds + self.ready_seconds


@dataclass(frozen=True, slots=True)
class WayBack:
    """The old release, started again on its untouched data after the rehearsal.

    `untouched` tells whether that data is still what was copied, `works` whether people can log in and read there.
    `downgrade` says what the old release did with the new data: Mailu's migrations are one-way.
    """

    untouched: bool
    works: bool
    detail: str = ""
    downgrade: str = ""


@dataclass(frozen=True, slots=True)
class InPlace:
    """What the rehearsal of an upgrade in place has to say beside its findings.

    `fresh_only` are behaviours that fail on a fresh install only; `checks` are sentences about the data that a look
    before the upgrade found, `people` how many of what it held. `own_untouched` tells whether the user's own data is
    still as it was, None where there was none.
    """

    hops: tuple[Hop, ...] = ()
    fresh_only: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    people: Mapping[str, int] = field(default_factory=dict)
    own_untouched: bool | None = None
    way_back: WayBack | None = None
