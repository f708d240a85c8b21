"""Takes objects of the REST API through their lives, once for all behaviours that look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_mailu.behaviours.api_resources import (
    NO_DOCUMENTS,
    RESOURCES,
    Document,
    Resource,
    wrong_to_change,
    wrong_to_create,
)
from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.probe.admin_site import Api, said
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

LISTED = 20_000
"""Objects of a list that are looked at."""


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one verb: the status, words where it failed, and whether it had its effect."""

    status: int
    done: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """One object from its creation to its end.

    `saved` has the fields that were read back as they were written, by verb; `members` what a read object has.
    """

    steps: Mapping[str, Step]
    saved: Mapping[str, list[str]] = field(default_factory=dict)
    members: Sequence[str] = ()


def offered(reply: HttpReply) -> HttpReply:
    """The reply itself. Raises `NotServed(NOT_OFFERED, COMMAND)` where the API has no such path.

    A reply of the API about a missing object has a member `code` (core/admin/mailu/api/v1, all releases).
    """
    if reply.status in (404, 405) and not _by_the_interface(reply):
        raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply(str(reply.status), "", said(reply)[:60]))
    return reply


def _by_the_interface(reply: HttpReply) -> bool:
    return "code" in read(reply)


def read(reply: HttpReply) -> dict[str, Any]:
    """The object in a reply; empty where there is none."""
    try:
        document = reply.json()
    except CannotAsk:
        return {}
    return document if isinstance(document, dict) else {}


def listed(reply: HttpReply) -> list[dict[str, Any]]:
    """The objects in a reply that is a list; empty where it is none."""
    try:
        document = reply.json()
    except CannotAsk:
        return []
    return [each for each in document[:LISTED] if isinstance(each, dict)] if isinstance(document, list) else []


@shared
async def life(probe: Probe, kind: str) -> Life:
    """Create, list, read, change and delete one object, with every field."""
    resource = RESOURCES[kind]
    word = probe.unique_word()
    steps: dict[str, Step] = {}
    saved: dict[str, list[str]] = {}
    async with Api.open(probe) as api:
        offered(await api.ask("GET", resource.path))
        created, name = await _created(api, resource, word)
        place = f"{resource.path}/{name}"
        read_reply = await api.ask("GET", place)
        steps["create"] = _step(created, exists := created.status == read_reply.status == 200, "it is not there")
        steps["read"] = _step(read_reply, exists)
        written = resource.written(word)
        saved["create"] = _kept(resource, written, read(read_reply))
        list_reply = await api.ask("GET", resource.path)
        steps["list"] = _step(list_reply, exists and _is_listed(list_reply, resource, name), "it is not in the list")
        if resource.change:
            steps["change"], saved["change"] = await _changed(api, resource, place, word)
        before = read(await api.ask("GET", place))
        deleted = await api.ask("DELETE", place)
        after = await api.ask("GET", place)
        # A token's number is given again to the next one, which another behaviour may have made meanwhile.
        gone = after.status == 404 or (not resource.key and read(after) != before)
        steps["delete"] = _step(deleted, deleted.status == 200 and gone, "it is still there")
    members = sorted(read(read_reply)) if resource.reads and steps["read"].done else []
    return Life(steps, saved, members)


def _step(reply: HttpReply, done: bool, otherwise: str = "") -> Step:
    words = "" if done else said(reply) if reply.status != 200 else otherwise
    return Step(reply.status, done and reply.status == 200, words)


async def _created(api: Api, resource: Resource, word: str) -> tuple[HttpReply, str]:
    """The answer to the creation with every field, and the object's name.

    Where it fails for the sake of an optional field, the object is made with the required ones: the other verbs have
    something to work on.
    """
    document = resource.written(word)
    created = await api.ask("POST", resource.path, document)
    made = created
    if created.status != 200:
        made = await api.ask("POST", resource.path, {name: document[name] for name in resource.required})
    return created, str(document[resource.key] if resource.key else read(made).get("id", "none"))


async def _changed(api: Api, resource: Resource, place: str, word: str) -> tuple[Step, list[str]]:
    """Change all fields at once, or one by one where that fails."""
    changes = resource.changes(word)
    reply = await api.ask("PATCH", place, changes)
    if reply.status != 200:
        for name, value in changes.items():
            await api.ask("PATCH", place, {name: value})
    kept = _kept(resource, changes, read(await api.ask("GET", place)))
    return _step(reply, reply.status == 200 and bool(kept), "it is as it was before"), kept


def _kept(resource: Resource, written: Document, seen: Document) -> list[str]:
    """The fields that an object has as they were written; a list may have more members than were written."""
    return sorted(name for name, value in written.items() if name not in resource.hidden and _same(value, seen, name))


def _same(value: Any, seen: Document, name: str) -> bool:
    found = seen.get(name)
    if isinstance(value, list):
        return isinstance(found, list) and {str(each) for each in value} <= {str(each) for each in found}
    return type(found) is type(value) and found == value


def _is_listed(reply: HttpReply, resource: Resource, name: str) -> bool:
    if not resource.reads:
        return f'"{name}"' in reply.text
    return any(str(each.get(resource.key or "id")) == name for each in listed(reply))


async def wrong_input(probe: Probe, kind: str, verb: str) -> dict[str, str]:
    """The status of the answer to each wrong input for a verb (create, change, name). Accepted objects are removed."""
    resource = RESOURCES[kind]
    answers: dict[str, str] = {}
    async with Api.open(probe) as api:
        offered(await api.ask("GET", resource.path))
        match verb:
            case "create":
                await _wrong_creations(api, resource.beside, probe, answers)
            case "change":
                await _wrong_changes(api, resource, probe, answers)
            case _:
                await _wrong_names(api, resource, probe, answers)
    return answers


async def _wrong_creations(api: Api, resource: Resource, probe: Probe, answers: dict[str, str]) -> None:
    for name, (content, kind) in NO_DOCUMENTS.items():
        answers[name] = str((await api.send("POST", resource.path, content, kind)).status)
    for name, document in wrong_to_create(resource):
        filled = Resource(resource.path, resource.key, document, ()).written(probe.unique_word())
        answers[name] = str(await _tried(api, resource, filled))
    word = probe.unique_word()
    first = await api.ask("POST", resource.path, resource.written(word))
    if resource.key:
        answers["the same again"] = str((await api.ask("POST", resource.path, resource.written(word))).status)
    await _removed(api, resource, resource.written(word), first)


async def _tried(api: Api, resource: Resource, document: Document) -> int:
    reply = await api.ask("POST", resource.path, document)
    if reply.status < 300:
        await _removed(api, resource, document, reply)
    return reply.status


async def _removed(api: Api, resource: Resource, document: Document, created: HttpReply) -> None:
    name = document.get(resource.key, "") if resource.key else read(created).get("id", "")
    if name != "":
        await api.ask("DELETE", f"{resource.path}/{name}")


async def _wrong_changes(api: Api, resource: Resource, probe: Probe, answers: dict[str, str]) -> None:
    _, name = await _created(api, resource, probe.unique_word())
    place = f"{resource.path}/{name}"
    for case, (content, kind) in NO_DOCUMENTS.items():
        answers[case] = str((await api.send("PATCH", place, content, kind)).status)
    for case, document in wrong_to_change(resource):
        filled = Resource(resource.path, resource.key, document, ()).written(probe.unique_word())
        answers[case] = str((await api.ask("PATCH", place, filled)).status)
    answers["read afterwards"] = str((await api.ask("GET", place)).status)
    await api.ask("DELETE", place)


async def _wrong_names(api: Api, resource: Resource, probe: Probe, answers: dict[str, str]) -> None:
    names = {
        "unknown": resource.unknown.replace("{word}", probe.unique_word()),
        "malformed": resource.malformed,
        "percent": "%25",
        "long": "x" * 2000,
        "upper case": resource.unknown.replace("{word}", probe.unique_word()).upper(),
    }
    for method in ("GET", "PATCH", "DELETE") if resource.change else ("GET", "DELETE"):
        for case, name in names.items():
            body = resource.changes(probe.unique_word()) if method == "PATCH" else None
            answers[f"{method} {case}"] = str((await api.ask(method, f"{resource.path}/{name}", body)).status)
