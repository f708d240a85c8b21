"""An HTTP client on httpx, through a connector; it follows redirects by its own rules (RFC 9110, RFC 6265)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.json_text import read_json
from pytest_mailu.core.model import Outcome, Stage, Vantage
from pytest_mailu.core.text import show_line
from pytest_mailu.wire.http.forwarding import Forwarding
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.reader import MIB
from pytest_mailu.wire.transport.transcript import Transcript

if TYPE_CHECKING:
    import httpx

    from pytest_mailu.wire.http.transport import ConnectorTransport

MAX_BODY = 4 * MIB
MAX_REDIRECTS = 10
LONGEST_HEADER = 16_384
"""Characters of one header that are kept; all headers of an answer have 100 KiB (h11)."""
LONGEST_COOKIE = 4096
"""Bytes that browsers take (RFC 6265 section 6.1)."""
_REDIRECTS = {301, 302, 303, 307, 308}
_KEEP_METHOD = {307, 308}


@dataclass(frozen=True, slots=True)
class Hop:
    """One redirect: the address asked for, the status, and the Location header as the server wrote it."""

    url: str
    status: int
    location: str


@dataclass(frozen=True, slots=True)
class HttpReply:
    """The last answer. `url` is its address, `chain` the redirects before it; header names are in lower case.

    A redirect that was not followed (to another host, or one too many) is the last answer itself.
    """

    status: int
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    chain: tuple[Hop, ...] = ()

    @property
    def text(self) -> str:
        """The body as UTF-8; invalid bytes are escaped."""
        return self.body.decode("utf-8", "backslashreplace")

    @property
    def looped(self) -> bool:
        """Whether the limit of redirects was reached."""
        return len(self.chain) >= MAX_REDIRECTS

    def header(self, name: str) -> str:
        """The header's values joined by commas; empty without any."""
        return ", ".join(value for key, value in self.headers if key == name.lower())

    def json(self) -> Any:
        """The body as JSON. Raises `CannotAsk` when it is none."""
        try:
            return read_json(self.body)
        except ValueError as error:
            raise CannotAsk(f"the answer of {self.url} is not JSON: {show_line(self.body, 60)!r}") from error

    @property
    def cookies(self) -> dict[str, dict[str, str]]:
        """The cookies that this answer sets: their attributes by name. Values are left out: they are secrets."""
        found: dict[str, dict[str, str]] = {}
        for key, value in self.headers:
            if key != "set-cookie" or len(value) > LONGEST_COOKIE:
                continue
            jar = SimpleCookie()
            try:
                jar.load(value)
            except CookieError:
                continue
            for name, morsel in jar.items():
                found[name] = {key: str(value) for key, value in morsel.items() if value and key not in ("expires",)}
        return found


Cookies: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values."""


class HttpSession:
    """A browser's session: cookies are kept from one request to the next."""

    def __init__(self, client: httpx.AsyncClient, transport: ConnectorTransport, *, transcript: Transcript) -> None:
        self.transcript = transcript
        self._client = client
        self._transport = transport

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        connector: Connector,
        host: str,
        port: int,
        *,
        tls: Tls = Tls.IMPLICIT,
        vantage: Vantage = Vantage.STRANGER,
        transcript: Transcript | None = None,
        timeout: float = 20.0,  # noqa: ASYNC109 - of each request, not of the whole
        name: str | None = None,
        sni: str | None = None,
        forwarding: Forwarding | None = None,
    ) -> AsyncIterator[HttpSession]:
        """A session with the web server at `host`; `name` is what URLs and the Host header call it (default: `host`).

        Nothing is connected before the first request. `sni` is the TLS server name (default: `name`). With
        `forwarding`, what reaches `port` is what a reverse proxy makes of the requests. Where it ends TLS, the browser
        is on HTTPS whatever `tls` says, and the URLs do not name the port.
        """
        # httpx and what it rests on take a while to import; two recordings do not need it.
        import httpx

        from pytest_mailu.wire.http.transport import ConnectorTransport

        transcript = transcript or Transcript()
        transport = ConnectorTransport(
            connector,
            host,
            vantage=vantage,
            transcript=transcript,
            timeout=timeout,
            sni=sni,
            forwarding=forwarding,
        )
        ended = forwarding is not None and forwarding.port is not None
        scheme = "http" if tls is Tls.NONE and not ended else "https"
        async with httpx.AsyncClient(
            transport=transport,
            base_url=f"{scheme}://{name or host}" + ("" if ended else f":{port}"),
            headers={"accept-encoding": "identity", "user-agent": "pytest-mailu"},
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
        ) as client:
            yield cls(client, transport, transcript=transcript)

    @property
    def cookies(self) -> Cookies:
        """The cookies kept so far. They are secrets."""
        return tuple((one.name, one.value or "") for one in self._client.cookies.jar)

    def bring(self, cookies: Cookies) -> None:
        """Send these cookies from another session of the same server as well."""
        for name, value in cookies:
            self._client.cookies.set(name, value)

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, follow: bool = True) -> HttpReply:
        """GET a path or a URL."""
        return await self.request("GET", url, headers=headers, follow=follow)

    async def post(
        self,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> HttpReply:
        """POST a form (`data`), JSON, or bytes."""
        return await self.request("POST", url, data=data, json=json, content=content, headers=headers, follow=follow)

    async def request(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> HttpReply:
        """Any method. Redirects are followed while they lead to the same host, at most ten of them.

        An answer of any status is data. No answer at all: `NotServed(UNANSWERED, COMMAND)`; half an answer, rubbish or
        a body of more than 4 MiB: `CannotAsk`.
        """
        request = self._client.build_request(method, url, data=data, json=json, content=content, headers=headers)
        chain: list[Hop] = []
        while True:
            reply = await self._once(request, tuple(chain))
            target = self._target(request, reply) if follow and len(chain) < MAX_REDIRECTS else None
            if target is None:
                return reply
            chain.append(Hop(str(request.url), reply.status, show_line(reply.header("location"), 1000)))
            again = reply.status in _KEEP_METHOD
            request = self._client.build_request(
                request.method if again or request.method == "HEAD" else "GET",
                target,
                content=request.content if again else None,
                headers=headers,
            )

    def _target(self, request: httpx.Request, reply: HttpReply) -> httpx.URL | None:
        """The address that the answer redirects to, if it is on the same host."""
        import httpx

        location = reply.header("location")
        if reply.status not in _REDIRECTS or not location:
            return None
        try:
            target = request.url.join(location)
        except (httpx.InvalidURL, ValueError):
            return None
        own = target.scheme in ("http", "https") and target.host == request.url.host
        return target if own else None

    async def _once(self, request: httpx.Request, chain: tuple[Hop, ...]) -> HttpReply:
        self.transcript.client(f"{request.method} {request.url}")
        seconds = self._client.timeout.read
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.send(request, stream=True)
                try:
                    body = await _body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            if self._transport.heard:
                raise CannotAsk(f"half an answer, then nothing more within {seconds:g} s") from None
            raise NotServed(Outcome.UNANSWERED, Stage.COMMAND) from None
        except (NotServed, CannotAsk):
            raise
        except Exception as error:  # httpcore's, httpx's, h11's, and those of the cookie jar
            reason = show_line(str(error) or type(error).__name__, 120)
            raise CannotAsk(f"not an HTTP answer to {request.method} {request.url}: {reason}") from error
        headers = tuple(
            (show_line(key, LONGEST_HEADER).lower(), show_line(value, LONGEST_HEADER))
            for key, value in response.headers.raw
        )
        reply = HttpReply(response.status_code, str(request.url), headers, body, chain)
        self.transcript.server(f"{reply.status} {reply.header('location')} ({len(body)} bytes)")
        return reply


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_BODY:
            raise CannotAsk(f"an answer of more than {MAX_BODY} bytes")
    return bytes(body)
