"""The set-up of a fault: one of the plugin's own, with the optional services that run beside it."""

from __future__ import annotations

from pytest_mailu.core.setups import SetUp, setup_named
from tests.lab.faults import Fault


def setup_of(fault: Fault) -> SetUp:
    """The set-up that a fault belongs to."""
    return setup_named(fault.setup).with_services(fault.services)


def name_of(setup: SetUp) -> str:
    """A name for files that no other set-up of the lab has."""
    return "-".join([setup.name, *sorted(setup.services)])
