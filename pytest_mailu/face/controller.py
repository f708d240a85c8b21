"""The process that owns the run: opens both sides before the first item, reports after the last, and closes them."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import nullcontext

import pytest

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.core.errors import LINE_LIMIT, MailuError, UsageError
from pytest_mailu.core.model import Decision, FailOn, Report, Verdict
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.setups import USUAL
from pytest_mailu.core.text import show_line
from pytest_mailu.deployment.fix import write as write_proposal
from pytest_mailu.face.collection import Collection, behaviour_id, split_arguments
from pytest_mailu.face.configuration import run_info, usage_errors
from pytest_mailu.face.distribution import Distribution
from pytest_mailu.face.failures import Failures
from pytest_mailu.face.items import STATUS_WORDS, VERDICT_PROPERTY, BehaviourItem
from pytest_mailu.face.junit import add_suite_properties
from pytest_mailu.face.termination import Termination
from pytest_mailu.reports import github, terminal
from pytest_mailu.reports.folder import write
from pytest_mailu.running.reported_run import ReportedRun
from pytest_mailu.running.results import Result
from pytest_mailu.running.run import Run
from pytest_mailu.running.setup_runs import SetUpRuns


class Controller:
    """The plugin of the process that owns the run: the only one, or the controlling one of pytest-xdist."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        self._config = config
        self._plan = plan
        self._ids, paths = split_arguments(config)
        self._own_tests = bool(paths)
        config.args[:] = paths
        self._runs = SetUpRuns(plan, self._notify, run_info(config, plan), tell=self._tell)
        atexit.register(self._runs.close)
        self._interrupted = False
        self._write_error: MailuError | None = None
        self._written: list[ReportedRun] = []
        self._failures = Failures(config.get_verbosity())
        self._collection = Collection(config, self, plan.fail_on)
        self._distribution = Distribution(config, self._collection, self._runs, paths)
        config.pluginmanager.register(self._collection, "mailu-collection")
        config.pluginmanager.register(self._distribution, "mailu-distribution")
        self._termination = None if config.option.collectonly else Termination()

    def _notify(self, words: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and not self._config.option.collectonly:
            reporter.ensure_newline()
            reporter.write_line(f"mailu {show_line(words, LINE_LIMIT)}")

    def _tell(self, words: str) -> None:
        """A line about a run that is waited for, past the capture of the item that waits; none with -q."""
        if self._config.get_verbosity() < 0:
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            self._notify(words)

    @property
    def plan(self) -> Plan:
        """What the run was asked for."""
        return self._plan

    @property
    def problem(self) -> str:
        """Why the files of the deployment could not be checked; empty where they could."""
        return self._runs.first.settings.problem

    @property
    def runs(self) -> SetUpRuns:
        """The run of each set-up."""
        return self._runs

    def choose(self, matrix: Matrix) -> Sequence[Behaviour]:
        """The behaviours that the command line names, or the default of the plan.

        Raises UsageError for a name that means none, and where there is nothing to compare and no own test to run.
        """
        chosen = self._runs.take_matrix(matrix, self._ids or None)
        if not chosen and not self._own_tests and self._runs.first.default.newer:
            raise UsageError(
                "these recordings hold no behaviour that this version compares", "Make new ones with --mailu-report."
            )
        return chosen

    @property
    def files_only(self) -> bool:
        """Whether the files of a deployment are all there is to check."""
        return self._plan.check_only and self._plan.waivers is None and not self._ids

    @property
    def settings(self) -> Sequence[Behaviour]:
        """The members of the family `settings`."""
        return self._runs.first.settings.behaviours

    def result(self, id: str) -> Result:
        """Wait for the result of a behaviour."""
        return self._runs.result(id)

    def opened_run(self) -> Run:
        """For the fixtures: the run with both sides ready, even where no behaviour was selected."""
        current = self._runs.current
        try:
            current.open()
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)
        if current.failure is not None:
            pytest.fail(str(current.failure), pytrace=False)
        return current.run

    def pytest_report_header(self) -> list[str]:
        """The sides, the set-ups, and the seed where one may be needed to repeat the run."""
        seed = f", --mailu-seed {self._plan.seed}" if self._plan.starts_stacks else ""
        named = [name for name in self._runs.runs if self._runs.several or name not in USUAL]
        setups = f", set-up {', '.join(named)}" if named else ""
        return [f"mailu: {self._plan.old} → {self._plan.new}{setups}{seed}"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Without xdist: open both sides once the selection is known, and start asking."""
        option = session.config.option
        stopped = session.testsfailed and not option.continue_on_collection_errors
        chosen = [item.behaviour.id for item in session.items if isinstance(item, BehaviourItem)]
        if self._distribution.active or option.collectonly or stopped or not chosen:
            return None
        with usage_errors():
            opened = self._runs.begin(chosen)
        if not opened:
            return True
        self._runs.ask(chosen)
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take each result into the report once its item has ended, in whichever process that was."""
        id_ = behaviour_id(report.nodeid)
        if id_ is None or report.when != "call" or _verdict(report) is None:
            return
        self._runs.add(id_)
        finding = self._runs.result(id_).finding
        if report.failed and finding is not None:
            self._failures.show(report, finding)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """The verdict as the word of the item, under pytest's own categories."""
        if not isinstance(report, pytest.TestReport) or report.when != "call" or report.outcome == "skipped":
            return None
        verdict = _verdict(report)
        if verdict not in STATUS_WORDS:
            return None
        short, word, colour = STATUS_WORDS[verdict]
        return report.outcome, short, (word, {colour: True})

    def pytest_keyboard_interrupt(self) -> None:
        """The session ends by Ctrl-C, SIGTERM or `pytest.exit`: what was compared by then is reported."""
        self._interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Decide and write the reports before the summary. The exit status is never 0 where something failed."""
        if self._termination is not None:
            self._termination.ignore()
        self._distribution.close()
        self._conclude()
        good = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        for run in self._runs.begun:
            assert run.report is not None  # noqa: S101 - concluded above
            add_suite_properties(session.config, run.report, run.report.setup if self._runs.several else "")
            if session.exitstatus in good and self._failed(run, run.report):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _failed(self, run: ReportedRun, report: Report) -> bool:
        stops = report.decision in (Decision.NO_GO, Decision.CANNOT_TELL) and self._plan.fail_on is not FailOn.NEVER
        return stops or not run.results.observed or self._write_error is not None

    def _conclude(self) -> None:
        """End every run, and write what was asked for; each once."""
        for run in self._runs.conclude(interrupted=self._interrupted):
            if run in self._written:
                continue
            self._written.append(run)
            try:
                if self._plan.fix is not None and run.settings.proposal is not None:
                    write_proposal(self._plan.fix, run.settings.proposal)
                if run.plan.report is not None and run.report is not None:
                    write(run.plan.report, run.report, run.results.comparisons, run.recordings())
            except MailuError as error:
                self._write_error = error

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """The decision, below pytest's own summary, where it is seen; last, where the reports could not be written."""
        yield
        for run in self._runs.begun:
            if run.report is not None:
                self._summarize(run.report, str(run.plan.report or ""), terminalreporter)

    def _summarize(self, report: Report, folder: str, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("Mailu")
        writer = terminalreporter._tw
        shown = "" if self._write_error is not None else folder
        for line in terminal.lines(report, writer.fullwidth, shown, self._config.get_verbosity()):
            for span in line:
                writer.write(span.text, **dict.fromkeys(span.style, True))
            writer.line()
        github.write(report, os.environ, sys.stdout)
        if self._write_error is not None:
            writer.line(str(self._write_error), red=True)

    def pytest_unconfigure(self) -> None:
        """However the session ended: the report is written, and the stacks are removed.

        The stacks go last, so that the decision is on the screen before their removal.
        """
        self._conclude()
        self._runs.close()
        atexit.unregister(self._runs.close)
        if self._termination is not None:
            self._termination.restore()


def _verdict(report: pytest.TestReport) -> Verdict | None:
    """The verdict that a report of a behaviour carries."""
    if behaviour_id(report.nodeid) is None:
        return None
    found = next((value for name, value in report.user_properties if name == VERDICT_PROPERTY), None)
    return Verdict(str(found)) if found is not None else None
