"""The part of the pytest face that works: collection, results, reports. One class per role under pytest-xdist.

Without xdist, and in its controlling process, `Controller` owns the run. `Worker` processes ask it for results.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from types import FrameType
from typing import Any, Protocol, TypeAlias

import pytest

from pytest_mailu.behaviours import Behaviour, Matrix, built_in, declared_in
from pytest_mailu.core.errors import MailuError, UsageError
from pytest_mailu.core.model import Comparison, Decision, FailOn, Finding, Report, SideInfo, Verdict
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.serialization import plain, structured
from pytest_mailu.face.configuration import usage_errors
from pytest_mailu.face.items import ROOT, WORDS, BehaviourItem, Disagreement, MatrixCollector
from pytest_mailu.face.xdist_channel import ResultClient, ResultServer
from pytest_mailu.reports import github, terminal
from pytest_mailu.reports.folder import write
from pytest_mailu.running.results import Book
from pytest_mailu.running.run import Run
from pytest_mailu.running.scheduler import phases

ID = re.compile(rf"(?:[^:]*/)?{ROOT}::(?P<id>.+)")
"""An id as pytest prints it: seen from another folder than the root folder, the way there stands in front."""

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None
"""What `signal.signal` takes and gives."""


class _Node(Protocol):
    """As much of xdist's `WorkerController` as is used here."""

    workerinput: dict[str, Any]


class _Face:
    """What both roles do: collect the matrix, let its items get their answers, and colour their outcomes."""

    def __init__(self, config: pytest.Config, plan: Plan, *, ids: list[str] | None, paths: list[str]) -> None:
        self.config = config
        self.plan = plan
        self._ids = None if ids is None else list(dict.fromkeys(ids))
        self._paths = paths
        config.args[:] = paths
        self.matrix = Matrix()
        self._book: Book | None = None

    @property
    def book(self) -> Book:
        assert self._book is not None  # noqa: S101 - there since the matrix was filled
        return self._book

    def fill_matrix(self) -> None:
        """Built-in behaviours, then those of the conftest files, then what the hooks make of them.

        Raises UsageError where those do not fit together, or where an id or a waiver names what is not there.
        """
        if len(self.matrix):
            return
        self.matrix.add(*built_in())
        # In the order of their registration: every process of xdist has to collect the same.
        for plugin in dict.fromkeys(plugin for _, plugin in self.config.pluginmanager.list_name_plugin()):
            if getattr(plugin, "__file__", None):
                self.matrix.add(*declared_in(plugin))
        self.config.hook.pytest_mailu_matrix(matrix=self.matrix)
        self._chosen()
        self._book = Book(self.plan, self.matrix)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the matrix in front of whatever else the session collects."""
        report = yield
        if isinstance(collector, pytest.Session) and report.outcome == "passed":
            with usage_errors():
                self.fill_matrix()
                matrix = MatrixCollector.from_parent(
                    collector,
                    name=ROOT,
                    nodeid=ROOT,
                    behaviours=self._chosen(),
                    answer=self.answer,
                    fail_on=self.plan.fail_on,
                )
            report.result = [matrix, *report.result]
        return report

    def _chosen(self) -> list[Behaviour]:
        """What was named, else everything that this run has the time for."""
        if self._ids is not None:
            return [self.matrix[id_] for id_ in self._ids]
        chosen = [made for made in self.matrix if self.plan.asks(deep=made.deep, held=self._held(made))]
        # In the order in which they will be asked, so that items wait no longer than they must.
        return [made for phase in phases(chosen) for made in phase]

    def _held(self, behaviour: Behaviour) -> bool:
        """Whether asking takes no time, since the answer is there already."""
        return False

    def answer(self, id: str) -> tuple[Comparison, Finding | None]:
        """The comparison of a behaviour and its finding; waits for it."""
        raise LookupError(id)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the comparison travel with the report, and a waived failure be an expected one."""
        report = yield
        if isinstance(item, BehaviourItem) and call.when == "call" and item.comparison is not None:
            report.mailu = plain(item.comparison)  # type: ignore[attr-defined]  # reports carry what plugins add
            error = call.excinfo.value if call.excinfo is not None else None
            if isinstance(error, Disagreement) and error.finding.waiver is not None:
                report.outcome = "skipped"
                report.wasxfail = f"waived: {error.finding.waiver.reason}"
        return report


class Worker(_Face):
    """One of xdist's worker processes: its answers come from the controller."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        given = config.workerinput["mailu"]  # type: ignore[attr-defined]  # set by xdist
        super().__init__(config, plan, ids=given["ids"], paths=given["paths"])
        self._given = given
        self._client: ResultClient | None = None

    def answer(self, id: str) -> tuple[Comparison, Finding | None]:
        """Ask the controller."""
        if self._client is None:
            self._client = ResultClient(self._given["address"])
        comparison, old, new = self._client.ask(id)
        told = structured(comparison, Comparison)
        return told, self.book.finding(told, structured(old, SideInfo), structured(new, SideInfo))

    def opened_run(self) -> Run:
        """For the fixtures: there is none here."""
        pytest.fail(
            "the fixtures mailu_old and mailu_new need the process that owns the stacks: run without -n", pytrace=False
        )

    def pytest_sessionfinish(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()


class Controller(_Face):
    """Owns the run: opens both sides before the first item, reports after the last, and closes them."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        ids = [found["id"] for arg in config.args if (found := ID.fullmatch(arg))]
        named = config.args_source is pytest.Config.ArgsSource.ARGS
        super().__init__(
            config, plan, ids=ids or None, paths=[arg for arg in config.args if not ID.fullmatch(arg)] if named else []
        )
        self.run = Run(plan, self._tell)
        self._server: ResultServer | None = None
        self._opened = False
        self._begun = False
        self._asked = False
        self._unwritten = False
        self._selected: set[str] = set()
        self._trouble: MailuError | None = None
        self.report: Report | None = None
        atexit.register(self.run.close)
        self._before: Handler = None
        if not config.option.collectonly and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._terminated)

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        """CI cancels with SIGTERM and waits only seconds; pytest itself would just die."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pytest.exit("terminated (SIGTERM)", returncode=pytest.ExitCode.INTERRUPTED)

    def _tell(self, words: str) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and not self.config.option.collectonly:
            reporter.ensure_newline()
            reporter.write_line(f"mailu {words}")

    def _held(self, behaviour: Behaviour) -> bool:
        return any(side.held(behaviour) for side in (self.run.old, self.run.new))

    def answer(self, id: str) -> tuple[Comparison, Finding | None]:
        """Wait for the run."""
        comparison = self.run.result(id)
        return comparison, self.book.finding(comparison, self.run.old.info, self.run.new.info)

    def _open(self) -> bool:
        """Open both sides; where that fails the report says why, and there is nothing to be asked."""
        self._opened = True
        try:
            self.run.open()
        except UsageError:
            raise
        except MailuError as error:
            self._trouble = error
        return self._trouble is None

    def _begin(self) -> bool:
        """The same, for the matrix: from here on there is something to report, whatever comes."""
        self._begun = True
        try:
            return self._open()
        except UsageError:
            self._begun = False
            raise

    def opened_run(self) -> Run:
        """For the fixtures: the run, with both sides ready even where nothing of the matrix was selected."""
        if not self._opened:
            try:
                self._open()
            except UsageError as error:
                self._trouble = error
        if self._trouble is not None:
            pytest.fail(str(self._trouble), pytrace=False)
        return self.run

    def _ask(self, ids: Iterable[str]) -> None:
        if not self._asked:
            self._asked = True
            self._selected.update(ids)
            self.run.ask(self.matrix[id_] for id_ in ids)

    # Without xdist -----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Open both sides once it is clear what is to be asked, and start asking."""
        option = session.config.option
        stopped = session.testsfailed and not option.continue_on_collection_errors
        chosen = [item.behaviour.id for item in session.items if isinstance(item, BehaviourItem)]
        if self._server is not None or option.collectonly or stopped or not chosen:
            return None
        with usage_errors():
            opened = self._begin()
        if not opened:
            return True
        self._ask(chosen)
        return None

    # With xdist --------------------------------------------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        """Under xdist this process collects nothing: open both sides before the workers start."""
        if self.config.pluginmanager.has_plugin("dsession"):
            with usage_errors():
                self.fill_matrix()
                opened = self._begin()
            if not opened:
                self._conclude()
                pytest.exit(str(self._trouble), returncode=pytest.ExitCode.TESTS_FAILED)
            self._server = ResultServer(self._serve)

    def _serve(self, id: str) -> tuple[Any, Any, Any]:
        return plain(self.run.result(id)), plain(self.run.old.info), plain(self.run.new.info)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: _Node) -> None:
        """Tell a worker where the results are."""
        assert self._server is not None  # noqa: S101 - made at the start of the session
        node.workerinput["mailu"] = {
            "ids": [made.id for made in self._chosen()],
            "paths": self._paths,
            "address": self._server.address,
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """The first worker that has collected tells what is to be asked; all collect the same."""
        self._ask([found["id"] for id_ in ids if (found := ID.fullmatch(id_))])

    # Results and reports -----------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep each comparison, from whichever process it comes."""
        data = getattr(report, "mailu", None)
        if data is not None:
            self.book.enter(structured(data, Comparison))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """The verdict as the word of the item, under pytest's own categories."""
        data = getattr(report, "mailu", None)
        if data is None or report.when != "call" or report.outcome == "skipped":
            return None
        words = WORDS.get(Verdict(data["verdict"]))
        if words is None:
            return None
        letter, word, colour = words
        return report.outcome, letter, (word, {colour: True})

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Decide and write the reports before anybody summarises, and see that no bad end looks good."""
        if self._before is not None:
            # Reporting and cleaning up is what a signal would ask for; it must not be disturbed.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self._server is not None:
            self._server.close()
        if not self._begun:
            return
        report = self._conclude()
        bad = (
            not self.book.observed
            or self._unwritten
            or (report.decision in (Decision.NO_GO, Decision.CANNOT_TELL) and self.plan.fail_on is not FailOn.NEVER)
        )
        if bad and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _conclude(self) -> Report:
        self.run.halt()
        if self._trouble is None:
            for comparison in self.run.evidence(self.book.loud):
                self.book.enter(comparison)
        old, new = self.run.old.info, self.run.new.info
        whole = self._trouble is None and self._asked and len(self.book.comparisons) >= len(self._selected)
        notes = []
        if self._trouble is not None:
            notes = [self._trouble.cause, f"→ {self._trouble.remedy}", *self._trouble.details]
        elif not whole:
            notes = [
                f"The run ended early: {len(self.book.comparisons)} of {len(self._selected)} behaviours were asked."
            ]
        if self._ids is None and (left_out := len(self.matrix) - len(self._chosen())) and self.plan.starts_stacks:
            notes.append(
                f"{left_out} behaviours that take long, or vary others, were not asked: --mailu-deep asks them too."
            )
        self.report = self.book.report(old, new, notes=notes, seconds=self.run.seconds, whole=whole)
        if self.plan.report is not None:
            try:
                write(self.plan.report, self.report, self.book.comparisons, self.book.recordings(old, new))
            except MailuError as error:
                self._unwritten = True
                self.report = replace(self.report, notes=(*self.report.notes, error.cause))
        return self.report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The decision and what it rests on."""
        if self.report is None:
            return
        terminalreporter.section("Mailu")
        writer = terminalreporter._tw
        for line in terminal.lines(self.report, writer.fullwidth, str(self.plan.report or "")):
            for span in line:
                writer.write(span.text, **dict.fromkeys(span.style, True))
            writer.line()
        github.write(self.report, os.environ, sys.stdout)

    def pytest_unconfigure(self) -> None:
        """Whatever way the session ended: there is a report, and nothing of ours stays.

        The stacks go last, so that nobody waits for their removal to read the decision.
        """
        if self._begun and self.report is None:
            self._conclude()
        self.run.close()
        atexit.unregister(self.run.close)
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
