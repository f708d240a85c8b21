from __future__ import annotations

import json
from dataclasses import fields
from enum import StrEnum
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from pytest_mailu.core import model
from pytest_mailu.core.model import Comparison, Decision, Recording, Report, Verdict
from pytest_mailu.core.serialization import SCHEMA, dumps, structured


def schema(name: str) -> dict[str, Any]:
    text = (files("pytest_mailu.reports") / f"{name}.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    Draft202012Validator.check_schema(loaded)
    return loaded


def check(name: str, data: Any) -> None:
    Draft202012Validator(schema(name)).validate(data)


@pytest.fixture
def data(report: Report) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(dumps(report))
    return loaded


@pytest.fixture
def recording(report: Report, comparisons: list[Comparison]) -> Recording:
    attempts = {comparison.question.id: comparison.new for comparison in comparisons}
    return Recording(SCHEMA, "0.1.0", report.new, tuple(attempts), attempts)


def test_a_report_with_every_verdict_is_valid(data: dict[str, Any]) -> None:
    assert {name for name, number in data["counts"].items() if number} == set(Verdict)
    check("report", data)


def test_a_report_of_a_hostile_server_is_valid(hostile: Report) -> None:
    data = json.loads(dumps(hostile))
    for finding in data["findings"]:
        finding["old"] = finding["new"] = None
    check("report", data)


@pytest.mark.parametrize("decision", list(Decision))
def test_every_decision_is_valid(data: dict[str, Any], decision: Decision) -> None:
    check("report", {**data, "decision": str(decision), "findings": []})


def test_a_recording_is_valid(recording: Recording) -> None:
    check("recording", json.loads(dumps(recording)))


def test_what_is_valid_can_be_read_back(data: dict[str, Any], report: Report, recording: Recording) -> None:
    assert structured(data, Report).decision is report.decision
    assert json.loads(dumps(structured(data, Report))) == data
    again = structured(json.loads(dumps(recording)), Recording)
    assert dumps(again) == dumps(recording)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(extra=1),
        lambda data: data.pop("counts"),
        lambda data: data.update(schema=3),
        lambda data: data["findings"][0].update(verdict="same"),
        lambda data: data["findings"][0].update(verdict="unheard-of"),
        lambda data: data["findings"][0]["old"].update(outcome="fine"),
        lambda data: data["findings"][0]["old"].update(outcome=None),
        lambda data: data["findings"][0].update(fingerprint="x"),
        lambda data: data["counts"].update(unheard_of=1),
        lambda data: data["old"].update(token="x"),
    ],
)
def test_the_schema_is_strict(data: dict[str, Any], spoil: Any) -> None:
    spoil(data)
    with pytest.raises(ValidationError):
        check("report", data)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("outcome", model.Outcome),
        ("stage", model.Stage),
        ("verdict", model.Verdict),
        ("action", model.Action),
    ],
)
def test_the_schema_knows_the_same_words_as_the_model(name: str, kind: type[StrEnum]) -> None:
    assert schema("report")["$defs"][name]["enum"] == list(kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("observation", model.Observation),
        ("reply", model.Reply),
        ("side", model.SideInfo),
        ("difference", model.Difference),
        ("advice", model.Advice),
        ("waiver", model.Waiver),
        ("finding", model.Finding),
        ("why", model.Why),
        ("run", model.RunInfo),
        ("cause", model.Cause),
    ],
)
def test_the_schema_knows_the_same_fields_as_the_model(name: str, kind: type) -> None:
    described = schema("report")["$defs"][name]
    assert list(described["properties"]) == described["required"]
    assert set(described["properties"]) == {field.name.rstrip("_") for field in fields(kind)}


def test_both_schemas_describe_observations_alike() -> None:
    shared = schema("recording")["$defs"]
    assert shared == {name: schema("report")["$defs"][name] for name in shared}
