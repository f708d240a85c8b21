"""One comparison of two lab stacks, without pytest in between: through the same `Run` and `Results` as the plugin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pytest_mailu.behaviours import Behaviour, Matrix, built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core import serialization as jsonio
from pytest_mailu.core.globs import any_of, matches
from pytest_mailu.core.model import Comparison, Finding, Report, Verdict
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import DEFAULT, SetUp
from pytest_mailu.judging.starvation import TOO_BUSY
from pytest_mailu.probe import sessions
from pytest_mailu.running.whole_run import compare_sides
from pytest_mailu.stack import containers
from tests.lab.build import OPTIONAL, ORG
from tests.lab.faults import NOT_IN_THE_LAB, Fault
from tests.lab.setups import setup_of

ALL_PORTS = "25,80,110,143,443,465,587,993,995,4190"
"""With them the personality 2024.06 serves what 2.0 does, and faults of every port can be seen."""

SILENT_SECONDS = 10.0
"""How long a reply is waited for in a stack in which a server says nothing; five times what a busy lab needs."""
RUNS = 3
"""How often a comparison is made at most, where the machine is too busy for it."""


def other_image(service: str, release: Release) -> str:
    """The lab's image of a service that Mailu takes from another project."""
    return f"{ORG}/{OPTIONAL[service]}:{release.tag}"


@contextmanager
def lab_images() -> Iterator[None]:
    """Image names are the lab's, as a user's own registry would be named."""
    before = os.environ.get("DOCKER_ORG")
    os.environ["DOCKER_ORG"] = ORG
    try:
        # Since 2024.06 these are images of other projects, whose names are fixed: here they are in our registry.
        antivirus = patch.object(Release, "antivirus_image", lambda release, *_: other_image("antivirus", release))
        tika = patch.object(Release, "tika_image", property(lambda release: other_image("fts_attachments", release)))
        with antivirus, tika:
            yield
    finally:
        if before is None:
            del os.environ["DOCKER_ORG"]
        else:
            os.environ["DOCKER_ORG"] = before


@contextmanager
def no_excuse() -> Iterator[None]:
    """A service that is late is late by its own doing: beside all other tests, processes always wait for a CPU here.

    On the machines of users that is an excuse; tests/stack/test_late.py shows it.
    """
    with patch.object(containers, "cpu_pressure", lambda: 0.0):
        yield


def compare(
    folder: Path,
    old: str,
    new: str,
    *,
    env: Mapping[str, str] | None = None,
    env_new: Mapping[str, str] | None = None,
    only: Iterable[str] | None = None,
    timeout: float = 120.0,
    disturb: Callable[[], None] | None = None,
    in_place: bool = False,
    data: Path | None = None,
    data_names: bool = False,
    setup: SetUp = DEFAULT,
    export: Path | None = None,
    more: Iterable[Callable[..., Any]] = (),
) -> Report:
    """The report of one comparison; recordings of both sides are left in `folder`. `only` are globs over ids.

    `disturb` is called once, in mid-run: after the first answer and before the last. `more` are behaviours that the
    matrix does not have.
    """
    plan = Plan(
        side_spec(old),
        side_spec(new),
        env=_file(folder / "both.env", env),
        env_new=_file(folder / "new.env", env_new),
        pull="never",
        timeout=timeout,
        in_place=in_place,
        data=data,
        data_names=data_names,
        setups=(setup,),
        export=export,
    )
    matrix = built_in()
    matrix.add(*more)
    here = Matrix(in_setup(matrix, setup).answered)
    disturbances = iter([disturb] if disturb is not None else [])

    def entered(_: Comparison) -> None:
        for strike in disturbances:
            strike()

    with lab_images(), no_excuse():
        report, recordings = compare_sides(plan, matrix, _chosen(here, only), entered)
    folder.mkdir(parents=True, exist_ok=True)
    for name, recording in zip(("old", "new"), recordings, strict=True):
        (folder / f"{name}.json").write_text(jsonio.dumps(recording), "utf-8")
    return report


def record(folder: Path, only: Iterable[str] | None = None, setup: SetUp = DEFAULT) -> Path:
    """A recording of the faultless 2024.06 with all ports, the old side of all faults; `only` are globs over ids."""

    def ask() -> Report:
        return compare(folder, "2024.06", "2024.06", env={"PORTS": ALL_PORTS}, only=only, setup=setup)

    report = unhurried(ask)
    # What the lab does not do as Mailu does is broken on both sides, which is no difference.
    told = [finding for finding in report.findings if finding.verdict is not Verdict.BROKEN or finding.differences]
    assert not told, [f"{finding.behaviour} {finding.verdict} {finding.why}" for finding in told]
    return folder / "old.json"


def with_faults(folder: Path, base: Path, faults: Sequence[Fault], only: Iterable[str] | None = None) -> Report:
    """The faultless recording against a stack with one fault, or with several of one set-up."""
    env = {"PORTS": ALL_PORTS}
    # A lab stack is ready within seconds; the fault `never-ready` waits all of it.
    new = {"LAB_FAULT": ",".join(fault.name for fault in faults)}
    (setup,) = {setup_of(fault) for fault in faults}

    def ask() -> Report:
        return compare(folder, str(base), "2024.06", env=env, env_new=new, only=only, timeout=45.0, setup=setup)

    with patience([fault for fault in faults if fault.stage == "greeting"]):
        return unhurried(ask)


def unhurried(ask: Callable[[], Report]) -> Report:
    """The report of a run, or of the next one where it says that this machine was too busy to tell something.

    The plugin tells people to run it again then, and so does the lab; what it tells in another way is told.
    """
    report = ask()
    for _ in range(1, RUNS):
        if not too_busy(report):
            break
        report = ask()
    return report


def too_busy(report: Report) -> bool:
    """Whether a run was left no time to tell something."""
    return any(finding.why is not None and finding.why.detail == TOO_BUSY for finding in report.findings)


@contextmanager
def patience(silent: Sequence[Fault]) -> Iterator[None]:
    """Where a server says nothing at all, each of the attempts waits for all of the usual time: here it is shorter.

    A machine that is too busy for that is noticed by the plugin itself, and ends in inconclusive.
    """
    seconds = SILENT_SECONDS if silent else sessions.REPLY_SECONDS
    with patch.object(sessions, "REPLY_SECONDS", seconds):
        yield


def caught(fault: Fault, report: Report) -> list[Finding]:
    """The findings by which the fault was to be caught, with the right verdict, outcome and stage."""
    return [
        finding
        for finding in report.findings
        if any_of(fault.caught_by, finding.behaviour)
        and finding.verdict == fault.verdict
        and (not fault.outcome or (finding.new is not None and finding.new.outcome == fault.outcome))
        and (not fault.stage or (finding.new is not None and finding.new.stage == fault.stage))
    ]


def missed(fault: Fault, report: Report) -> list[str]:
    """The globs of `caught_by` that no finding answers."""
    ids = [finding.behaviour for finding in caught(fault, report)]
    return [glob for glob in fault.caught_by if not any(matches(glob, id_) for id_ in ids)]


def outside(faults: Sequence[Fault], report: Report) -> list[str]:
    """What is regressed, or could not be told, outside the declared blast radius of each of the faults."""
    expected = [glob for fault in faults for glob in (*fault.caught_by, *fault.radius)]
    return [
        f"{finding.behaviour}: {finding.verdict} {finding.why}".strip()
        for finding in report.findings
        if finding.verdict in (Verdict.REGRESSED, Verdict.UNSTABLE, Verdict.INCONCLUSIVE)
        and not any_of(expected, finding.behaviour)
    ]


def _chosen(matrix: Matrix, only: Iterable[str] | None) -> list[Behaviour]:
    if only is None:
        quick = [one for one in matrix if not one.deep]
        return [one for one in quick if not any_of(NOT_IN_THE_LAB, one.id)]
    globs = tuple(only)
    return [behaviour for behaviour in matrix if any_of(globs, behaviour.id)]


def _file(path: Path, values: Mapping[str, str] | None) -> Path | None:
    if not values:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")
    return path
