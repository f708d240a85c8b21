"""The REST API as behaviours see it: a faultless one, and one with each thing gone wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.behaviours import admin_api, admin_api_effects, api_resources, api_survey, built_in
from pytest_mailu.core.model import Observation, Outcome, Question, Reply, Severity, Stage, Verdict
from pytest_mailu.judging.judge import judge, severity
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.fake_api import FakeApi
from tests.behaviours.local_stack import LocalStack, local_probe

IDS = tuple(made.id for made in built_in() if made.id.startswith("admin/api/") and "/effect/" not in made.id)
SKIPPED = ("admin/api/pages",)
"""The page for people, which is asked for by its own parts."""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(*faults: str, **more: Any) -> FakeApi:
        made = FakeApi(tmp_path, *faults, **more)
        for module in (admin_api, admin_api_effects, api_survey):
            monkeypatch.setattr(module, "Api", made)
        return made

    return make


def seen(id_: str) -> Observation:
    """One behaviour, asked of the API in place."""
    return asyncio.run(built_in()[id_].ask(local_probe({})))


def question(id_: str) -> Question:
    return built_in()[id_].question


@pytest.mark.parametrize("id_", [id_ for id_ in IDS if id_ not in SKIPPED])
def test_a_faultless_interface_serves(id_: str, api: Any) -> None:
    api()
    observed = seen(id_)
    assert observed.outcome is (question(id_).wanted or Outcome.ACCEPTED), observed
    if id_.endswith("-wrong"):
        assert set(observed.facts["answers"]) == set(observed.facts["handled"])
        assert len(observed.facts["handled"]) >= 6


FAULTS = [
    ("api-500", "admin/api/user/create-wrong", Severity.MINOR),
    ("api-500", "admin/api/domain/change-wrong", Severity.MINOR),
    ("api-forgets", "admin/api/user/change-fields", Severity.MAJOR),
    ("api-open", "admin/api/without-token", Severity.CRITICAL),
    ("api-open", "admin/api/wrong-token", Severity.CRITICAL),
    ("api-loses-relay", "admin/api/relay/create", Severity.MAJOR),
    ("api-loses-relay", "admin/api/document", Severity.MAJOR),
    ("api-ghost", "admin/api/user/create", Severity.MAJOR),
    ("api-ghost", "admin/api/alias/list", Severity.MAJOR),
]


@pytest.mark.parametrize(("fault", "id_", "worth"), FAULTS)
def test_what_is_lost_is_a_regression(fault: str, id_: str, worth: Severity, api: Any) -> None:
    def asked(*faults: str) -> list[Observation]:
        api(*faults)
        try:
            return [seen(id_)] * 2
        except NotServed as end:
            return [Observation(end.outcome, end.stage, end.reply)] * 2

    comparison = judge(question(id_), asked(), asked(fault))
    assert comparison.verdict is Verdict.REGRESSED
    assert severity(comparison) is worth


def test_every_behaviour_about_an_object_shares_its_life(api: Any) -> None:
    made = api()
    ids = ("admin/api/user/create", "admin/api/user/delete", "admin/api/user/change-fields")
    stack: Any = LocalStack({})

    async def all_of_them() -> None:
        await asyncio.gather(*(built_in()[id_].ask(Probe(stack, 0.0, "first attempt")) for id_ in ids))

    asyncio.run(all_of_them())
    assert made.asked.count("POST /user") == 1


def test_what_is_made_is_removed_again(api: Any) -> None:
    made = api()
    before = {kind: set(entries) for kind, entries in made.rest.people.all.items()}
    for id_ in IDS:
        if id_ not in SKIPPED:
            seen(id_)
    assert {kind: set(entries) for kind, entries in made.rest.people.all.items()} == before
    assert not made.rest.tokens


def test_every_field_that_can_be_written_is_written() -> None:
    """By the interface's own document of the lab, and by the kinds of wrong input."""
    for kind, resource in api_resources.RESOURCES.items():
        cases = dict(api_resources.wrong_to_create(resource))
        assert {f"wrong type of {name}" for name in resource.create} <= cases.keys(), kind
        assert {f"missing {name}" for name in resource.required} <= cases.keys(), kind
        assert set(resource.required) <= resource.create.keys()
        changed = dict(api_resources.wrong_to_change(resource))
        assert {f"null for {name}" for name in resource.change} <= changed.keys()
        for name, value in resource.change.items():
            assert resource.create.get(name) != value, f"{kind}: a change of {name} could not be told"


@pytest.mark.parametrize("kind", api_resources.RESOURCES)
def test_wrong_input_is_tried_with_objects_that_no_other_behaviour_has(kind: str) -> None:
    """On 2024.06.57, `manager/create-wrong` deleted the manager that `manager/list` had just made."""
    resource = api_resources.RESOURCES[kind]
    if resource.key:
        assert resource.beside.written("one")[resource.key] != resource.written("another")[resource.key]


def test_without_the_interface_there_is_nothing_to_ask(api: Any) -> None:
    api(there=False)
    for id_ in ("admin/api/user/create", "admin/api/without-token", "admin/api/document", "admin/api/user/name-wrong"):
        with pytest.raises(NotServed) as stopped:
            seen(id_)
        assert (stopped.value.outcome, stopped.value.stage) == (Outcome.NOT_OFFERED, Stage.COMMAND)


def test_fields_of_a_document_are_found_through_references() -> None:
    whole: dict[str, Any] = {
        "definitions": {
            "Base": {"properties": {"comment": {"type": "string"}}},
            "Alias": {
                "allOf": [
                    {"$ref": "#/definitions/Base"},
                    {"properties": {"email": {"type": "string"}}, "required": ["email"]},
                ]
            },
            "Loop": {"$ref": "#/definitions/Loop"},
        }
    }
    assert admin_api.fields_of(whole, {"items": {"$ref": "#/definitions/Alias"}}) == (
        ["comment: string", "email: string"],
        ["email"],
    )
    assert admin_api.fields_of(whole, {"$ref": "#/definitions/Loop"}) == ([], [])
    assert admin_api.fields_of(whole, {"$ref": "#/definitions/Gone"}) == ([], [])
    assert list(admin_api.operations({"paths": {"/x": ["get"], "/y": {"get": {}, "head": {}}}})) == [("GET", "/y", {})]


EFFECTS = tuple(made.id for made in built_in() if made.id.startswith("admin/api/effect/") and "manager" not in made.id)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Logins and RCPT by the same list of people as the API's; with `everybody`, every login succeeds."""

    def make(api: FakeApi, *, everybody: bool = False) -> None:
        async def log_in(probe: Any, endpoint: Any, user: str, password: str) -> Reply:
            if not everybody and not api.rest.people.login(user, password, "imap"):
                raise NotServed(Outcome.AUTH_FAILED, Stage.AUTH, Reply("NO"))
            return Reply("OK")

        async def rcpt(probe: Any, address: str) -> Reply:
            people = api.rest.people
            if not people.destinations(address) and address.rpartition("@")[2] not in people.all["relay"]:
                raise NotServed(Outcome.REFUSED, Stage.RCPT, Reply("550"))
            return Reply("250")

        monkeypatch.setattr(admin_api_effects, "log_in", log_in)
        monkeypatch.setattr(admin_api_effects, "rcpt_from_stranger", rcpt)

    return make


def ended(id_: str) -> Outcome | None:
    try:
        return seen(id_).outcome
    except NotServed as end:
        return end.outcome


@pytest.mark.parametrize("id_", EFFECTS)
def test_what_the_api_changes_takes_effect(id_: str, api: Any, server: Any) -> None:
    server(api())
    assert ended(id_) is question(id_).wanted


@pytest.mark.parametrize("id_", EFFECTS)
def test_what_takes_no_effect_is_seen(id_: str, api: Any, server: Any) -> None:
    """Nothing that is created is there; and nobody who is locked out is refused."""
    refused = id_.endswith("-is-refused")
    if "token-logs-in" in id_:
        pytest.skip("a token is made beside the objects that the fault loses")
    server(api(*() if refused else ("api-ghost",)), everybody=refused)
    assert ended(id_) is not question(id_).wanted


def test_who_cannot_log_in_at_all_is_no_proof_of_a_lock(api: Any, server: Any) -> None:
    server(api("api-ghost"))
    assert ended("admin/api/effect/disabled-is-refused") is Outcome.NOT_OFFERED
