"""After a rehearsal: whether old still runs on its untouched data, and what it does with the data of new."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from pytest_mailu.core.errors import MailuError, StackError
from pytest_mailu.core.in_place import WayBack
from pytest_mailu.core.population import READINESS
from pytest_mailu.core.releases import Release
from pytest_mailu.sides.release import DOWNGRADED, ReleaseSide
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

MakeSide: TypeAlias = Callable[[str, Release, ReleaseSide], ReleaseSide]
"""A side by its label and its release, on the data of another side that is at rest."""


async def way_back(
    old: ReleaseSide, release: Release, new: ReleaseSide, digests: Mapping[str, str], make: MakeSide
) -> WayBack | None:
    """What a way back to `release`, that of `old`, looks like; None where the upgrade itself did not come so far.

    `old` is at rest and runs afterwards. `digests` are the fingerprints of its data when that was copied.
    """
    if not digests:
        return None
    now = await old.stack.data_digests()
    untouched = all(now.get(name) == digest for name, digest in digests.items())
    downgrade = await _downgrade(release, new, make)
    try:
        await old.stack.wake()
        detail = await _no_mail(old)
    except StackError as error:
        detail = error.cause
    return WayBack(untouched, works=not detail, detail=detail, downgrade=downgrade)


async def _no_mail(old: ReleaseSide) -> str:
    """Why nobody can read mail on the old release; empty where it works."""
    try:
        async with old.probe().mailbox(READINESS) as mailbox:
            await mailbox.select()
    except NotServed as end:
        return f"IMAP: {end}"
    except CannotAsk as trouble:
        return f"IMAP: {trouble.reason}"
    return ""


async def _downgrade(release: Release, new: ReleaseSide, make: MakeSide) -> str:
    """What the old release does on a copy of the data that new has migrated; empty where new does not run."""
    try:
        await new.stack.rest()
    except StackError:
        return ""
    side = make(DOWNGRADED, release, new)
    try:
        await side.open()
    except MailuError as error:
        last = error.details[-1:] if isinstance(error, StackError) else ()
        return " ".join([str(getattr(error, "cause", error)), *last])
    else:
        return f"Mailu {release} starts on it. Mailu does not promise that it keeps what it does not know."
    finally:
        await side.close()
        await new.stack.wake()
