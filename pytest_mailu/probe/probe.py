"""What a behaviour works with: sessions with one side's server, messages, evidence and observations."""

from __future__ import annotations

from pytest_mailu.core.releases import Release
from pytest_mailu.probe.evidence import Evidence
from pytest_mailu.probe.mail import Mail
from pytest_mailu.probe.observations import Observations
from pytest_mailu.probe.running_stack import RunningStack, Services
from pytest_mailu.probe.sessions import Sessions
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.transcript import Transcript


class Probe(Sessions, Observations):
    """Asks one behaviour of one side, once.

    `mail` sends messages and proves what became of them; `evidence` is what services logged; `stack` is the side's
    stack. `started` is when the probe began, in seconds since the epoch.
    """

    def __init__(self, stack: RunningStack, started: float) -> None:
        Sessions.__init__(self, stack, Transcript())
        Observations.__init__(self, stack)
        self.mail = Mail(self, self, started)
        self.evidence = Evidence(stack, started)

    @property
    def release(self) -> Release:
        """What is under test."""
        return self.stack.release

    @property
    def world(self) -> World:
        """The world's control: scripted replies, arrivals, DNS."""
        return self.stack.world

    @property
    def services(self) -> Services:
        """The stack's services from inside: commands, environment, logs; paused or stopped for a while."""
        return self.stack.services
