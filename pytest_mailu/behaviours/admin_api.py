"""The REST API for scripts: each object and verb, wrong input, its own document, and its token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import Any

from pytest_mailu.behaviours.api_resources import RESOURCES
from pytest_mailu.behaviours.api_survey import life, listed, offered, read, wrong_input
from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ALICE, DOMAIN, ELSEWHERE, own_mailbox
from pytest_mailu.probe.admin_site import Api, said
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import HttpReply

TOKEN_OWNER = own_mailbox("api-tokens-listed")
API = "api"
"""The variant in which the interface is switched on."""
SECONDS = 120.0
api_behaviour = partial(behaviour, needs=WEB, endpoint=HTTPS_443, variant=API, timeout=SECONDS)
"""Declares a behaviour of the interface."""
VERBS = {
    kind: ("create", "list", "read", *(("change",) if each.change else ()), "delete")
    for kind, each in RESOURCES.items()
}
WRONG = {kind: ("create", *(("change",) if each.change else ()), "name") for kind, each in RESOURCES.items()}
WRITES = {kind: ("create", *(("change",) if each.change else ())) for kind, each in RESOURCES.items() if each.reads}


def _pairs(verbs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(f"{kind}/{verb}" for kind, each in verbs.items() for verb in each)


@api_behaviour(
    "admin/api/{what}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"what": _pairs(VERBS)},
)
async def verb(probe: Probe, what: str) -> Observation:
    """REST API: {what} succeeds, and takes effect

    Scripts that manage such objects stop working.

    core/admin/mailu/api/v1, since 2.0; tokens since 2024.06
    """
    kind, name = what.split("/")
    step = (await life(probe, kind)).steps[name]
    if step.done:
        return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply(str(step.status)))
    outcome = Outcome.UNANSWERED if step.status >= 500 else Outcome.REFUSED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(step.status), "", step.words))


@api_behaviour(
    "admin/api/{what}-fields",
    better={"saved": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"what": _pairs(WRITES)},
)
async def fields(probe: Probe, what: str) -> Observation:
    """REST API: the fields that {what} saves as they were sent

    Scripts get a success reply, but the field keeps its old value.

    core/admin/mailu/api/v1, since 2.0: every field that the interface's own document lists, read back
    """
    kind, name = what.split("/")
    seen = await life(probe, kind)
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, saved=seen.saved[name])


@api_behaviour(
    "admin/api/{kind}/read-fields",
    better={"members": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"kind": tuple(WRITES)},
)
async def members(probe: Probe, kind: str) -> Observation:
    """REST API: the fields of a {kind} that is read

    Scripts that read such a field fail, or take it for empty.

    core/admin/mailu/api/v1, since 2.0
    """
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, members=(await life(probe, kind)).members)


@api_behaviour(
    "admin/api/{what}-wrong",
    better={"handled": Direction.KEPT},
    severity=Severity.MINOR,
    each={"what": _pairs(WRONG)},
)
async def wrong(probe: Probe, what: str) -> Observation:
    """REST API: {what} answers every kind of wrong input, and not with a server error (500)

    Scripts get an error of the server (500) for a mistake of their own, and try again for ever.

    RFC 9110 section 15.5; core/admin/mailu/api/v1 (validate=True), since 2.0
    """
    kind, name = what.split("/")
    answers = await wrong_input(probe, kind, name)
    handled = sorted(case for case, status in answers.items() if status < "500")
    # What is asked is whether the interface copes: a refusal of the input is how it does.
    outcome = Outcome.ACCEPTED if len(handled) == len(answers) else Outcome.UNANSWERED
    return probe.seen(outcome, Stage.COMMAND, answers=answers, handled=handled)


class Chore(StrEnum):
    """What scripts do beside reading and writing one thing; by the end of its id."""

    DOMAIN_USERS = "domain/users"
    ALIASES_OF_DOMAIN = "alias/of-domain"
    ALIAS_TO_OUTSIDE = "alias/to-outside"
    TOKENS_OF_USER = "token/of-user"
    TOKEN_FOR_USER = "token/create-for-user"  # noqa: S105 - the end of an id
    DKIM = "domain/dkim"

    @property
    def words(self) -> str:
        """What a script does, for the title."""
        return {
            Chore.DOMAIN_USERS: "lists the users of a domain",
            Chore.ALIASES_OF_DOMAIN: "lists the aliases of a domain",
            Chore.ALIAS_TO_OUTSIDE: "makes an alias for an address elsewhere",
            Chore.TOKENS_OF_USER: "lists the tokens of a user",
            Chore.TOKEN_FOR_USER: "makes a token for a user",
            Chore.DKIM: "makes a DKIM key, and the DNS record of the domain has it",
        }[self]


@api_behaviour(
    "admin/api/{what}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"what": tuple(Chore)},
)
async def more(probe: Probe, what: Chore) -> Observation:
    """REST API: a script {what.words}

    Scripts that list what belongs together, or make keys, tokens and aliases, stop working.

    core/admin/mailu/api/v1/domain.py, alias.py and token.py, since 2.0; tokens since 2024.06
    """
    async with Api.open(probe) as api:
        match what:
            case Chore.DOMAIN_USERS:
                reply = offered(await api.ask("GET", f"/domain/{DOMAIN}/users"))
                done = any(each.get("email") == ALICE.address for each in listed(reply))
            case Chore.ALIASES_OF_DOMAIN:
                reply, done = await _aliases(probe, api)
            case Chore.ALIAS_TO_OUTSIDE:
                reply, done = await _outside(probe, api)
            case Chore.TOKENS_OF_USER:
                reply, done = await _tokens(probe, api)
            case Chore.TOKEN_FOR_USER:
                reply = offered(await api.ask("POST", f"/tokenuser/{TOKEN_OWNER.address}", {"comment": "x"}))
                done = bool(read(reply).get("token"))
                await api.ask("DELETE", f"/token/{read(reply).get('id', 'none')}")
            case _:
                reply, done = await _dkim(probe, api)
    if done and reply.status == 200:
        return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply("200"))
    outcome = Outcome.UNANSWERED if reply.status >= 500 else Outcome.REFUSED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(reply.status), "", said(reply) or "it had no effect"))


async def _aliases(probe: Probe, api: Api) -> tuple[HttpReply, bool]:
    address = f"api-of-domain-{probe.unique_word()}@{DOMAIN}"
    await api.ask("POST", "/alias", {"email": address, "destination": [ALICE.address]})
    reply = offered(await api.ask("GET", f"/alias/destination/{DOMAIN}"))
    await api.ask("DELETE", f"/alias/{address}")
    return reply, any(each.get("email") == address for each in listed(reply))


async def _outside(probe: Probe, api: Api) -> tuple[HttpReply, bool]:
    """An alias for an address elsewhere: list members, former staff, a ticket system."""
    address = f"api-outside-{probe.unique_word()}@{DOMAIN}"
    destination = f"somebody@{ELSEWHERE}"
    reply = await api.ask("POST", "/alias", {"email": address, "destination": [destination]})
    saved = read(await api.ask("GET", f"/alias/{address}")).get("destination")
    await api.ask("DELETE", f"/alias/{address}")
    return reply, saved == [destination]


async def _tokens(probe: Probe, api: Api) -> tuple[HttpReply, bool]:
    comment = f"of-user {probe.unique_word()}"
    made = offered(await api.ask("POST", "/token", {"email": TOKEN_OWNER.address, "comment": comment}))
    reply = offered(await api.ask("GET", f"/tokenuser/{TOKEN_OWNER.address}"))
    await api.ask("DELETE", f"/token/{read(made).get('id', 'none')}")
    return reply, any(each.get("comment") == comment for each in listed(reply))


async def _dkim(probe: Probe, api: Api) -> tuple[HttpReply, bool]:
    """A new domain has no key; afterwards its DNS record has one."""
    name = f"api-keys-{probe.unique_word()}.example"
    await api.ask("POST", "/domain", {"name": name})
    before = read(await api.ask("GET", f"/domain/{name}")).get("dns_dkim")
    reply = await api.ask("POST", f"/domain/{name}/dkim")
    after = read(await api.ask("GET", f"/domain/{name}")).get("dns_dkim")
    await api.ask("DELETE", f"/domain/{name}")
    return reply, not before and "v=DKIM1" in str(after)


@shared
async def own_document(probe: Probe) -> dict[str, Any]:
    """The interface's own description (Swagger 2.0), as parsed. Raises NotServed where there is none."""
    async with Api.open(probe) as api:
        return read(offered(await api.ask("GET", "/swagger.json")))


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of every operation in a Swagger document."""
    paths = document.get("paths")
    for path, methods in paths.items() if isinstance(paths, dict) else ():
        for method, details in methods.items() if isinstance(methods, dict) else ():
            if method in ("get", "post", "put", "patch", "delete") and isinstance(details, dict):
                yield method.upper(), path, details


@api_behaviour(
    "admin/api/document",
    better={**FUNCTION, "methods": Direction.KEPT},
    severity=Severity.MAJOR,
)
async def document(probe: Probe) -> Observation:
    """REST API: the objects and verbs that its OpenAPI document lists

    Scripts and generated clients call what is not there any more.

    core/admin/mailu/api/v1/__init__.py (flask-restx), since 2.0
    """
    known = operations(await own_document(probe))
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, methods=sorted(f"{method} {path}" for method, path, _ in known))


@api_behaviour(
    "admin/api/document-fields",
    better={**FUNCTION, "takes.*": Direction.KEPT, "gives.*": Direction.KEPT, "requires.*": Direction.FEWER},
    severity=Severity.MINOR,
)
async def document_fields(probe: Probe) -> Observation:
    """REST API: the fields that its OpenAPI document lists for each verb

    Generated clients do not know a field any more, or do not send one that is required now.

    core/admin/mailu/api/v1 (models of flask-restx), since 2.0
    """
    whole = await own_document(probe)
    takes, gives, requires = {}, {}, {}
    for method, path, details in operations(whole):
        name = f"{method} {path}"
        parameters = [each for each in details.get("parameters", ()) if isinstance(each, dict)]
        body = next((each.get("schema") for each in parameters if each.get("in") == "body"), None)
        if body:
            takes[name], requires[name] = fields_of(whole, body)
        if answer := details.get("responses", {}).get("200", {}).get("schema"):
            gives[name] = fields_of(whole, answer)[0]
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, takes=takes, gives=gives, requires=requires)


def fields_of(document: Mapping[str, Any], schema: Any, depth: int = 0) -> tuple[list[str], list[str]]:
    """The fields of a schema with their types, and the required ones; references are followed, five deep."""
    if not isinstance(schema, dict) or depth > 5:
        return [], []
    if isinstance(name := schema.get("$ref"), str):
        definitions = document.get("definitions", {})
        return fields_of(document, definitions.get(name.rpartition("/")[2]), depth + 1)
    if "items" in schema:
        return fields_of(document, schema["items"], depth + 1)
    properties = schema.get("properties", {})
    known = [f"{name}: {each.get('type', 'object')}" for name, each in properties.items() if isinstance(each, dict)]
    required = [str(name) for name in schema.get("required", ())]
    for part in schema.get("allOf", ()):
        more_known, more_required = fields_of(document, part, depth + 1)
        known, required = known + more_known, required + more_required
    return sorted(set(known)), sorted(set(required))


@api_behaviour(
    "admin/api/pages",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
)
async def pages(probe: Probe) -> Observation:
    """REST API: the page for people who try it out, with its scripts

    Administrators cannot look up or try the interface in a browser.

    core/admin/mailu/api/__init__.py (Swagger UI of flask-restx), since 2.0
    """
    async with Api.open(probe) as api:
        page = offered(await api.ask("GET", "/"))
        parts = sorted(set(re.findall(r'(?:src|href)="([^"]{1,200}\.(?:js|css))"', page.text[: 1 << 18])))[:10]
        statuses = {part.rpartition("/")[2]: (await api.absolute("GET", part)).status for part in parts}
    good = page.status == 200 and bool(statuses) and set(statuses.values()) == {200}
    return probe.seen(
        Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.COMMAND, Reply(str(page.status)), parts=statuses
    )


SCHEMES = {"Bearer": "Bearer ", "none": "", "bearer in small letters": "bearer "}


@api_behaviour(
    "admin/api/with-token",
    wanted=Outcome.ACCEPTED,
    better={"accepted": Direction.KEPT},
    severity=Severity.CRITICAL,
)
async def with_token(probe: Probe) -> Observation:
    """REST API: the token is accepted, with `Bearer` before it

    No script can manage the server.

    core/admin/mailu/api/common.py (api_token_authorization), since 2.0
    """
    accepted = []
    for name, scheme in SCHEMES.items():
        async with Api.open(probe, scheme=scheme) as api:
            reply = offered(await api.ask("GET", "/relay"))
        if reply.status == 200:
            accepted.append(name)
    good = "Bearer" in accepted
    return probe.seen(Outcome.ACCEPTED if good else Outcome.AUTH_FAILED, Stage.AUTH, accepted=accepted)


@api_behaviour(
    "admin/api/{without}",
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"without": ("without-token", "wrong-token")},
)
async def guarded(probe: Probe, without: str) -> Observation:
    """REST API: every request without permission is refused ({without})

    Strangers can read and change accounts.

    core/admin/mailu/api/common.py, since 2.0; CVE-2026-49217 (PATCH of a token, mended in 2024.06.52)
    """
    known = sorted((method, path) for method, path, _ in operations(await own_document(probe)))
    past: list[str] = []
    async with Api.open(probe, "" if without == "without-token" else "wrong-token-of-a-stranger") as api:
        for method, path in known:
            filled, body, understood = _question(method, path, probe.unique_word())
            status = (await api.ask(method, filled, body)).status
            # Even "not found" is an answer for clients with a token only. Input is checked before the token is.
            if status not in (401, 403, 429) and (understood or status != 400):
                past.append(f"{method} {path}")
    words = Reply("", "", f"not asked for a token: {', '.join(past)}") if past else None
    return probe.seen(Outcome.ACCEPTED if past else Outcome.REFUSED, Stage.AUTH, words, past=past, asked=len(known))


def _question(method: str, path: str, word: str) -> tuple[str, Any, bool]:
    """A path with names that nothing has, a right document for it, and whether this is a document that we know."""
    names = {"domain": f"api-nowhere-{word}.example", "name": f"api-nowhere-{word}.example", "token_id": "999999"}
    names |= {
        "alt": f"api-nowhere-{word}.example",
        "email": f"nobody-{word}@{DOMAIN}",
        "alias": f"nobody-{word}@{DOMAIN}",
    }
    filled = re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "x"), path)
    if method not in ("POST", "PUT", "PATCH"):
        return filled, None, True
    for resource in RESOURCES.values():
        place = resource.path.replace(DOMAIN, "{domain}")
        if method == "POST" and path == place:
            return filled, resource.written(word), True
        if method == "PATCH" and path.startswith(f"{place}/{{"):
            return filled, resource.changes(word), True
    return filled, {}, path.endswith("/dkim")
