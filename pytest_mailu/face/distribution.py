"""The controlling process under pytest-xdist: it collects nothing itself, and serves the results to the workers."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.serialization import plain
from pytest_mailu.face.collection import Collection, behaviour_id
from pytest_mailu.face.configuration import usage_errors
from pytest_mailu.face.xdist_channel import ResultServer
from pytest_mailu.running.setup_runs import SetUpRuns


class _Node(Protocol):
    """The part of xdist's `WorkerController` that is used here."""

    workerinput: dict[str, Any]


class Distribution:
    """The plugin that opens both sides before xdist starts its workers. Without xdist it does nothing."""

    def __init__(self, config: pytest.Config, collection: Collection, runs: SetUpRuns, paths: list[str]) -> None:
        self._config = config
        self._collection = collection
        self._runs = runs
        self._paths = paths
        self._server: ResultServer | None = None

    @property
    def active(self) -> bool:
        """Whether workers are served."""
        return self._server is not None

    def pytest_sessionstart(self) -> None:
        """Open both sides before the workers start."""
        if not self._config.pluginmanager.has_plugin("dsession"):
            return
        with usage_errors():
            if self._runs.several:
                raise UsageError(
                    "several set-ups are compared one after the other", "Leave out -n, or name one set-up."
                )
            # The choice of behaviours comes first: a mistake in it is a usage error, and costs no stack.
            assert self._collection.chosen is not None  # noqa: S101
            opened = self._runs.begin()
        if not opened:
            pytest.exit(str(self._runs.current.failure), returncode=pytest.ExitCode.TESTS_FAILED)
        self._server = ResultServer(self._runs.result)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: _Node) -> None:
        """Tell a worker what to collect and where the results are."""
        assert self._server is not None  # noqa: S101 - made at the start of the session
        setup = self._runs.first.run.setup
        node.workerinput["mailu"] = {
            "ids": [behaviour.id for behaviour in self._collection.chosen],
            "paths": self._paths,
            "address": self._server.address,
            "settings": [plain(note.question) for note in self._runs.first.settings.notes.values()],
            "setup": (setup.name, {**setup.settings, "WEBMAIL": setup.web_mails[0]}, sorted(setup.services)),
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Ask what the first worker has collected; all workers collect the same."""
        self._runs.ask([found for id_ in ids if (found := behaviour_id(id_)) is not None])

    def close(self) -> None:
        """Serve no more results."""
        if self._server is not None:
            self._server.close()
