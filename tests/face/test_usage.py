"""What cannot be done is said with cause and remedy and pytest's own status for it; and what needs no session."""

from __future__ import annotations

import json
from typing import Any

import pytest

EXTERNAL_465 = "mailu::submission/465-tls/external"
TYPO = '[[waiver]]\nbehaviour = "submission/465-tls/externl"\nreason = "we know"\n'


@pytest.mark.parametrize(
    ("sides", "args", "said"),
    [
        pytest.param(
            ("recorded:1.0", "new.json"), (), ["no recording of 1.0 comes with", "Choose one of"], id="unknown"
        ),
        pytest.param(("none.json", "new.json"), (), ["cannot read the recording", "Make a new one"], id="missing"),
        pytest.param(("broken.json", "new.json"), (), ["broken.json is not a recording", "Make a new one"], id="JSON"),
        pytest.param(("odd.json", "new.json"), (), ["is a broken recording", "observations"], id="broken"),
        pytest.param(("old.json",), (), ["--mailu-to is missing", "Name both sides"], id="one side"),
        pytest.param(("2024.06", "2.0"), (), ["cannot go from 2024.06 back to 2.0", "one-way"], id="backwards"),
        pytest.param(
            ("old.json", "new.json"),
            ("--mailu-waivers=typo.toml",),
            ["typo.toml:2: there is no behaviour", "did you mean 'submission/465-tls/external'?", "--collect-only"],
            id="typo in a waiver",
        ),
        pytest.param(
            ("old.json", "new.json"),
            ("mailu::no/such/id",),
            ["there is no behaviour no/such/id", "--collect-only"],
            id="id",
        ),
        pytest.param(
            ("old.json", "new.json"),
            ("-n1", "mailu::no/such/id"),
            ["there is no behaviour no/such/id"],
            id="id under xdist",
        ),
        pytest.param((), (EXTERNAL_465,), ["two sides are missing", "→ Name both as well"], id="no sides"),
        pytest.param(("old.json", "new.json"), ("--mailu-fail-on=sometimes",), ["invalid choice"], id="choice"),
    ],
)
def test_usage_errors_end_with_status_4_cause_and_remedy(
    folder: Any, sides: tuple[str, ...], args: tuple[str, ...], said: list[str]
) -> None:
    odd = folder.json("old.json")
    odd["observations"][EXTERNAL_465.removeprefix("mailu::")][0]["outcome"] = "delihvered"
    folder.write({"broken.json": "{", "odd.json": json.dumps(odd), "typo.toml": TYPO})
    done = folder.run(*args, "--mailu-report=out", sides=sides, others="-n1" in args)
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in done.out + done.errors
    assert "INTERNALERROR" not in done.out + done.errors
    for words in said:
        assert words in done.errors, done.errors
    assert not (folder.path / "out").exists()


def test_the_plan_is_printed_and_nothing_is_done(folder: Any) -> None:
    before = sorted(folder.path.iterdir())
    done = folder.run("--mailu-plan", "--mailu-report=out", sides=("2.0.43", "new.json"))
    assert done.status == 0
    done.lines.fnmatch_lines(
        [
            "old: starts Mailu 2.0.43 in its own sealed world, images pulled if missing",
            "new: answers from the recording new.json",
            "compares * behaviours:",
            "*concurrently, variant mx",
            "*compares, decides",
            f"writes the reports and both recordings to {folder.path / 'out'}",
            "removes everything it started",
        ]
    )
    assert "test session starts" not in done.out
    assert sorted(folder.path.iterdir()) == before


@pytest.mark.parametrize("sides", [("recorded:2.0.43", "recorded:2024.06.24"), ("2.0.43", "2024.06.24")])
def test_the_plan_names_as_many_behaviours_as_are_then_collected(folder: Any, sides: tuple[str, str]) -> None:
    collected = folder.run("--collect-only", "-q", sides=sides).out
    number = sum(line.startswith("mailu::") for line in collected.splitlines())
    assert f"compares {number} behaviours:" in folder.run("--mailu-plan", sides=sides).out


def test_a_plan_that_makes_no_sense_is_a_usage_error(folder: Any) -> None:
    assert folder.run("--mailu-plan", sides=("2.0.43",)).status == pytest.ExitCode.USAGE_ERROR


def test_help_shows_every_option_in_a_group_of_its_own(folder: Any) -> None:
    done = folder.run("--help", sides=())
    assert done.status == 0
    done.lines.fnmatch_lines(["comparing two Mailu releases:", "*--mailu-from=SIDE*", "*--mailu-sweep*"])
    done.lines.fnmatch_lines(["*mailu_from (string):*"])
