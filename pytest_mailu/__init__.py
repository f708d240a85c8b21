"""Runs two Mailu releases side by side and says what an upgrade would break.

What a project's `conftest.py` needs to declare behaviours of its own can be imported from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mailu.core.version import __version__

_HOMES = {
    "pytest_mailu.behaviours": ("behaviour", "Matrix"),
    "pytest_mailu.core.model": ("Direction", "Observation", "Outcome", "Reply", "Severity", "Stage", "Vantage"),
    "pytest_mailu.core.endpoints": ("Endpoint", "Protocol", "Tls"),
    "pytest_mailu.core.population": ("ALICE", "BOB", "CAROL", "DOMAIN", "ELSEWHERE", "own_mailbox"),
    "pytest_mailu.probe.probe": ("Probe",),
}

__all__ = ["__version__", *(name for names in _HOMES.values() for name in names)]  # noqa: PLE0604

if TYPE_CHECKING:
    from pytest_mailu.behaviours import Matrix, behaviour
    from pytest_mailu.core.endpoints import Endpoint, Protocol, Tls
    from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage, Vantage
    from pytest_mailu.core.population import ALICE, BOB, CAROL, DOMAIN, ELSEWHERE, own_mailbox
    from pytest_mailu.probe.probe import Probe


def __getattr__(name: str) -> Any:
    """Import on first use: a pytest run that is not about Mailu pays nothing for this plugin."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
