"""Recordings that are older than the matrix, cut off, or changed by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

EXTERNAL_465 = "submission/465-tls/external"
LOCAL_465 = "submission/465-tls/local"


def without(folder: Any, name: str, *ids: str, fields: Sequence[str] = ("behaviours", "observations")) -> str:
    """The text of a recording without some behaviours, in some of its fields."""
    data = folder.json(name)
    for id_ in ids:
        if "behaviours" in fields:
            data["behaviours"].remove(id_)
        if "observations" in fields:
            del data["observations"][id_]
    return json.dumps(data)


def test_a_behaviour_newer_than_both_recordings_is_left_out_counted_and_named(folder: Any, ids: list[str]) -> None:
    folder.write({name: without(folder, name, EXTERNAL_465, LOCAL_465) for name in ("old.json", "same.json")})
    done = folder.run("-v", "--mailu-report=out", sides=("old.json", "same.json"))
    assert done.status == 0
    report = folder.json("out/report.json")
    assert sum(report["counts"].values()) == len(ids) - 2
    said = f"2 behaviours are newer than these recordings, and left out: {LOCAL_465}, {EXTERNAL_465}."
    assert sorted(said.split()) == sorted(" ".join(report["notes"]).split())
    for page in ("out/report.md", "out/report.html"):
        assert "2 behaviours are newer than these recordings" in (folder.path / page).read_text("utf-8")
    done.lines.fnmatch_lines(["*2 behaviours are newer than these recordings*"])


def test_a_behaviour_newer_than_one_of_two_recordings_is_inconclusive(folder: Any) -> None:
    folder.write({"old.json": without(folder, "old.json", EXTERNAL_465)})
    done = folder.run("-v", "--mailu-report=out", sides=("old.json", "same.json"))
    assert done.status == 1
    done.lines.fnmatch_lines([f"mailu::{EXTERNAL_465} INCONCLUSIVE*"])
    (found,) = folder.json("out/report.json")["findings"]
    assert (found["why"]["side"], found["why"]["detail"]) == ("old", "the behaviour is newer than this recording")
    assert folder.json("out/report.json")["decision"] == "cannot-tell"


def test_a_behaviour_that_was_cut_off_is_inconclusive(folder: Any) -> None:
    cut = without(folder, "same.json", EXTERNAL_465, fields=["observations"])
    folder.write({"cut.json": cut})
    done = folder.run("-v", "--mailu-report=out", sides=("old.json", "cut.json"))
    assert done.status == 1
    (found,) = folder.json("out/report.json")["findings"]
    assert (found["behaviour"], found["why"]["detail"]) == (EXTERNAL_465, "not recorded")


def test_a_recording_that_holds_what_it_does_not_name_is_refused(folder: Any) -> None:
    folder.write({"forged.json": without(folder, "same.json", EXTERNAL_465, fields=["behaviours"])})
    done = folder.run("-q", sides=("old.json", "forged.json"))
    assert done.status == 4
    assert "is a broken recording" in done.errors
    assert f"observations of {EXTERNAL_465}, which `behaviours` does not name" in done.errors


def test_recordings_that_know_no_behaviour_are_no_success(folder: Any) -> None:
    data = folder.json("old.json")
    folder.write({"empty.json": json.dumps({**data, "behaviours": [], "observations": {}})})
    done = folder.run("-q", "--mailu-report=out", sides=("empty.json", "empty.json"))
    assert done.status != 0
    assert "GO  " not in done.out.replace("NO-GO", "")


def test_a_recording_made_from_a_recording_names_the_same_behaviours(folder: Any) -> None:
    folder.write({name: without(folder, name, EXTERNAL_465) for name in ("old.json", "same.json")})
    folder.run("-q", "--mailu-report=out", sides=("old.json", "same.json"))
    assert folder.json("out/old.json")["behaviours"] == folder.json("old.json")["behaviours"]
