"""One look at a port: what a run asks again where many behaviours found nobody listening there."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import Behaviour
from pytest_mailu.core.model import Observation, Outcome, Question, Severity, Stage, Vantage
from pytest_mailu.core.transcript import Connection, Event, Kind
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.connector import REFUSED, dial


def closed_port(seen: Observation) -> Connection | None:
    """The port at which an attempt ended since nobody listens there, and nothing else was seen; None for other ends."""
    if seen.outcome is not Outcome.UNREACHABLE or seen.facts or seen.reply is None or seen.reply.text != REFUSED:
        return None
    match seen.transcript[-2:]:
        case [Event(kind=Kind.CONNECT, detail=Connection() as port), Event(kind=Kind.END)]:
            return port
    return None


def port_look(port: Connection) -> Behaviour:
    """Whether a port is served: a behaviour that is in no matrix."""

    async def ask(probe: Probe) -> Observation:
        probe.transcript.note("one look at the port for all that is behind it")
        there = await dial(
            probe.connector, port.host, port.port, vantage=Vantage(port.vantage), transcript=probe.transcript
        )
        there.close()
        return probe.seen(Outcome.ACCEPTED, Stage.CONNECT)

    words = f"port {port.port} of {port.host}"
    question = Question(f"port/{port.port}", words, words, "RFC 9293", Outcome.ACCEPTED, Severity.INFO)
    return Behaviour(question, ask)
