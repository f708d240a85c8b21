"""One of pytest-xdist's worker processes: it collects the matrix, and gets the results from the controller."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.model import Question
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.serialization import structured
from pytest_mailu.core.setups import setup_of_side
from pytest_mailu.face.collection import Collection
from pytest_mailu.face.xdist_channel import ResultClient
from pytest_mailu.running.results import Result
from pytest_mailu.running.run import Run
from pytest_mailu.running.settings_check import as_behaviour


class Worker:
    """The plugin of a worker process."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        given = config.workerinput["mailu"]  # type: ignore[attr-defined]  # set by xdist
        config.args[:] = given["paths"]
        self._ids: list[str] = given["ids"]
        self._address = given["address"]
        self._setup = setup_of_side(*given["setup"])
        self._questions = [structured(question, Question) for question in given["settings"]]
        self._client: ResultClient | None = None
        config.pluginmanager.register(Collection(config, self, plan.fail_on), "mailu-collection")

    def choose(self, matrix: Matrix) -> Sequence[Behaviour]:
        """What the controller has chosen."""
        here = Matrix(in_setup(matrix, self._setup).answered)
        return [here[id_] for id_ in self._ids]

    @property
    def files_only(self) -> bool:
        """The controller has chosen; the whole matrix does no harm."""
        return False

    @property
    def settings(self) -> Sequence[Behaviour]:
        """What the controller found in the files of the deployment."""
        return [as_behaviour(question) for question in self._questions]

    def result(self, id: str) -> Result:
        """Ask the controller, and wait."""
        if self._client is None:
            self._client = ResultClient(self._address)
        result: Result = self._client.ask(id)
        return result

    def opened_run(self) -> Run:
        """For the fixtures: a worker has no run."""
        pytest.fail(
            "the fixtures mailu_old and mailu_new need the process that owns the stacks: run without -n", pytrace=False
        )

    def pytest_sessionfinish(self) -> None:
        """Close the connection to the controller."""
        if self._client is not None:
            self._client.close()
