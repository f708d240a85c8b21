"""The REST API for scripts: its objects, and its token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ALICE, BOB, DOMAIN, own_mailbox
from pytest_mailu.probe.admin_site import Api, said
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

TOKEN_OWNER = own_mailbox("api-token-owner")


@dataclass(frozen=True, slots=True)
class Thing:
    """A kind of object. `make` gives its name and the document that creates it; `change` is a change to it."""

    path: str
    make: Callable[[str], tuple[str, Mapping[str, Any]]]
    change: Mapping[str, Any]


def _user(word: str) -> tuple[str, Mapping[str, Any]]:
    address = f"api-{word}@{DOMAIN}"
    return address, {"email": address, "raw_password": "api-made-secret-1", "displayed_name": "Made by a script"}


def _domain(word: str) -> tuple[str, Mapping[str, Any]]:
    return f"api-{word}.example", {"name": f"api-{word}.example", "comment": "made"}


def _alias(word: str) -> tuple[str, Mapping[str, Any]]:
    address = f"api-{word}@{DOMAIN}"
    return address, {"email": address, "destination": [ALICE.address], "comment": "made"}


def _relay(word: str) -> tuple[str, Mapping[str, Any]]:
    return f"api-{word}.example", {"name": f"api-{word}.example", "smtp": "relay.example", "comment": "made"}


def _token(word: str) -> tuple[str, Mapping[str, Any]]:
    # A token's name is a number that the server gives; see `_name`.
    return "", {"email": TOKEN_OWNER.address, "comment": f"api-{word}"}


THINGS = {
    "user": Thing("/user", _user, {"displayed_name": "Changed by a script"}),
    "domain": Thing("/domain", _domain, {"comment": "changed"}),
    "alias": Thing("/alias", _alias, {"destination": [BOB.address]}),
    "relay": Thing("/relay", _relay, {"comment": "changed"}),
    "token": Thing("/token", _token, {"comment": "changed"}),
}


def offered(reply: HttpReply) -> HttpReply:
    """The reply itself. Raises `NotServed(NOT_OFFERED, COMMAND)` where the API has no such path.

    A reply of the API about a missing object has a member `code` (core/admin/mailu/api/v1, all releases).
    """
    if reply.status in (404, 405) and not _by_the_interface(reply):
        raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply(str(reply.status), "", said(reply)[:60]))
    return reply


def _by_the_interface(reply: HttpReply) -> bool:
    try:
        document = reply.json()
    except CannotAsk:
        return False
    return isinstance(document, dict) and "code" in document


@behaviour(
    "admin/api/{kind}",
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"members": Direction.KEPT, "changed": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"kind": THINGS},
    timeout=90.0,
)
async def lifecycle(probe: Probe, kind: str) -> Observation:
    """REST API: create, list, read, change and delete a {kind}

    Scripts that manage {kind} objects stop working.

    core/admin/mailu/api/v1, since 2.0; tokens since 2024.06
    """
    thing = THINGS[kind]
    name, document = thing.make(probe.unique_word())
    answers: dict[str, HttpReply] = {}
    async with Api.open(probe) as api:
        answers["list"] = offered(await api.ask("GET", thing.path))
        answers["create"] = await api.ask("POST", thing.path, document)
        name = name or _name(answers["create"])
        place = f"{thing.path}/{name}"
        try:
            answers["read"] = await api.ask("GET", place)
            answers["change"] = await api.ask("PATCH", place, thing.change)
            answers["read_again"] = await api.ask("GET", place)
        finally:
            answers["delete"] = await api.ask("DELETE", place)
        answers["gone"] = await api.ask("GET", place)
    steps = {step: reply.status for step, reply in answers.items()}
    bad = [step for step, status in steps.items() if status != (404 if step == "gone" else 200)]
    reason = Reply(str(steps[bad[0]]), "", f"{bad[0]}: {said(answers[bad[0]])}") if bad else None
    changed = _holds(answers["read_again"], thing.change, hidden=False)
    if reason is None and not _holds(answers["read"], document):
        reason = Reply("200", "", "create: not all of it was saved")
    elif reason is None and not changed:
        reason = Reply("200", "", "change: it was not saved")
    return probe.seen(
        Outcome.REFUSED if reason else Outcome.ACCEPTED,
        Stage.COMMAND,
        reason,
        steps=steps,
        members=_members(answers["read"]),
        changed=changed,
    )


def _name(created: HttpReply) -> str:
    try:
        return str(created.json().get("id", "none"))
    except (CannotAsk, AttributeError):
        return "none"


def _members(reply: HttpReply) -> list[str]:
    try:
        document = reply.json()
    except CannotAsk:
        return []
    return sorted(document) if isinstance(document, dict) else []


def _holds(reply: HttpReply, values: Mapping[str, Any], *, hidden: bool = True) -> bool:
    """Whether an object that was read has these values. With `hidden` members may be missing from it, as passwords
    are."""
    try:
        document = reply.json()
    except CannotAsk:
        return False
    return isinstance(document, dict) and all(
        document.get(key, value if hidden else None) == value for key, value in values.items()
    )


@behaviour(
    "admin/api/{without}",
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.CRITICAL,
    each={"without": ("without-token", "wrong-token")},
    timeout=90.0,
)
async def guarded(probe: Probe, without: str) -> Observation:
    """REST API: every request without permission is refused ({without})

    Strangers can read and change accounts.

    core/admin/mailu/api/common.py, since 2.0; CVE-2026-49217 (PATCH of a token, mended in 2024.06.52)
    """
    statuses: dict[str, dict[str, int]] = {}
    past: list[str] = []
    async with Api.open(probe, "" if without == "without-token" else "wrong-token-of-a-stranger") as api:
        for kind, thing in THINGS.items():
            statuses[kind] = {}
            for step, (method, path, body) in _questions(thing, probe.unique_word()).items():
                try:
                    status = offered(await api.ask(method, path, body)).status
                except NotServed:
                    break
                statuses[kind][step] = status
                # Even "not found" is an answer for clients with a token only.
                if status not in (401, 403, 429):
                    past.append(f"{step} {kind}")
    words = Reply("", "", f"not asked for a token: {', '.join(past)}") if past else None
    return probe.seen(Outcome.ACCEPTED if past else Outcome.REFUSED, Stage.AUTH, words, statuses=statuses)


def _questions(thing: Thing, word: str) -> dict[str, tuple[str, str, Any]]:
    """Every request for a kind of object, by name: method, path and document."""
    name, document = thing.make(word)
    place = f"{thing.path}/{name or '999999'}"
    return {
        "list": ("GET", thing.path, None),
        "create": ("POST", thing.path, document),
        "read": ("GET", place, None),
        "change": ("PATCH", place, thing.change),
        "delete": ("DELETE", place, None),
    }


@behaviour("admin/api/document", endpoint=HTTPS_443, better=FUNCTION, severity=Severity.MINOR, timeout=90.0)
async def document(probe: Probe) -> Observation:
    """REST API: what the OpenAPI document lists

    Scripts and generated clients have to be adapted.

    core/admin/mailu/api/v1/__init__.py (flask-restx), since 2.0
    """
    async with Api.open(probe) as api:
        reply = offered(await api.ask("GET", "/swagger.json"))
    paths = reply.json().get("paths", {})
    known = [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    ]
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply(str(reply.status)), methods=sorted(known))
