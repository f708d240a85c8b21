"""Makes the two sides that a plan names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pytest_mailu.core.plan import Plan, RecordedSpec, SideSpec
from pytest_mailu.core.releases import check_names
from pytest_mailu.sides.base import Side
from pytest_mailu.sides.described import DescribedSide
from pytest_mailu.sides.recording import RecordingSide, load

Notify: TypeAlias = Callable[[str], None]
"""Takes one line about the progress of the run."""


def sides_of(plan: Plan, notify: Notify) -> tuple[Side, Side]:
    """The two sides that a plan names, not opened. Raises UsageError where a file of theirs cannot be read."""
    if plan.env is not None or plan.env_new is not None:
        # Also where they are not applied: a mistake in them has to be known before a run that applies them.
        from pytest_mailu.stack.settings.environment import read_env

        for path in (plan.env, plan.env_new):
            if path is not None:
                read_env(path)
    recorded = {label: RecordingSide(load(spec.text)) for label, spec in plan.specs if isinstance(spec, RecordedSpec)}
    if len(recorded) == len(plan.specs):
        check_names(recorded["old"].info.release, recorded["new"].info.release)
        return recorded["old"], recorded["new"]
    if plan.check_only:
        return recorded.get("old") or DescribedSide(str(plan.old)), recorded.get("new") or DescribedSide(str(plan.new))
    # Docker's SDK takes a while to import; two recordings do not need it.
    from pytest_mailu.sides.release import ReleaseSide
    from pytest_mailu.stack.engine_session import EngineSession

    session = EngineSession(
        stacks=len(plan.specs) - len(recorded), pull=plan.pull == "always", keep=plan.keep, notify=notify
    )

    def side(label: str, spec: SideSpec) -> Side:
        if isinstance(spec, RecordedSpec):
            return recorded[label]
        return ReleaseSide(label, spec.release, plan, session, lambda words: notify(f"{label} {spec}: {words}"))

    return side("old", plan.old), side("new", plan.new)
