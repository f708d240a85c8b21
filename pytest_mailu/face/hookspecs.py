"""The hooks for a project's `conftest.py`. The example in each docstring is run by the tests."""

from __future__ import annotations

import pytest

from pytest_mailu.behaviours import Matrix


@pytest.hookspec
def pytest_mailu_matrix(matrix: Matrix) -> None:
    """Change the matrix before it is collected: add, drop and regrade behaviours.

    It already holds the functions of a `conftest.py` that are decorated with `pytest_mailu.behaviour`::

        from pytest_mailu import ALICE, Observation, Outcome, Probe, Severity, Stage, behaviour
        from pytest_mailu.core.endpoints import IMAPS_993


        @behaviour("shop/993-tls/orders", wanted=Outcome.ACCEPTED, severity=Severity.CRITICAL)
        async def orders(probe: Probe) -> Observation:
            \"\"\"The shop reads its orders on port 993

            Orders stay unread.

            The shop's own manual.
            \"\"\"
            async with probe.imap(IMAPS_993) as imap:
                await imap.login(ALICE.address, ALICE.password)
            return probe.seen(Outcome.ACCEPTED, Stage.AUTH)


        def pytest_mailu_matrix(matrix):
            matrix.drop("surface/110/served")
            matrix.regrade("access/143-starttls/login", severity=Severity.MINOR)
    """
