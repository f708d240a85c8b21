"""Recordings and reports as JSON: there and back without loss, and errors that name the place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import (
    Advice,
    Comparison,
    Observation,
    Outcome,
    Question,
    Recording,
    Reply,
    Report,
    Severity,
    SideInfo,
    Stage,
    Verdict,
    Waiver,
)
from pytest_mailu.core.serialization import ATTEMPTS, LONGEST, SCHEMA, dumps, plain, read_recording, structured
from pytest_mailu.core.transcript import Connection, Event, Kind, Queued, Speaker, Submission
from pytest_mailu.judging.decision import decide
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge

FACTS: dict[str, Any] = {
    "tls": True,
    "size": 50_000_000,
    "none": None,
    "ratio": 0.5,
    "ehlo": ["SIZE", "8BITMIME"],
    "deep": {"a": [{}]},
}
TRANSCRIPT = (
    Event(Speaker.PROBE, Kind.CONNECT, "connecting to front:25 as stranger", 0.0, Connection("front", 25, "stranger")),
    Event(Speaker.CLIENT, Kind.LINE, "NOOP", 0.25),
    Event(Speaker.SERVER, Kind.LINE, "250 Ok: queued as 4ABCDEF12", None, Queued("4ABCDEF12")),
    Event(Speaker.PROBE, Kind.MESSAGE, "message <a@b>", None, Submission("<a@b>")),
    Event(Speaker.SERVER, Kind.LOG, "a line"),
)
SEEN = Observation(
    Outcome.DELIVERED,
    Stage.DELIVERY,
    Reply("250", "2.0.0", "Grüße\nzweite Zeile\x00 \u202e"),
    FACTS,
    transcript=TRANSCRIPT,
    logs=("smtp | sent",),
    started=1_760_000_000.25,
    seconds=0.125,
)
UNTOLD = Observation(None, Stage.CONNECT, trouble="no door")
SIDE = SideInfo("2.0.43", "2.0.43", "a stack", {"front": "sha256:1"}, {"TLS_FLAVOR": "cert"}, {"SUBNET": "10.0.0.0/24"})
QUESTION = Question("a/25/x", "Title", "Breaks.", "RFC 5321", Outcome.DELIVERED, Severity.CRITICAL)
RECORDING = Recording(SCHEMA, "0.1.0", SIDE, ("a/25/x", "a/25/y"), {"a/25/x": (SEEN, UNTOLD), "a/25/y": (UNTOLD,)})


def report() -> Report:
    refused = Observation(Outcome.REFUSED, Stage.RCPT, Reply("554", "5.7.1", "Relay access denied"))
    compared = [judge(QUESTION, [SEEN], [refused])]
    waiver = Waiver("a/*", "we know", from_="2.0", to="2024.06", path="reply.*", expires="2027-01-31", by="Ada", line=3)
    told = findings(
        compared, lambda _: (Advice("id", "cause", "remedy", "source"),), lambda _: waiver, lambda _: "swaks"
    )
    return Report(SCHEMA, decide(told, compared), SIDE, SIDE, {str(Verdict.REGRESSED): 1}, told, ("a note",), 1.5)


def test_a_recording_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(dumps(RECORDING), "utf-8")
    assert read_recording(file) == RECORDING


def test_words_come_back_as_members_of_their_enumeration(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(dumps(RECORDING), "utf-8")
    attempt = read_recording(file).observations["a/25/x"][0]
    assert attempt.outcome is Outcome.DELIVERED
    assert attempt.stage is Stage.DELIVERY


def test_a_report_comes_back_as_it_was() -> None:
    assert structured(json.loads(dumps(report())), Report) == report()


def test_a_comparison_survives_plain_json() -> None:
    for old, new in (([SEEN], [UNTOLD]), ([], [SEEN]), ([SEEN, SEEN], [SEEN])):
        compared = judge(QUESTION, old, new)
        assert structured(json.loads(json.dumps(plain(compared))), Comparison) == compared


def test_plain_values_hold_no_enumerations() -> None:
    def kinds(value: Any) -> set[type]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        return {type(value)}.union(*map(kinds, inner))

    seen = Observation(Outcome.DELIVERED, Stage.RCPT, facts={"outcome": Outcome.LOST, "stages": [Stage.RCPT]})
    assert kinds(plain(judge(QUESTION, [seen], [UNTOLD]))) <= {dict, list, str, int, float, bool, type(None)}


def test_enumerations_are_written_as_their_words_and_from_as_from() -> None:
    data = json.loads(dumps(report()))
    (found,) = data["findings"]
    assert data["decision"] == "go-with-waivers"
    assert (found["verdict"], found["severity"], found["new"]["outcome"]) == ("regressed", "critical", "refused")
    assert found["waiver"]["from"] == "2.0"
    assert "from_" not in found["waiver"]


def test_the_report_has_the_fields_that_the_design_promises() -> None:
    data = json.loads(dumps(report()))
    assert {"schema", "decision", "old", "new", "counts", "findings"} <= data.keys()
    assert {"release", "images", "version", "provenance", "settings"} <= data["old"].keys()
    assert data["findings"][0].keys() >= {
        *("behaviour", "family", "title", "breaks", "verdict", "severity", "root", "old", "new", "differences"),
        *("advice", "fingerprint", "waiver", "reproduce"),
    }
    assert data["findings"][0]["old"].keys() >= {"outcome", "stage", "reply", "facts"}
    assert data["findings"][0]["old"]["reply"].keys() == {"code", "enhanced", "text"}
    assert data["findings"][0]["differences"][0].keys() == {"path", "kind", "old", "new"}
    assert data["findings"][0]["advice"][0].keys() >= {"id", "cause", "remedy", "source"}


def test_a_recording_has_the_fields_that_the_design_promises() -> None:
    data = json.loads(dumps(RECORDING))
    assert data.keys() == {"schema", "matrix", "side", "behaviours", "observations"}
    assert [attempt["outcome"] for attempt in data["observations"]["a/25/x"]] == ["delivered", None]


def test_text_is_written_as_text_so_that_a_diff_reads_well() -> None:
    assert "Grüße" in dumps(RECORDING)
    assert dumps(RECORDING).endswith("}\n")


def test_what_a_newer_version_adds_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps({**plain(RECORDING), "later": 1}), "utf-8")
    assert read_recording(file) == RECORDING


def broken(change: dict[str, Any]) -> dict[str, Any]:
    return {**plain(RECORDING), **change}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"observations": {"a/25/x": [{"outcome": "delihvered", "stage": "delivery"}]}}, "a/25/x"),
        ({"observations": {"a/25/x": [{"outcome": "delivered"}]}}, "stage"),
        ({"observations": {"a/25/x": [{"outcome": "delivered", "stage": "rcpt", "seconds": "long"}]}}, "seconds"),
        ({"observations": {"a/25/x": [{"outcome": "delivered", "stage": "rcpt", "seconds": "nan"}]}}, "seconds"),
        ({"observations": {"a/25/x": [{"outcome": "delivered", "stage": "rcpt", "started": True}]}}, "started"),
        ({"observations": {"a/25/x": [7]}}, "a/25/x"),
        ({"observations": []}, "observations"),
        ({"observations": {"a/25/x": [{"outcome": "refused", "stage": "rcpt", "reply": {"code": 554}}]}}, "code"),
        ({"observations": {"a/25/x": [{"outcome": None, "stage": "rcpt", "trouble": None}]}}, "trouble"),
        ({"side": {}}, "release"),
        ({"side": None}, "side"),
        ({"behaviours": None}, "behaviours"),
        ({"behaviours": [7]}, "behaviours"),
    ],
)
def test_a_broken_recording_is_a_usage_error_that_names_the_place(
    tmp_path: Path, change: dict[str, Any], place: str
) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(broken(change)), "utf-8")
    with pytest.raises(UsageError) as caught:
        read_recording(file)
    assert caught.value.cause == f"{file} is a broken recording"
    assert "--mailu-report" in caught.value.remedy
    assert any(place in line for line in caught.value.details), caught.value.details


def test_a_recording_that_holds_a_behaviour_it_does_not_name_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(broken({"behaviours": ["a/25/x"]})), "utf-8")
    with pytest.raises(UsageError, match="is a broken recording") as caught:
        read_recording(file)
    assert caught.value.details == ("observations of a/25/y, which `behaviours` does not name",)


def test_a_recording_with_more_attempts_than_any_run_makes_is_refused(tmp_path: Path) -> None:
    """Comparing them would take minutes."""
    file = tmp_path / "old.json"
    attempt = plain(RECORDING)["observations"]["a/25/x"][:1]
    file.write_text(json.dumps(broken({"observations": {"a/25/x": attempt * ATTEMPTS}})), "utf-8")
    assert len(read_recording(file).observations["a/25/x"]) == ATTEMPTS
    file.write_text(json.dumps(broken({"observations": {"a/25/x": attempt * (ATTEMPTS + 1)}})), "utf-8")
    with pytest.raises(UsageError, match="more than 100 attempts of a/25/x"):
        read_recording(file)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "is not a recording: Expecting"),
        ("", "is not a recording: Expecting"),
        ("[]", "is not a recording of schema 2 (found: None)"),
        ("{}", "is not a recording of schema 2 (found: None)"),
        ('{"schema": 99}', "is not a recording of schema 2 (found: 99)"),
        ('{"schema": "1"}', "is not a recording of schema 2 (found: 1)"),
        ("[" * 100_000, "is not a recording: nested more than 60 deep"),
        ('{"a":' * 61 + "1" + "}" * 61, "is not a recording: nested more than 60 deep"),
        ("9" * 41, "is not a recording: a number of more than 40 digits"),
        ("9" * 5_000, "is not a recording: a number of more than 40 digits"),
        ("-1e999", "is not a recording: the number -1e999 is too large"),
    ],
)
def test_what_is_no_recording_says_so(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "old.json"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_recording(file)
    assert caught.value.cause.startswith(f"{file} {cause}")


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.json", "missing.json", "."):
        with pytest.raises(UsageError, match="recording"):
            read_recording(tmp_path / name)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(dumps(RECORDING).replace('"seconds": 0.125', f'"seconds": {number}'), "utf-8")
    with pytest.raises(UsageError, match=f"{number} is no JSON"):
        read_recording(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_written_as_text(number: float) -> None:
    """Behaviours of users may see one. The report is written all the same, and other programs can read it."""
    recording = replace(RECORDING, observations={"a/25/x": (replace(SEEN, facts={"ratio": number}),)})
    written = json.loads(dumps(recording), parse_constant=pytest.fail)
    assert written["observations"]["a/25/x"][0]["facts"] == {"ratio": str(number)}


def test_what_is_no_regular_file_is_refused_unread() -> None:
    with pytest.raises(UsageError, match="/dev/zero: it is not a regular file"):
        read_recording(Path("/dev/zero"))


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(LONGEST + 1)
    with pytest.raises(UsageError, match="it has more than 64 MB"):
        read_recording(path)


def test_a_report_is_not_a_recording(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    file.write_text(dumps(report()), "utf-8")
    with pytest.raises(UsageError):
        read_recording(file)


def test_an_event_of_a_transcript_is_a_short_list_on_one_line() -> None:
    lines = [line.strip() for line in dumps(RECORDING).splitlines()]
    assert '["client", "line", "NOOP", 0.25],' in lines
    assert '["server", "line", "250 Ok: queued as 4ABCDEF12", null, {"queue_id": "4ABCDEF12"}],' in lines
    assert '["server", "log", "a line"]' in lines


@pytest.mark.parametrize(
    "event",
    [
        "C: NOOP",
        [],
        ["client", "line"],
        ["client", "line", "x", 1.0, None, 1],
        ["nobody", "line", "x"],
        ["client", "shout", "x"],
        ["client", "line", None],
        ["client", "line", "x", "soon"],
        ["client", "line", "x", 1.0, {"queue": "x"}],
    ],
)
def test_an_event_of_another_form_is_refused_and_its_place_named(tmp_path: Path, event: Any) -> None:
    data = json.loads(dumps(RECORDING))
    data["observations"]["a/25/x"][0]["transcript"][1] = event
    (tmp_path / "side.json").write_text(json.dumps(data))
    with pytest.raises(UsageError) as caught:
        read_recording(tmp_path / "side.json")
    assert any("transcript" in place for place in caught.value.details), caught.value.details


@pytest.mark.parametrize("half", ["\\ud800", "\\uDFFF", "x\\udc80y"])
def test_half_a_surrogate_pair_in_a_recording_is_an_error_in_one_line(tmp_path: Path, half: str) -> None:
    """It was a traceback for each behaviour."""
    file = tmp_path / "old.json"
    text = dumps(RECORDING)
    file.write_text(text.replace('"8BITMIME"', f'"{half}"', 1), "utf-8")
    with pytest.raises(UsageError, match="half a surrogate pair") as caught:
        read_recording(file)
    assert "\n" not in caught.value.cause
    file.write_text(text.replace('"8BITMIME"', '"\\ud83d\\ude00"', 1), "utf-8")
    assert read_recording(file)
