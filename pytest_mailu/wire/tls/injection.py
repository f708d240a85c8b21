"""Whether a server carries out commands that stood in plain text behind STARTTLS (CVE-2011-0411, CVE-2021-33515)."""

from __future__ import annotations

from pytest_mailu.core.endpoints import Protocol
from pytest_mailu.core.model import Outcome, Stage
from pytest_mailu.wire.tls.protocols import SPOKEN, plain_session
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.transcript import Transcript


async def answers_injected(
    connector: Connector,
    host: str,
    port: int,
    protocol: Protocol,
    *,
    transcript: Transcript | None = None,
    timeout: float = 20.0,  # noqa: ASYNC109 - of each reply, not of the whole
) -> bool:
    """Whether a command sent in plain text behind STARTTLS is answered under TLS. Wanted: no.

    A handshake that the injected bytes break is as good as one that goes on without them.
    """
    spoken = SPOKEN[protocol]
    async with plain_session(protocol, connector, host, port, transcript=transcript, timeout=timeout) as session:
        session.abandon()
        await session.request_tls(spoken.injected)
        try:
            await session.stream.start_tls()
        except NotServed as error:
            if error.outcome is Outcome.TLS_FAILED:
                return False
            raise
        await session.stream.send(spoken.leave)
        return any(map(spoken.answers, await _until_closed(session.stream)))


async def _until_closed(stream: LineStream) -> list[bytes]:
    lines: list[bytes] = []
    try:
        async with stream.reply(Stage.COMMAND):
            while True:
                lines.append(await stream.line())
    except CannotAsk:
        if not lines:
            raise
    return lines
