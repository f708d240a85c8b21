"""A transport for httpx over a `Connector`: every connection goes to one host, whatever the URL's host is."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from typing import Any

import httpcore
import httpx

from pytest_mailu.core.model import Outcome, Stage, Vantage
from pytest_mailu.wire.http.forwarding import Forwarding
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import HUNG_UP, NotServed
from pytest_mailu.wire.transport.stream import LineStream
from pytest_mailu.wire.transport.tls_context import client_context
from pytest_mailu.wire.transport.transcript import Transcript


class ConnectorTransport(httpx.AsyncBaseTransport):
    """Connections to `host`, one per request; `heard` says whether the server has sent anything on the newest one.

    With `forwarding`, requests come as a reverse proxy passes them on.
    """

    def __init__(
        self,
        connector: Connector,
        host: str,
        *,
        vantage: Vantage,
        transcript: Transcript,
        timeout: float,
        sni: str | None,
        forwarding: Forwarding | None = None,
    ) -> None:
        self.heard = False
        self._connector = connector
        self._host = host
        self._vantage = forwarding.vantage if forwarding else vantage
        self._transcript = transcript
        self._timeout = timeout
        self._sni = sni
        self._forwarding = forwarding
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=client_context(), max_keepalive_connections=0, network_backend=_Backend(self)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx; as its own transport does it, but exceptions stay httpcore's."""
        self.heard = False
        scheme, port, headers = request.url.raw_scheme, request.url.port, request.headers.raw
        if self._forwarding is not None:
            headers = self._forwarding.headers(headers, scheme)
            if self._forwarding.port is not None and scheme == b"https":
                scheme, port = b"http", self._forwarding.port
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=scheme, host=request.url.raw_host, port=port, target=request.url.raw_path),
                headers=headers,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    async def connect(self, port: int) -> _Stream:
        """A connection to the one host."""
        stack = AsyncExitStack()
        stream = await stack.enter_async_context(
            LineStream.open(
                self._connector,
                self._host,
                port,
                vantage=self._vantage,
                transcript=self._transcript,
                timeout=self._timeout,
            )
        )
        return _Stream(self, stream, stack, self._sni)

    async def aclose(self) -> None:
        """Close everything that is open."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._response.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, owner: ConnectorTransport, stream: LineStream, stack: AsyncExitStack, sni: str | None) -> None:
        self._owner = owner
        self._stream = stream
        self._stack = stack
        self._sni = sni

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        try:
            data = await self._stream.some()
        except ConnectionError:
            if self._owner.heard:
                raise
            data = b""
        self._owner.heard = self._owner.heard or bool(data)
        if not self._owner.heard:
            raise NotServed(Outcome.UNANSWERED, Stage.COMMAND, HUNG_UP)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._stream.send(buffer, shown=f"({len(buffer)} bytes)")

    async def aclose(self) -> None:
        await self._stack.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        try:
            await self._stream.start_tls(ssl_context, self._sni or server_hostname)
        except BaseException:
            await self.aclose()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        return None


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, owner: ConnectorTransport) -> None:
        self._owner = owner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return await self._owner.connect(port)
