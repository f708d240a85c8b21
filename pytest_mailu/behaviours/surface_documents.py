"""What configuration documents say, field by field, and how their requests may look."""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.surface_setup import DOCUMENTS, OUTLOOK_REQUEST, OUTLOOK_SCHEMA, document
from pytest_mailu.core.endpoints import HTTP_80, HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ALICE, BOB
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.admin_site import browser
from pytest_mailu.probe.markup import LONGEST, structure, xml
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk

XML_TYPE = "text/xml"
MOBILE_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"


@dataclass(frozen=True, slots=True)
class Request:
    """One way in which a program asks for its settings."""

    method: str
    path: str
    body: str = ""
    type: str = XML_TYPE


def _post(body: str, path: str = "/autodiscover/autodiscover.xml", type: str = XML_TYPE) -> Request:
    return Request("POST", path, body, type)


_WITH_ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e "x"><!ENTITY f "&e;&e;&e;&e;">]>'
    + OUTLOOK_REQUEST.partition("?>")[2].replace(ALICE.address, "&f;")
)
OUTLOOK_REQUESTS: Mapping[str, Request] = {
    "as Outlook": _post(OUTLOOK_REQUEST),
    "in capitals": _post(OUTLOOK_REQUEST, "/Autodiscover/Autodiscover.xml"),
    "with a BOM": _post("\ufeff" + OUTLOOK_REQUEST),
    "without a declaration": _post(OUTLOOK_REQUEST.partition("?>")[2]),
    "as application/xml": _post(OUTLOOK_REQUEST, type="application/xml"),
    "for another user": _post(OUTLOOK_REQUEST.replace(ALICE.address, BOB.address)),
    "mobile schema": _post(OUTLOOK_REQUEST.replace(OUTLOOK_SCHEMA, MOBILE_SCHEMA)),
    "schema 2006": _post(OUTLOOK_REQUEST.replace(OUTLOOK_SCHEMA, OUTLOOK_SCHEMA.removesuffix("a"))),
    "no schema": _post(OUTLOOK_REQUEST.replace(OUTLOOK_SCHEMA, "")),
    "no address": _post(OUTLOOK_REQUEST.replace(f"<EMailAddress>{ALICE.address}</EMailAddress>", "")),
    "an empty body": _post(""),
    "half a document": _post(OUTLOOK_REQUEST[:80]),
    "with entities": _post(_WITH_ENTITIES),
    "a form": _post("email=x", type="application/x-www-form-urlencoded"),
    "GET": Request("GET", "/autodiscover/autodiscover.xml"),
}
JSON_REQUESTS: Mapping[str, Request] = {
    "Autodiscoverv1": Request("GET", f"/autodiscover/autodiscover.json?Email={ALICE.address}&Protocol=Autodiscoverv1"),
    "as new Outlook": Request(
        "GET", f"/autodiscover/autodiscover.json/v1.0/{ALICE.address}?Protocol=Autodiscoverv1&RedirectCount=1"
    ),
    "in capitals": Request("GET", f"/Autodiscover/Autodiscover.json?Email={ALICE.address}&Protocol=Autodiscoverv1"),
    "no protocol": Request("GET", f"/autodiscover/autodiscover.json?Email={ALICE.address}"),
    "ActiveSync": Request("GET", f"/autodiscover/autodiscover.json?Email={ALICE.address}&Protocol=ActiveSync"),
    "EWS": Request("GET", f"/autodiscover/autodiscover.json?Email={ALICE.address}&Protocol=EWS"),
    "no address": Request("GET", "/autodiscover/autodiscover.json?Protocol=Autodiscoverv1"),
}
MORE_PATHS: Mapping[str, Request] = {
    "thunderbird, with an address": Request("GET", f"/mail/config-v1.1.xml?emailaddress={ALICE.address}"),
    "apple, short path": Request("GET", "/mobileconfig"),
    "apple, with an address": Request("GET", f"/apple.mobileconfig?email={ALICE.address}"),
}
REQUESTS = {"outlook": OUTLOOK_REQUESTS, "outlook-json": JSON_REQUESTS, "others": MORE_PATHS}


def content(reply: HttpReply) -> dict[str, Any]:
    """What a document says, as facts: XML by its structure, JSON and property lists by their members.

    Raises `CannotAsk` for what cannot be read.
    """
    text = reply.text.strip()
    if "<plist" in text[:1000]:
        return _flat("", _plist(text))
    if text.startswith("{"):
        return _flat("", reply.json())
    return structure(xml(text))


def _plist(text: str) -> Any:
    try:
        return plistlib.loads(text[:LONGEST].encode(), fmt=plistlib.FMT_XML)
    except (plistlib.InvalidFileException, ExpatError, ValueError, AttributeError) as error:
        raise CannotAsk(f"a profile that cannot be read: {show_line(str(error), 80)}") from error


def _flat(path: str, value: Any, depth: int = 0) -> dict[str, Any]:
    if depth > 10:
        raise CannotAsk("a document of more than 10 levels")
    if isinstance(value, dict):
        inside = [_flat(f"{path}/{key}" if path else str(key), inner, depth + 1) for key, inner in value.items()]
    elif isinstance(value, list):
        inside = [_flat(f"{path}#{number}", inner, depth + 1) for number, inner in enumerate(value)]
    else:
        return {path: value if isinstance(value, bool | int) else show_line(str(value), TEXT_LIMIT)}
    return {key: inner for each in inside for key, inner in each.items()}


@behaviour(
    "surface/autoconfig/{name}/content",
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"content.*": Direction.KEPT},
    severity=Severity.MINOR,
    each={"name": DOCUMENTS},
)
async def says(probe: Probe, name: str) -> Observation:
    """Automatic configuration document for {name}: what it says, field by field, and as which type

    Programs set up the account otherwise: another form of the user name, another port or kind of encryption.

    core/admin/mailu/internal/views/autoconfig.py, since 2.0; Mozilla's format 1.1, MS-OXDSCLI, Apple's
    Device Management
    """
    reply = await document(probe, name)
    fields = content(reply)
    kind = reply.header("content-type").partition(";")[0]
    return probe.seen(
        Outcome.ACCEPTED if fields else Outcome.REFUSED, Stage.COMMAND, Reply("200"), type=kind, content=fields
    )


@behaviour(
    "surface/autoconfig/{name}/requests",
    endpoint=HTTPS_443,
    better={"served": Direction.KEPT, "handled": Direction.KEPT},
    severity=Severity.MINOR,
    each={"name": REQUESTS},
)
async def requests(probe: Probe, name: str) -> Observation:
    """Automatic configuration documents: which forms of a request are answered ({name})

    Programs that ask in this way find no settings.

    MS-OXDSCLI sections 3.1 and 4; core/nginx/conf/nginx.conf, core/admin/mailu/internal/views/autoconfig.py, since 2.0
    """
    answers, served, handled = {}, [], []
    async with browser(probe) as http:
        for case, asked in REQUESTS[name].items():
            headers = {"content-type": asked.type} if asked.method == "POST" else None
            body = asked.body.encode() if asked.method == "POST" else None
            reply = await http.request(asked.method, asked.path, content=body, headers=headers)
            kind = reply.header("content-type").partition(";")[0]
            page = kind == "text/html"
            answers[case] = f"{reply.status} {kind}"
            served += [case] if reply.status == 200 and not page else []
            handled += [case] if reply.status < 500 else []
    outcome = Outcome.ACCEPTED if served else Outcome.NOT_OFFERED
    return probe.seen(outcome, Stage.COMMAND, answers=answers, served=served, handled=handled)


@behaviour("surface/autoconfig/thunderbird/without-tls", endpoint=HTTP_80, better=FUNCTION, severity=Severity.MINOR)
async def without_tls(probe: Probe) -> Observation:
    """Automatic configuration document for Thunderbird without TLS

    Programs that ask without TLS find no settings, or another redirect.

    wiki.mozilla.org/Thunderbird:Autoconfiguration (http://autoconfig.example.com); core/nginx/conf/nginx.conf
    """
    async with browser(probe, HTTP_80) as http:
        reply = await http.get("/mail/config-v1.1.xml", follow=False)
    kind = reply.header("content-type").partition(";")[0]
    return probe.seen(
        Outcome.ACCEPTED, Stage.COMMAND, Reply(str(reply.status), "", reply.header("location")), type=kind
    )
