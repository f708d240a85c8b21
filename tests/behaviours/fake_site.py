"""A web site on a real socket that saves what it is sent, shows the form again, or loses its sessions."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs

from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.stack.world.certificates import certificate

LOGIN_PAGE = "/sso/login"


class Manner(StrEnum):
    """What the site does with a form that changes something."""

    SAVES = "saves"
    SAYS_IT_SAVED = "says it saved"
    """200, the form again and good words; nothing is saved."""
    FORM_AGAIN = "form again"
    LOSES_SESSION = "loses session"
    """A redirect to the login page, as after a session that was forgotten."""


@dataclass
class FakeSite:
    """Mailu's web site as far as behaviours that change something use it."""

    manner: Manner
    values: dict[str, str] = field(default_factory=lambda: {"displayed_name": ""})
    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    created: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    port: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the request that is being answered, by name in lower case."""
    body: str = ""

    def answer(self, method: str, path: str, data: dict[str, str]) -> tuple[int, str, str]:
        """Status, location and body."""
        self.asked.append(f"{method} {path}")
        if path.startswith(LOGIN_PAGE):
            return (302, "/admin/", "") if method == "POST" else (200, "", "Log in")
        place = path.removeprefix("/admin")
        if method == "GET":
            return 200, "", self._page(place)
        if self.manner is Manner.LOSES_SESSION:
            return 302, f"{LOGIN_PAGE}?next=ui.x", ""
        if self.manner is not Manner.SAVES:
            said = "Settings updated" if self.manner is Manner.SAYS_IT_SAVED else "No."
            return 200, "", f'<div class="alert">{said}</div>{self._page(place)}'
        self._take(place, data)
        return (200, "", self._page(place)) if place == "/user/settings" else (302, "/admin/", "")

    def _page(self, place: str) -> str:
        if place == "/token/list":
            rows = (f'<td>{escape(text)}</td><a href="/admin/token/delete/{n}">' for n, text in self.tokens.items())
            return "".join(rows)
        fields = {"csrf_token": "abc", "raw_password": "0123456789abcdef", **self.values}
        return "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in fields.items())

    def _take(self, place: str, data: dict[str, str]) -> None:
        if place == "/user/settings":
            self.values["displayed_name"] = data["displayed_name"]
        elif place == "/user/password":
            self.passwords = {"now": data["pw"]}
        elif place == "/token/create":
            self.tokens[str(len(self.tokens) + 1)] = data["comment"]
        elif place.startswith("/token/delete/"):
            del self.tokens[place.rpartition("/")[2]]
        else:
            self.created.add(data["localpart"])

    @asynccontextmanager
    async def serving(self, tmp_path: object) -> AsyncIterator[FakeSite]:
        """The site under `HOSTNAME`'s certificate, at `port` of 127.0.0.1."""
        own = certificate(HOSTNAME)
        file = f"{tmp_path}/site.pem"
        with open(file, "w", encoding="utf-8") as both:
            both.write(own.key + own.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split()
                headers = {}
                while (header := (await reader.readline()).decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
                self.headers, self.body = headers, body
                data = {name: values[-1] for name, values in parse_qs(body, keep_blank_values=True).items()}
                status, location, text = self.answer(method, path, data)
                content = text.encode()
                answer = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(content)}"]
                answer += [f"Location: {location}"] if location else []
                writer.write("\r\n".join([*answer, "", ""]).encode() + content)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
