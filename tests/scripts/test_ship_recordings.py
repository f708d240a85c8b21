"""Shipped recordings have the transcripts that a report over two of them shows, and no others."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.model import Observation, Outcome, Recording, Reply, SideInfo, Stage
from pytest_mailu.core.releases import Release
from pytest_mailu.core.serialization import SCHEMA, dumps, read_recording
from pytest_mailu.core.shipped import shipped
from pytest_mailu.core.transcript import Event, Kind, Speaker
from pytest_mailu.judging.judge import QUIET, judge
from pytest_mailu.sides.recording import load
from tests.programs import loaded

SAME, CHANGED, BROKEN = "submission/465-tls/external", "submission/587-starttls/external", "submission/465-tls/local"
SAID = (Event(Speaker.CLIENT, Kind.LINE, "EHLO client.example"),)


def seen(outcome: Outcome, text: str = "Ok") -> tuple[Observation, ...]:
    return (Observation(outcome, Stage.COMMAND, Reply("250", "2.0.0", text), transcript=SAID),)


def recording(release: str, text: str) -> Recording:
    observations = {
        SAME: seen(Outcome.DELIVERED),
        CHANGED: seen(Outcome.DELIVERED, text),
        BROKEN: seen(Outcome.LOST),
    }
    return Recording(SCHEMA, "0", SideInfo(release, release), tuple(sorted(observations)), observations)


def test_what_no_report_shows_is_left_out_and_the_rest_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = loaded("scripts/ship_recordings")
    monkeypatch.setattr(program, "FOLDER", tmp_path / "shipped")
    program.FOLDER.mkdir()
    given = {"2024.06.24": recording("2024.06.24", "Fine"), "2.0.43": recording("2.0.43", "Ok")}
    for release, made in given.items():
        (tmp_path / f"{release}.json").write_text(dumps(made), "utf-8")

    assert program.main([str(tmp_path / f"{release}.json") for release in given]) == 0

    for release, before in given.items():
        after = read_recording(program.FOLDER / f"{release}.json")
        without = {SAME: tuple(replace(one, transcript=()) for one in before.observations[SAME])}
        assert after == replace(before, observations={**before.observations, **without})


def test_several_of_one_release_become_one_and_the_first_goes_first() -> None:
    program = loaded("scripts/ship_recordings")
    services = "webdav/calendar/entry"
    core, more = recording("2.0.43", "Ok"), recording("2.0.43", "Other")
    core = replace(
        core,
        side=replace(
            core.side, images={"smtp": "a"}, settings={"WEBDAV": "none", "WEBMAIL": "roundcube"}, provenance="A; B"
        ),
    )
    more = replace(
        more,
        side=replace(
            more.side,
            images={"smtp": "a", "webdav": "w"},
            settings={"WEBDAV": "radicale", "WEBMAIL": "none", "RELAYNETS": "10.0.0.0/8"},
            provenance="A; W",
        ),
        behaviours=(*more.behaviours, services),
        observations={**more.observations, services: seen(Outcome.ACCEPTED)},
    )
    both = program.together([core, more])
    assert both.observations == {**core.observations, services: seen(Outcome.ACCEPTED)}
    assert both.behaviours == tuple(sorted((*core.behaviours, services)))
    assert both.side.images == {"smtp": "a", "webdav": "w"}
    assert both.side.settings == {"WEBDAV": "radicale", "WEBMAIL": "roundcube"}
    assert both.side.provenance == "A; B; W"


def test_recordings_of_other_images_do_not_become_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for image in ("a", "b"):
        made = recording("2.0.43", "Ok")
        paths.append(tmp_path / f"{image}.json")
        paths[-1].write_text(dumps(replace(made, side=replace(made.side, images={"smtp": image}))), "utf-8")
    assert loaded("scripts/ship_recordings").main([str(path) for path in paths]) == 2
    assert "different images of smtp" in capsys.readouterr().err


def test_a_file_that_is_no_recording_is_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = loaded("scripts/ship_recordings")
    monkeypatch.setattr(program, "FOLDER", tmp_path)
    assert program.main([str(tmp_path / "nothing.json")]) == 2
    assert "nothing.json" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_shipped_ones_have_every_transcript_that_a_report_over_two_of_them_shows() -> None:
    """Behaviours that say nothing on the wire have none anywhere: those of the files and programs in containers."""
    recordings = [load(f"recorded:{name}") for name in sorted(shipped(), key=Release.parse)]
    lacking = {
        behaviour.id
        for behaviour in built_in()
        for old, new in combinations_with_replacement([r.observations.get(behaviour.id, ()) for r in recordings], 2)
        if judge(behaviour.question, old, new, behaviour.volatile).verdict not in QUIET
        and any(one.trouble is None and not one.transcript for one in (*old, *new))
    }
    assert {id_.partition("/")[0] for id_ in lacking} <= {"inside", "services"}
    assert len(lacking) < 40
    assert any(not one.transcript for r in recordings for one in r.observations.get(SAME, ())), "all were kept"
