"""Commands that need no test session: `--mailu-plan` and `--mailu-sweep`."""

from __future__ import annotations

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.declaration import ANY_VARIANT
from pytest_mailu.core.errors import MailuError
from pytest_mailu.core.plan import Plan, RecordedSpec
from pytest_mailu.running.scheduler import phases
from pytest_mailu.running.selection import select
from pytest_mailu.running.settings_check import settings_check
from pytest_mailu.sides.factory import sides_of


def print_plan(plan: Plan) -> int:
    """Print what a run would do; exit status 0."""
    sides = sides_of(plan, print)
    checked = settings_check(plan, *(side.info.release for side in sides))
    if checked.notes:
        print(f"checks {len(checked.notes)} things in the files of the deployment, without a container")
    if plan.check_only:
        return 0
    matrix = built_in()
    for label, spec in plan.specs:
        if isinstance(spec, RecordedSpec):
            print(f"{label}: answers from the recording {spec.text}")
        else:
            print(f"{label}: starts Mailu {spec} in a sealed world of its own, images pulled if {plan.pull}")
            for line in _stack_lines(plan, label):
                print(f"     {line}")
    selection = select(matrix, plan, *sides)
    print(f"compares {len(selection.chosen)} behaviours:")
    for phase in phases(selection.chosen):
        first = phase[0]
        manner = "one after the other" if first.alone else "concurrently"
        variant = "in the current settings" if first.variant == ANY_VARIANT else f"variant {first.variant}"
        print(f"     {len(phase):3} {manner}, {variant}" + (", at the very end" if first.last else ""))
    if selection.slow and plan.starts_stacks:
        print(f"leaves out {len(selection.slow)} that are slow or more detailed: --mailu-deep compares them too")
    if selection.newer:
        print(f"leaves out {len(selection.newer)} that are newer than the recordings")
    print("asks again where the two sides differ, compares, decides")
    if plan.report is not None:
        print(f"writes the reports and both recordings to {plan.report}")
    if plan.starts_stacks:
        print("removes everything it started" if not plan.keep else "keeps the stacks (--mailu-keep)")
    return 0


def sweep(chosen: str) -> int:
    """Remove what killed runs left behind, and what `chosen` (an id, an age) names beside it.

    Returns exit status 0, or 1 where something could not be removed. Raises UsageError.
    """
    from pytest_mailu.stack.docker.engine import Engine
    from pytest_mailu.stack.docker.sweep import Choice
    from pytest_mailu.stack.docker.sweep import sweep as sweep_up

    choice = Choice.read(chosen) if chosen else Choice()
    try:
        removed = sweep_up(Engine.connect(), choice)
    except MailuError as error:
        print(error)
        return 1
    print(f"removed {removed}" if removed else "found nothing to remove")
    for complaint in removed.complaints:
        print(complaint)
    return 1 if removed.failures else 0


def _stack_lines(plan: Plan, label: str) -> list[str]:
    env = [path for path in (plan.env, plan.env_new if label == "new" else None) if path is not None]
    else_ = "the defaults of Mailu" if plan.compose is None else "those of the compose file"
    lines = [f"settings: {', '.join(map(str, env)) or else_}"]
    if plan.compose is not None:
        lines.append(f"compose file: {plan.compose}")
    if plan.overrides is not None:
        lines.append(f"overrides: {plan.overrides}")
    return lines
