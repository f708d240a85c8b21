"""Mailu's web site and its REST API, as a browser and a script use them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from html.parser import HTMLParser
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from pytest_mailu.core.endpoints import HTTP_80, HTTPS_443, Endpoint, Tls
from pytest_mailu.core.model import Outcome, Reply, Stage, Vantage
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.sessions import REPLY_SECONDS
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.http.forwarding import Forwarding
from pytest_mailu.wire.transport.connector import Connector
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

LOGIN = "/sso/login"
LONGEST_PAGE = 1 << 20
LONGEST_BOX = 4096
MOST_BOXES = 10
"""Characters of a page and of a box in it, and boxes, that are read."""
SECONDS = 90.0
"""The timeout of behaviours that use the web site: `admin` has two threads, and `flask mailu` makes it slow."""


class Site:
    """One browser at the web site. `admin` is the path of the administration (`WEB_ADMIN`)."""

    def __init__(self, http: HttpSession, admin: str) -> None:
        self.http = http
        self.admin = admin

    @classmethod
    @asynccontextmanager
    async def open(cls, probe: Probe, vantage: Vantage = Vantage.STRANGER) -> AsyncIterator[Site]:
        """A browser with no cookies, on HTTPS."""
        admin = setting(probe, "WEB_ADMIN", "/admin")
        async with browser(probe, HTTPS_443, vantage) as http:
            yield cls(http, admin)

    async def login(self, user: str, password: str, query: str = "") -> HttpReply:
        """Log in as the login page's form does; the redirect that follows is the reply.

        Raises `NotServed(AUTH_FAILED, AUTH)` where the form is shown again, or the redirect leads back to it.
        """
        data = {"email": user, "pw": password, "pwned": "-1", "submitAdmin": "Sign in"}
        reply = await self.http.post(LOGIN + query, data=data, follow=False)
        if reply.status == 302:
            if _leads_to_login(reply):
                raise NotServed(Outcome.AUTH_FAILED, Stage.AUTH, Reply("302", "", "redirects to the login page"))
            return reply
        outcome = Outcome.AUTH_FAILED if reply.status in (200, 401, 403) else Outcome.REFUSED
        outcome = Outcome.DEFERRED if reply.status == 429 else outcome
        raise NotServed(outcome, Stage.AUTH, Reply(str(reply.status), "", flash(reply.text)))

    async def page(self, path: str) -> HttpReply:
        """A page of the administration, or where it redirects to; `path` is behind `WEB_ADMIN`."""
        return await self.http.get(self.admin + path)

    async def inner_page(self, path: str) -> HttpReply:
        """The same for somebody who is logged in.

        Raises `NotServed(REFUSED, COMMAND)` for an error, and for the login page in its place: the session is lost.
        """
        page = await self.page(path)
        if urlsplit(page.url).path.startswith(LOGIN):
            raise _session_lost(page.chain[0].status if page.chain else page.status)
        if page.status != 200:
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(page.status), "", flash(page.text)))
        return page

    async def send_form(self, path: str, values: Mapping[str, str], leave_out: tuple[str, ...] = ()) -> HttpReply:
        """Fill in the form of a page and send it; what is not in `values` stays as the page has it.

        The reply tells little: releases answer with 200 or a redirect whether they saved something or not.
        """
        page = await self.inner_page(path)
        fields = {name: value for name, value in form(page.text).items() if name not in leave_out}
        return await self.http.post(self.admin + path, data={**fields, **values}, follow=False)

    async def save(self, path: str, values: Mapping[str, str]) -> HttpReply:
        """Fill in a form and send it, to have something saved. Whether it was has to be read back, or shown.

        Raises `NotServed(REFUSED, COMMAND)` for an error, and for a redirect to the login page: the session is lost.
        """
        reply = await self.send_form(path, values)
        if _leads_to_login(reply):
            raise _session_lost(reply.status)
        if reply.status >= 400:
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(reply.status), "", flash(reply.text)))
        return reply


def _leads_to_login(reply: HttpReply) -> bool:
    return reply.status in (301, 302, 303) and urlsplit(reply.header("location")).path.startswith(LOGIN)


def _session_lost(status: int) -> NotServed:
    said = "redirects to the login page: the session is lost"
    return NotServed(Outcome.REFUSED, Stage.COMMAND, Reply(str(status), "", said))


def forwarding(probe: Probe, endpoint: Endpoint, vantage: Vantage, client: str = "") -> Forwarding | None:
    """What the reverse proxies of the set-up make of the requests of a browser; None where there are none.

    `client` is the browser's address, by default that of the vantage.
    """
    setup, there = probe.stack.setup, probe.at(endpoint)
    proxies = setup.proxies
    port = there.port if setup.through_proxy(endpoint) else None
    if not proxies.header:
        return None if port is None else Forwarding(vantage, port)
    client, far = client or probe.address_of(vantage), probe.address_of(Vantage.FAR_PROXY)
    if there.port in proxies.ports and probe.release.reads_proxy_protocol:
        # The last proxy says in the connection whom it has it from.
        return Forwarding(vantage if proxies.in_a_row == 1 else Vantage.FAR_PROXY, port, proxies.header, (client,))
    return Forwarding(Vantage.PROXY, port, proxies.header, (client, far)[: proxies.in_a_row])


@asynccontextmanager
async def browser(
    probe: Probe,
    endpoint: Endpoint = HTTPS_443,
    vantage: Vantage = Vantage.STRANGER,
    *,
    connector: Connector | None = None,
    how: Forwarding | None = None,
) -> AsyncIterator[HttpSession]:
    """A browser's session with the web server, under Mailu's own host name.

    `connector` and `how` take the place of the set-up's, both or `how` alone.
    """
    there = probe.at(endpoint)
    async with HttpSession.open(
        connector or probe.connector,
        FRONT,
        there.port,
        tls=there.tls,
        forwarding=how if how or connector else forwarding(probe, endpoint, vantage),
        vantage=vantage,
        transcript=probe.transcript,
        timeout=REPLY_SECONDS,
        name=HOSTNAME,
    ) as http:
        yield http


class Api:
    """The REST API (`WEB_API`, version 1), with a token or without."""

    def __init__(self, http: HttpSession, root: str, token: str, scheme: str = "Bearer ") -> None:
        self._http = http
        self._root = root
        self._headers = {"Authorization": f"{scheme}{token}"} if token else {}

    @classmethod
    @asynccontextmanager
    async def open(cls, probe: Probe, token: str | None = None, scheme: str = "Bearer ") -> AsyncIterator[Api]:
        """With the server's own `API_TOKEN`, unless `token` is another one; empty sends none. `scheme` precedes it.

        A release, or settings, without the interface: `NotServed(NOT_OFFERED, COMMAND)`.
        """
        own = setting(probe, "API_TOKEN", "")
        if not probe.release.has_api or setting(probe, "API", "false", FRONT).lower() in ("false", "no", ""):
            raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND)
        probe.transcript.hide(own)
        root = setting(probe, "WEB_API", "/api")
        async with browser(probe) as http:
            yield cls(http, f"{root}/v1", own if token is None else token, scheme)

    async def ask(self, method: str, path: str, document: Any = None) -> HttpReply:
        """One request; the answer of any status is data."""
        return await self._http.request(method, self._root + path, json=document, headers=self._headers, follow=False)

    async def absolute(self, method: str, path: str) -> HttpReply:
        """One request for a path of the whole site, such as one that a page of the interface names."""
        return await self._http.request(method, path, headers=self._headers, follow=False)

    async def send(self, method: str, path: str, content: bytes, kind: str) -> HttpReply:
        """One request with any body of any content type; the answer of any status is data."""
        headers = {**self._headers, "Content-Type": kind}
        return await self._http.request(method, self._root + path, content=content, headers=headers, follow=False)


def setting(probe: Probe, name: str, default: str, service: str = "admin") -> str:
    """A setting as a service has it in its environment."""
    return probe.services.environment(service).get(name, "").strip() or default


def local(probe: Probe, location: str) -> str:
    """The target of a redirect without the site's own name, which may be written or left out."""
    plain = probe.at(HTTPS_443).tls is Tls.NONE and not probe.stack.setup.through_proxy(HTTPS_443)
    site = ("http", HTTP_80.port) if plain else ("https", HTTPS_443.port)
    return re.sub(rf"^{site[0]}://{re.escape(HOSTNAME)}(:{site[1]})?(?=/)", "", location)


def said(reply: HttpReply) -> str:
    """The message in a reply of the REST API, on one line."""
    try:
        document = reply.json()
    except CannotAsk:
        return ""
    return show_line(str(document.get("message", "")), TEXT_LIMIT) if isinstance(document, dict) else ""


def form(page: str) -> dict[str, str]:
    """The fields of a page's forms as a browser would send them unchanged."""
    found = _Fields()
    try:
        found.feed(page[:LONGEST_PAGE])
    except Exception as error:  # HTMLParser's own, for markup that makes no sense
        raise CannotAsk(f"a page whose forms cannot be read: {show_line(str(error), 80)}") from error
    return found.fields


def flash(page: str) -> str:
    """The text of a page's message boxes, without markup."""
    words = (_text(box[:LONGEST_BOX]) for box in islice(_between(page, '<div class="alert', "</div>"), MOST_BOXES))
    return show_line("; ".join(filter(None, words)), TEXT_LIMIT)


def _between(text: str, begin: str, end: str) -> Iterator[str]:
    """What stands between the two, from left to right; each character is looked at a fixed number of times."""
    stop = 0
    while (start := text.find(begin, stop)) >= 0 and (stop := text.find(end, start)) >= 0:
        yield text[start + len(begin) : stop]


def _text(box: str) -> str:
    inside = box.partition(">")[2]
    return " ".join(unescape(_without(_without(inside, "<button", "</button>"), "<", ">")).split())


def _without(text: str, begin: str, end: str) -> str:
    kept, position = [], 0
    while (start := text.find(begin, position)) >= 0 and (stop := text.find(end, start)) >= 0:
        kept.append(text[position:start])
        position = stop + len(end)
    return " ".join([*kept, text[position:]])


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._area = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        kind = given.get("type", "text")
        if tag == "input" and name and kind not in ("submit", "button", "file"):
            if kind not in ("checkbox", "radio"):
                self.fields[name] = given.get("value", "")
            elif "checked" in given:
                self.fields[name] = given.get("value", "on")
        elif tag == "textarea":
            self._area = name
            self.fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data
