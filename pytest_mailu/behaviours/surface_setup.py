"""How mail programs find their settings: by trying ports, and by configuration documents."""

from __future__ import annotations

import plistlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from xml.parsers.expat import ExpatError

from pytest_mailu.behaviours.common import logged_in
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import MAILBOX, WEB
from pytest_mailu.core.endpoints import (
    HTTPS_443,
    IMAP_143,
    IMAPS_993,
    POP3_110,
    POP3S_995,
    Protocol,
    PublishedEndpoint,
    Tls,
)
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ALICE, HOSTNAME
from pytest_mailu.core.text import whole_number
from pytest_mailu.probe.admin_site import browser
from pytest_mailu.probe.markup import xml
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import HttpReply, HttpSession
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

READING = {"imap": (IMAP_143, IMAPS_993), "pop3": (POP3_110, POP3S_995)}
PROTOCOLS = {"imap": Protocol.IMAP, "pop3": Protocol.POP3, "smtp": Protocol.SUBMISSION}
OUTLOOK_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
OUTLOOK_REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">'
    f"<Request><EMailAddress>{ALICE.address}</EMailAddress>"
    f"<AcceptableResponseSchema>{OUTLOOK_SCHEMA}</AcceptableResponseSchema></Request></Autodiscover>"
)


@dataclass(frozen=True, slots=True)
class Server:
    """One server in a configuration document. `protocol` is imap, pop3 or smtp."""

    protocol: str
    host: str
    port: int
    tls: Tls

    def __str__(self) -> str:
        return f"{self.protocol} {self.host}:{self.port} {self.tls}"


def thunderbird(text: str) -> list[Server]:
    """Servers in a document of Mozilla's format 1.1 (wiki.mozilla.org/Thunderbird:Autoconfiguration)."""
    kinds = {"SSL": Tls.IMPLICIT, "STARTTLS": Tls.STARTTLS, "plain": Tls.NONE}
    return [
        Server(
            server.get("type", ""),
            server.findtext("hostname", ""),
            whole_number(server.findtext("port", "").strip()) or 0,
            kinds.get(server.findtext("socketType", "plain"), Tls.NONE),
        )
        for kind in ("incomingServer", "outgoingServer")
        for server in xml(text).iter(kind)
    ]


def outlook(text: str) -> list[Server]:
    """Servers in an Autodiscover reply of Exchange's POX form (MS-OXDSCLI section 2.2.4)."""
    servers = []
    for element in xml(text).iter():
        if element.tag.endswith("}Protocol"):
            said = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in element}
            implicit = said.get("SSL", "on") == "on" and said.get("Encryption", "SSL") != "TLS"
            tls = Tls.IMPLICIT if implicit else Tls.STARTTLS
            servers.append(
                Server(
                    said.get("Type", "").lower(), said.get("Server", ""), whole_number(said.get("Port", "")) or 0, tls
                )
            )
    return servers


def apple(text: str) -> list[Server]:
    """Servers in the mail payload of an Apple configuration profile (Apple, Device Management: Mail)."""
    try:
        profile = plistlib.loads(text.encode(), fmt=plistlib.FMT_XML)
    except (plistlib.InvalidFileException, ExpatError, ValueError) as error:
        raise CannotAsk(f"a profile that cannot be read: {error}") from error
    return [
        Server(
            protocol,
            payload.get(f"{side}MailServerHostName", ""),
            payload.get(f"{side}MailServerPortNumber", 0),
            Tls.IMPLICIT if payload.get(f"{side}MailServerUseSSL") else Tls.NONE,
        )
        for payload in profile.get("PayloadContent", ())
        for side, protocol in (("Incoming", "imap"), ("Outgoing", "smtp"))
    ]


async def _get(http: HttpSession, path: str) -> HttpReply:
    return await http.get(path)


async def _post(http: HttpSession, path: str) -> HttpReply:
    return await http.post(path, content=OUTLOOK_REQUEST.encode(), headers={"content-type": "text/xml"})


@dataclass(frozen=True, slots=True)
class Document:
    """A document's path, and how it is fetched and read (`read` is None where it names no servers)."""

    path: str
    fetch: Callable[[HttpSession, str], Awaitable[HttpReply]] = _get
    read: Callable[[str], list[Server]] | None = None


DOCUMENTS = {
    "thunderbird": Document("/mail/config-v1.1.xml", read=thunderbird),
    "thunderbird-well-known": Document("/.well-known/autoconfig/mail/config-v1.1.xml", read=thunderbird),
    "outlook": Document("/autodiscover/autodiscover.xml", _post, outlook),
    "outlook-json": Document(f"/autodiscover/autodiscover.json?Email={ALICE.address}&Protocol=Autodiscoverv1"),
    "apple": Document("/apple.mobileconfig", read=apple),
}


@shared
async def document(probe: Probe, name: str) -> HttpReply:
    """Fetch a document. Raises `NotServed(NOT_OFFERED, COMMAND)` for an error, and for a web page in its place."""
    wanted = DOCUMENTS[name]
    async with browser(probe) as http:
        reply = await wanted.fetch(http, wanted.path)
    kind = reply.header("content-type").partition(";")[0]
    if reply.status != 200 or kind == "text/html":
        raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply(str(reply.status), "", kind))
    return reply


@behaviour(
    "surface/autoconfig/{name}/document",
    needs=WEB,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"name": DOCUMENTS},
)
async def autoconfig(probe: Probe, name: str) -> Observation:
    """Automatic configuration document for {name}

    Users have to type server names and ports by hand.

    core/nginx/conf/nginx.conf, core/admin/mailu/internal/views/autoconfig.py; since 2.0
    """
    reply = await document(probe, name)
    read = DOCUMENTS[name].read
    facts: dict[str, object] = {"type": reply.header("content-type")}
    if read is None:
        facts["document"] = reply.json()
    else:
        facts["servers"] = [str(server) for server in read(reply.text)]
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply(str(reply.status)), **facts)


@behaviour(
    "surface/autoconfig/{name}/works",
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"name": ("thunderbird", "outlook", "apple")},
)
async def autoconfig_works(probe: Probe, name: str) -> Observation:
    """Servers in the configuration document for {name} accept a login

    Programs that configure themselves get settings that do not work.

    core/admin/mailu/internal/views/autoconfig.py, since 2.0; the ports it names are fixed, `PORTS` is not asked
    """
    read = DOCUMENTS[name].read
    servers = read((await document(probe, name)).text) if read else []
    found = {str(server): await _tried(probe, server) for server in servers}
    good = bool(found) and all(outcome == Outcome.ACCEPTED for outcome in found.values())
    return probe.seen(Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.AUTH, servers=found)


async def _tried(probe: Probe, server: Server) -> str:
    if server.host != HOSTNAME:
        return f"not this host: {server.host}"
    if server.protocol not in PROTOCOLS:
        return f"not for mail: {server.protocol}"
    endpoint = PublishedEndpoint(PROTOCOLS[server.protocol], server.port, server.tls)
    try:
        await logged_in(probe, endpoint, ALICE)
    except NotServed as end:
        return f"{end.outcome} at {end.stage}"
    return Outcome.ACCEPTED


@behaviour(
    "surface/client-setup/reading-{protocol}",
    needs=MAILBOX,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
    each={"protocol": READING},
)
async def reading(probe: Probe, protocol: str) -> Observation:
    """Mail program that tries the {protocol} ports in turn logs in on the first that accepts

    Programs that find the server's ports by themselves get none for reading mail.

    RFC 6186 section 4; RFC 8314 section 4
    """
    tried = {}
    for endpoint in READING[protocol]:
        try:
            reply = await logged_in(probe, endpoint, ALICE)
        except NotServed as end:
            tried[str(probe.at(endpoint))] = f"{end.outcome} at {end.stage}"
            continue
        tried[str(probe.at(endpoint))] = str(Outcome.ACCEPTED)
        return probe.seen(Outcome.ACCEPTED, Stage.AUTH, reply, tried=tried)
    return probe.seen(Outcome.UNREACHABLE, Stage.CONNECT, tried=tried)
