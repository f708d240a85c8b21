"""A client's session with a scripted server."""

from __future__ import annotations

import asyncio
from typing import Any

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.wire.transport.transcript import Transcript
from tests.wire.direct import DirectConnector
from tests.wire.peer import Step, peer, silence


def talk(session: Any, then, *script: Step, transcript: Transcript | None = None) -> Any:
    """What `then(session)` gives with such a peer, which must have heard what it expected."""

    async def run():
        async with peer(*script, silence) as served:
            opening = session.open(
                DirectConnector(), "127.0.0.1", served.port, tls=Tls.NONE, timeout=5, transcript=transcript
            )
            async with asyncio.timeout(30), opening as opened:
                # Whoever leaves is answered by nobody here.
                opened._over = True
                result = await then(opened)
            await served.left.wait()
            assert served.surprises == []
            return result

    return asyncio.run(run())
