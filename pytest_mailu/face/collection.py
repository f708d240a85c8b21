"""The matrix in pytest's collection: filled from the package and the conftest files, in front of the user's tests."""

from __future__ import annotations

import re
import traceback
from collections.abc import Generator, Sequence
from typing import Protocol

import pytest

from pytest_mailu.behaviours import Behaviour, Matrix, built_in, declared_in
from pytest_mailu.core.errors import MailuError, UsageError
from pytest_mailu.core.model import FailOn
from pytest_mailu.face.configuration import usage_errors
from pytest_mailu.face.items import ROOT, BehaviourFailed, BehaviourItem, MatrixCollector
from pytest_mailu.face.markers import check_expression, known_values
from pytest_mailu.running.results import Result

_ID = re.compile(rf"(?:[^:]*/)?{ROOT}::(?P<id>.+)")
"""An id as pytest prints it. From another folder than the root folder, pytest prints the path to there first."""


class Source(Protocol):
    """What the collection asks for behaviours and their results: the controller, or a worker of pytest-xdist."""

    def choose(self, matrix: Matrix) -> Sequence[Behaviour]:
        """The behaviours to collect, in order. Raises UsageError where one that was named does not exist."""

    def result(self, id: str) -> Result:
        """Wait for the result of a behaviour."""

    @property
    def files_only(self) -> bool:
        """Whether nothing but the files of a deployment is checked, and nothing names another behaviour."""

    @property
    def settings(self) -> Sequence[Behaviour]:
        """The members of the family `settings`, which the files of the deployment make up."""


class Collection:
    """The plugin that puts the matrix in front of everything else that a session collects."""

    def __init__(self, config: pytest.Config, source: Source, fail_on: FailOn) -> None:
        self._config = config
        self._source = source
        self._fail_on = fail_on
        self._chosen: Sequence[Behaviour] | None = None

    @property
    def chosen(self) -> Sequence[Behaviour]:
        """The behaviours to collect. The first access fills the matrix.

        It holds the built-in behaviours, then those of the conftest files, then what the hooks change. Raises
        UsageError where these do not fit together, or where an id, a waiver or `-m` names what does not exist.
        """
        if self._chosen is None:
            # What the package declares takes a second to import; a check of files alone needs its ids for waivers only.
            needed = not self._source.files_only or self._config.hook.pytest_mailu_matrix.get_hookimpls()
            matrix = built_in() if needed else Matrix()
            matrix.add(*self._source.settings)
            # In the order of their registration: every process of xdist has to collect the same.
            for plugin in dict.fromkeys(plugin for _, plugin in self._config.pluginmanager.list_name_plugin()):
                if getattr(plugin, "__file__", None):
                    matrix.add(*declared_in(plugin))
            self._call_hooks(matrix)
            if needed:
                check_expression(self._config.option.markexpr, known_values(tuple(matrix)))
            self._chosen = self._source.choose(matrix)
        return self._chosen

    def _call_hooks(self, matrix: Matrix) -> None:
        try:
            self._config.hook.pytest_mailu_matrix(matrix=matrix)
        except MailuError:
            raise
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            raise UsageError(
                f"pytest_mailu_matrix failed: {type(error).__name__}: {error}",
                f"Correct the hook: {frame.filename}, line {frame.lineno}.",
            ) from error

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the matrix in front of the session's other collectors."""
        report = yield
        if isinstance(collector, pytest.Session) and report.outcome == "passed":
            with usage_errors():
                matrix = MatrixCollector.from_parent(
                    collector,
                    name=ROOT,
                    nodeid=ROOT,
                    behaviours=self.chosen,
                    result=self._source.result,
                    fail_on=self._fail_on,
                )
            report.result = [matrix, *report.result]
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Make a waived failure an expected one (xfailed)."""
        report = yield
        error = call.excinfo.value if call.excinfo is not None else None
        if isinstance(item, BehaviourItem) and isinstance(error, BehaviourFailed) and error.finding.waiver is not None:
            report.outcome = "skipped"
            report.wasxfail = f"waived: {error.finding.waiver.reason}"
        return report


def behaviour_id(text: str) -> str | None:
    """The behaviour that an argument or a node id names; None where it names something else."""
    found = _ID.fullmatch(text)
    return found["id"] if found is not None else None


def split_arguments(config: pytest.Config) -> tuple[list[str], list[str]]:
    """The behaviours that the command line names, each once, and its other arguments.

    Without arguments pytest falls back to `testpaths` or the current folder; these do not count as arguments.
    """
    ids = dict.fromkeys(id_ for arg in config.args if (id_ := behaviour_id(arg)) is not None)
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return list(ids), [arg for arg in config.args if behaviour_id(arg) is None] if named else []
