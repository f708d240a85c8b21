"""The process that owns the run: opens both sides before the first item, reports after the last, and closes them."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Generator, Sequence

import pytest

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.core.errors import MailuError, UsageError
from pytest_mailu.core.model import Decision, FailOn, Report, Verdict
from pytest_mailu.core.plan import Plan
from pytest_mailu.deployment.fix import write as write_proposal
from pytest_mailu.face.collection import Collection, behaviour_id, split_arguments
from pytest_mailu.face.configuration import run_info, usage_errors
from pytest_mailu.face.distribution import Distribution
from pytest_mailu.face.items import STATUS_WORDS, VERDICT_PROPERTY, BehaviourItem
from pytest_mailu.face.junit import add_suite_properties
from pytest_mailu.face.termination import Termination
from pytest_mailu.reports import github, terminal
from pytest_mailu.reports.folder import write
from pytest_mailu.running.reported_run import Phase, ReportedRun
from pytest_mailu.running.results import Result
from pytest_mailu.running.run import Run
from pytest_mailu.running.selection import Selection


class Controller:
    """The plugin of the process that owns the run: the only one, or the controlling one of pytest-xdist."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        self._config = config
        self._plan = plan
        self._ids, paths = split_arguments(config)
        self._own_tests = bool(paths)
        config.args[:] = paths
        self._reported = ReportedRun(plan, self._notify, run_info(config, plan))
        atexit.register(self._reported.close)
        self._write_error: MailuError | None = None
        self._collection = Collection(config, self, plan.fail_on)
        self._distribution = Distribution(config, self._collection, self._reported, paths)
        config.pluginmanager.register(self._collection, "mailu-collection")
        config.pluginmanager.register(self._distribution, "mailu-distribution")
        self._termination = None if config.option.collectonly else Termination()

    def _notify(self, words: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and not self._config.option.collectonly:
            reporter.ensure_newline()
            reporter.write_line(f"mailu {words}")

    @property
    def plan(self) -> Plan:
        """What the run was asked for."""
        return self._plan

    @property
    def problem(self) -> str:
        """Why the files of the deployment could not be checked; empty where they could."""
        return self._reported.settings.problem

    @property
    def left_out(self) -> Selection:
        """What is not compared by default."""
        return self._reported.default

    def choose(self, matrix: Matrix) -> Sequence[Behaviour]:
        """The behaviours that the command line names, or the default of the plan.

        Raises UsageError for a name that means none, and where there is nothing to compare and no own test to run.
        """
        chosen = self._reported.take_matrix(matrix, self._ids or None)
        if not chosen and not self._own_tests and self._reported.default.newer:
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
        return self._reported.settings.behaviours

    def result(self, id: str) -> Result:
        """Wait for the result of a behaviour."""
        return self._reported.result(id)

    def opened_run(self) -> Run:
        """For the fixtures: the run with both sides ready, even where no behaviour was selected."""
        try:
            self._reported.open()
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)
        if self._reported.failure is not None:
            pytest.fail(str(self._reported.failure), pytrace=False)
        return self._reported.run

    def pytest_report_header(self) -> list[str]:
        """The sides, and the seed where one may be needed to repeat the run."""
        seed = f", --mailu-seed {self._plan.seed}" if self._plan.starts_stacks else ""
        return [f"mailu: {self._plan.old} → {self._plan.new}{seed}"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Without xdist: open both sides once the selection is known, and start asking."""
        option = session.config.option
        stopped = session.testsfailed and not option.continue_on_collection_errors
        chosen = [item.behaviour.id for item in session.items if isinstance(item, BehaviourItem)]
        if self._distribution.active or option.collectonly or stopped or not chosen:
            return None
        with usage_errors():
            opened = self._reported.begin(chosen)
        if not opened:
            return True
        self._reported.ask(chosen)
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take each result into the report once its item has ended, in whichever process that was."""
        id_ = behaviour_id(report.nodeid)
        if id_ is not None and report.when == "call" and _verdict(report) is not None:
            self._reported.add(id_)

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

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Decide and write the reports before the summary. The exit status is never 0 where something failed."""
        if self._termination is not None:
            self._termination.ignore()
        self._distribution.close()
        if self._reported.phase is Phase.IDLE:
            return
        report = self._reported.report or self._conclude()
        add_suite_properties(session.config, report)
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and self._failed(report):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _failed(self, report: Report) -> bool:
        stops = report.decision in (Decision.NO_GO, Decision.CANNOT_TELL) and self._plan.fail_on is not FailOn.NEVER
        return stops or not self._reported.results.observed or self._write_error is not None

    def _conclude(self) -> Report:
        report = self._reported.conclude()
        if self._plan.fix is not None and self._reported.settings.proposal is not None:
            try:
                write_proposal(self._plan.fix, self._reported.settings.proposal)
            except MailuError as error:
                self._write_error = error
        if self._plan.report is not None:
            try:
                write(self._plan.report, report, self._reported.results.comparisons, self._reported.recordings())
            except MailuError as error:
                self._write_error = error
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """The decision, below pytest's own summary, where it is seen; last, where the reports could not be written."""
        yield
        if self._reported.report is not None:
            self._summarize(self._reported.report, terminalreporter)

    def _summarize(self, report: Report, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("Mailu")
        writer = terminalreporter._tw
        folder = "" if self._write_error is not None else str(self._plan.report or "")
        for line in terminal.lines(report, writer.fullwidth, folder, self._config.get_verbosity()):
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
        if self._reported.phase in (Phase.BEGUN, Phase.ASKING):
            self._conclude()
        self._reported.close()
        atexit.unregister(self._reported.close)
        if self._termination is not None:
            self._termination.restore()


def _verdict(report: pytest.TestReport) -> Verdict | None:
    """The verdict that a report of a behaviour carries."""
    if behaviour_id(report.nodeid) is None:
        return None
    found = next((value for name, value in report.user_properties if name == VERDICT_PROPERTY), None)
    return Verdict(str(found)) if found is not None else None
