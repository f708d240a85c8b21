"""Commands that run no test: `--mailu-plan` and `--mailu-sweep`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import groupby

import pytest
from _pytest.main import wrap_session

from pytest_mailu.behaviours import Behaviour
from pytest_mailu.behaviours.declaration import ANY_VARIANT
from pytest_mailu.core.errors import LINE_LIMIT, MailuError
from pytest_mailu.core.optional_services import service_words
from pytest_mailu.core.plan import Plan, RecordedSpec
from pytest_mailu.core.setups import DEFAULT, SetUp, words_of
from pytest_mailu.core.text import show_line
from pytest_mailu.face.items import BehaviourItem
from pytest_mailu.face.options import sides_missing
from pytest_mailu.running.scheduler import phases
from pytest_mailu.running.selection import Selection
from pytest_mailu.running.setup_runs import IN


def plan_session(config: pytest.Config) -> int:
    """Collect as a run would, and print what it would do instead of running it; pytest's exit status."""
    config.option.collectonly = True
    named = config.option.verbose > 0
    config.option.verbose = -2  # pytest itself prints errors and nothing else
    return int(wrap_session(config, partial(_collect_and_print, named=named)))


def _collect_and_print(config: pytest.Config, session: pytest.Session, *, named: bool) -> None:
    config.option.collectonly = False  # or pytest would list what was collected
    session.perform_collect()
    config.option.collectonly = True
    active = config.pluginmanager.get_plugin("mailu-active")
    if active is None:
        raise pytest.UsageError(str(sides_missing("--mailu-plan")))
    if active.problem:
        raise pytest.UsageError(active.problem)
    items = [item.behaviour for item in session.items if isinstance(item, BehaviourItem)]
    others = len(session.items) - len(items)
    of_files = {behaviour.id for behaviour in active.settings}
    chosen = [behaviour for behaviour in items if behaviour.id not in of_files]
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        if checked := len(items) - len(chosen):
            print(f"checks {checked} things in the files of the deployment, without a container")
        if not active.plan.check_only:
            for run in active.runs.runs.values():
                here = [
                    one for one in chosen if not active.runs.several or one.id.endswith(f"{IN}{run.run.setup.name}")
                ]
                print(*plan_lines(run.plan, here, run.default, run.run.setup, others), sep="\n")
            print(*none_answers(active.runs.unanswered, named=named), sep="\n")


def plan_lines(
    plan: Plan, chosen: Sequence[Behaviour], left_out: Selection, setup: SetUp = DEFAULT, others: int = 0
) -> Iterator[str]:
    """What a run would do: `chosen` are the behaviours, `others` the number of other tests that were collected."""
    yield f"set-up {setup.name}: {setup.title} ({setup.words})"
    for label, spec in plan.specs:
        if isinstance(spec, RecordedSpec):
            yield f"{label}: answers from the recording {spec.text}"
        else:
            yield f"{label}: starts Mailu {spec} in its own sealed world, images pulled if {plan.pull}"
            yield from (f"     {line}" for line in _stack_lines(plan, label))
    yield f"compares {len(chosen)} behaviours:"
    for phase in phases(chosen):
        first = phase[0]
        manner = "one after the other" if first.alone else "concurrently"
        variant = "in the current settings" if first.variant == ANY_VARIANT else f"variant {first.variant}"
        yield f"     {len(phase):3} {manner}, {variant}" + (", at the very end" if first.last else "")
    yield from _left_out(plan, left_out, setup)
    yield "asks again where the two sides differ, compares, decides"
    if others:
        yield f"runs {others} other tests"
    if plan.report is not None:
        yield f"writes the reports and both recordings to {plan.report}"
    if plan.starts_stacks:
        yield "removes everything it started" if not plan.keep else "keeps the stacks (--mailu-keep)"


def _left_out(plan: Plan, left_out: Selection, setup: SetUp) -> Iterator[str]:
    if left_out.slow and plan.starts_stacks:
        yield f"leaves out {len(left_out.slow)} that are slow or more detailed: --mailu-deep compares them too"
    if left_out.in_place:
        yield f"leaves out {len(left_out.in_place)} about an upgrade in place: --mailu-in-place compares them too"
    if left_out.own:
        yield f"leaves out {len(left_out.own)} about your own accounts: --mailu-export compares them too"
    if left_out.unanswered:
        yield f"leaves out {len(left_out.unanswered)} that this set-up cannot answer:"
        for features, ids in groupby(sorted(map(_lacking(setup), left_out.unanswered)), key=lambda pair: pair[0]):
            yield f"     {len(list(ids)):3} need {features}"
    if left_out.unserved:
        yield f"leaves out {len(left_out.unserved)} that need a service which is not started:"
        for services, several in groupby(sorted(map(_unserved(setup), left_out.unserved)), key=lambda pair: pair[0]):
            yield f"     {len(list(several)):3} need {services}"
    if left_out.newer:
        yield f"leaves out {len(left_out.newer)} that are newer than the recordings"


def none_answers(ids: Sequence[str], *, named: bool) -> Iterator[str]:
    """How many behaviours no set-up of the run can answer, and which where they are to be `named`."""
    if ids:
        yield f"no set-up of this run answers {len(ids)}" + (":" if named else "; -v names them")
        yield from (f"     {id_}" for id_ in ids if named)


def _lacking(setup: SetUp) -> Callable[[Behaviour], tuple[str, str]]:
    def lacking(behaviour: Behaviour) -> tuple[str, str]:
        return words_of(behaviour.of_setup - setup.features_at(behaviour.question.endpoint)), behaviour.id

    return lacking


def _unserved(setup: SetUp) -> Callable[[Behaviour], tuple[str, str]]:
    def lacking(behaviour: Behaviour) -> tuple[str, str]:
        missing = behaviour.services - setup.services
        return f"{service_words(missing)}: --mailu-with {','.join(sorted(missing))}", behaviour.id

    return lacking


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
        print(show_line(complaint, LINE_LIMIT))
    return 1 if removed.failures else 0


def _stack_lines(plan: Plan, label: str) -> list[str]:
    env = [path for path in (plan.env, plan.env_new if label == "new" else None) if path is not None]
    compose = plan.compose_of(new=label == "new")
    else_ = "the defaults of Mailu" if compose is None else "those of the compose file"
    lines = [f"settings: {', '.join(map(str, env)) or else_}"]
    if compose is not None:
        lines.append(f"compose file: {compose}")
    if plan.overrides is not None:
        lines.append(f"overrides: {plan.overrides}")
    return lines
