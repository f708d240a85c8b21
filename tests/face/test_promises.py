"""Runs over recordings that are cut off, forged, partial or failing: none promises more than it saw."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.reports.folder import FORMATS

EXTERNAL_465 = "submission/465-tls/external"
LOCAL_465 = "submission/465-tls/local"
STRANGER_465 = "submission/465-tls/without-login"
WANTED = 'reason = "Nobody here uses it."\n'
STOPS_OTHERS = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "465-tls/external" not in item.nodeid]
"""
FAILING = "def test_own():\n    assert False\n"
RAISING = "def pytest_mailu_matrix(matrix):\n    raise ValueError('oops')\n"

Change = Callable[[dict[str, Any]], Any]
"""Changes the JSON of a recording in its place."""


def edit(id_: str, **fields: Any) -> Change:
    """Set fields of the only observation of a behaviour."""

    def change(data: dict[str, Any]) -> None:
        data["observations"][id_][0].update(fields)

    return change


def each(**fields: Any) -> Change:
    """Set fields of all observations."""

    def change(data: dict[str, Any]) -> None:
        for attempts in data["observations"].values():
            attempts[0].update(fields)

    return change


def family(name: str, **fields: Any) -> Change:
    """Set fields of all observations of a family."""

    def change(data: dict[str, Any]) -> None:
        for id_, attempts in data["observations"].items():
            if id_.startswith(f"{name}/"):
                attempts[0].update(fields)

    return change


def unrecorded(*ids: str) -> Change:
    """Behaviours that the recording names and has no observation of."""

    def change(data: dict[str, Any]) -> None:
        for id_ in ids:
            del data["observations"][id_]

    return change


def half(data: dict[str, Any]) -> None:
    """Every second observation is missing."""
    for id_ in data["behaviours"][::2]:
        data["observations"].pop(id_, None)


def no_attempts(data: dict[str, Any]) -> None:
    """A behaviour with an empty list of attempts."""
    data["observations"][EXTERNAL_465] = []


def wavering(data: dict[str, Any]) -> None:
    """Two attempts that disagree."""
    (good,) = data["observations"][EXTERNAL_465]
    data["observations"][EXTERNAL_465] = [good, {**good, "outcome": "lost"}]


def unnamed(data: dict[str, Any]) -> None:
    """An observation of a behaviour that the list of behaviours lacks."""
    data["behaviours"].remove(EXTERNAL_465)


def nothing(data: dict[str, Any]) -> None:
    """A whole recording of nothing."""
    data["behaviours"], data["observations"] = [], {}


@dataclass(frozen=True)
class Run:
    """What is fed to a run, and what has to come out."""

    name: str
    status: int
    decision: str = ""
    """The decision in report.json; "" where there must be no report."""
    said: tuple[str, ...] = ()
    """Words on the terminal, in its output or its errors."""
    args: tuple[str, ...] = ()
    old: Change | None = None
    new: Change | None = None
    raw: bytes | Callable[[bytes], bytes] | None = None
    """The bytes of the new recording, where it is no JSON any more."""
    files: Mapping[str, str] = field(default_factory=dict)
    others: bool = False


def cut(share: float) -> Callable[[bytes], bytes]:
    """A file that was cut off at this share of its length."""
    return lambda whole: whole[: int(len(whole) * share)]


RUNS = (
    # Whole runs, for comparison
    Run("whole", 0, "go", ("GO  2.0.43 → 2.0.44", "No regressions in")),
    Run("one regression", 1, "no-go", ("1 regression stops the upgrade",), new=edit(EXTERNAL_465, outcome="lost")),
    # Cut off
    Run("cut in the middle", 4, said=("is not a recording", "→ Make a new one"), raw=cut(0.5)),
    Run(
        "cut by one byte more than the line end", 4, said=("is not a recording",), raw=lambda whole: whole.rstrip()[:-1]
    ),
    Run("empty file", 4, said=("is not a recording",), raw=b""),
    Run("no text", 4, said=("is not a recording", "→ Make a new one"), raw=bytes(range(256))),
    Run("one observation missing", 1, "cannot-tell", ("1 inconclusive",), new=unrecorded(EXTERNAL_465)),
    Run("half of the observations missing", 1, "cannot-tell", ("CANNOT TELL",), new=half),
    Run(
        "both cut alike",
        1,
        "cannot-tell",
        ("1 inconclusive",),
        old=unrecorded(EXTERNAL_465),
        new=unrecorded(EXTERNAL_465),
    ),
    Run("a list of no attempts", 1, "cannot-tell", ("1 inconclusive",), new=no_attempts),
    Run(
        "the old side cut and the new one worse",
        1,
        "no-go",
        ("NO-GO",),
        old=unrecorded(LOCAL_465),
        new=edit(EXTERNAL_465, outcome="lost"),
    ),
    Run(
        "nothing recorded", 4, said=("these recordings hold no behaviour", "→ Make new ones"), old=nothing, new=nothing
    ),
    # Forged
    Run(
        "another schema", 4, said=("is not a recording of schema 2 (found: 1)",), new=lambda data: data.update(schema=1)
    ),
    Run("a number that JSON does not have", 4, said=("NaN is no JSON",), new=edit(EXTERNAL_465, seconds=float("nan"))),
    Run("a list", 4, said=("is not a recording of schema 2",), raw=b"[]"),
    Run("nested too deep", 4, said=("is not a recording",), raw=b"[" * 200_000),
    Run("an outcome that does not exist", 4, said=("is a broken recording",), new=edit(EXTERNAL_465, outcome="fine")),
    Run("a reply that is a number", 4, said=("is a broken recording",), new=edit(EXTERNAL_465, reply=250)),
    Run("observations nobody names", 4, said=("is a broken recording", EXTERNAL_465), new=unnamed),
    Run(
        "a lone surrogate",
        4,
        said=("is not a recording: it holds half a surrogate pair",),
        new=edit(EXTERNAL_465, reply={"code": "250", "enhanced": "", "text": "\ud800"}),
    ),
    Run("no answer and no reason", 1, "cannot-tell", ("1 inconclusive",), new=edit(EXTERNAL_465, outcome=None)),
    Run("no answer on both sides", 1, "cannot-tell", ("CANNOT TELL",), old=each(outcome=None), new=each(outcome=None)),
    Run(
        "both sides down",
        1,
        "cannot-tell",
        ("did not answer anything",),
        old=each(outcome="unreachable"),
        new=each(outcome="unreachable"),
    ),
    Run(
        "a family down on both sides",
        1,
        "cannot-tell",
        ("Nothing in mailbox works on 2.0.43",),
        old=family("mailbox", outcome="unreachable"),
        new=family("mailbox", outcome="unreachable"),
    ),
    Run(
        "the new side lets strangers send",
        1,
        "no-go",
        ("1 regression stops the upgrade",),
        new=edit(STRANGER_465, outcome="delivered"),
    ),
    Run("wavering on both sides", 1, "cannot-tell", ("CANNOT TELL",), old=wavering, new=wavering),
    Run("wavering on one side", 1, "cannot-tell", ("CANNOT TELL",), new=wavering),
    # Partial
    Run("-k", 0, "go", ("GO for ", " deselected"), ("-k", "465-tls/external")),
    Run("-m", 0, "go", ("GO for ", " deselected"), ("-m", "mailu(severity='critical')")),
    Run("an id", 0, "go", ("GO for 1 of ", " deselected"), (f"mailu::{EXTERNAL_465}",)),
    Run("a family", 0, "go", ("GO for ", " deselected"), ("mailu::tls",)),
    Run("--deselect", 0, "go", ("GO for ", "1 behaviour deselected"), (f"--deselect=mailu::{EXTERNAL_465}",)),
    Run(
        "deselected by a conftest.py",
        0,
        "go",
        ("GO for ", "deselected"),
        files={"conftest.py": STOPS_OTHERS},
        new=edit(EXTERNAL_465, outcome="lost"),
    ),
    Run(
        "-x", 1, "no-go", ("NO-GO", "The run ended early"), ("-x",), new=edit("access/465-tls/login", outcome="refused")
    ),
    Run("-k of nothing", 5, said=("deselected",), args=("-k", "no_such_thing")),
    Run("part, under xdist", 0, "go", ("GO for ", " deselected"), ("-n2", "-k", "465-tls and submission"), others=True),
    Run("whole, with an own test that fails", 1, "go", ("1 failed",), ("test_own.py",), files={"test_own.py": FAILING}),
    # Failing
    Run(
        "a matrix hook that raises",
        4,
        said=("pytest_mailu_matrix failed: ValueError: oops", "conftest.py, line 2"),
        files={"conftest.py": RAISING},
    ),
    Run(
        "never fails, and says so",
        0,
        "no-go",
        ("NO-GO",),
        ("--mailu-fail-on=never",),
        new=edit(EXTERNAL_465, outcome="lost"),
    ),
    Run(
        "waived",
        0,
        "go-with-waivers",
        ("GO WITH WAIVERS",),
        files={"mailu-waivers.toml": f'[[waiver]]\nbehaviour = "{EXTERNAL_465}"\n{WANTED}'},
        new=edit(EXTERNAL_465, outcome="lost"),
    ),
    Run(
        "a waiver that has expired",
        1,
        "no-go",
        ("NO-GO",),
        files={"mailu-waivers.toml": f'[[waiver]]\nbehaviour = "{EXTERNAL_465}"\n{WANTED}expires = 2020-01-01\n'},
        new=edit(EXTERNAL_465, outcome="lost"),
    ),
    Run(
        "a waiver without a reason",
        4,
        said=("reason",),
        files={"mailu-waivers.toml": f'[[waiver]]\nbehaviour = "{EXTERNAL_465}"\nreason = ""\n'},
    ),
)


@pytest.mark.parametrize("run", [pytest.param(run, id=run.name) for run in RUNS])
def test_no_run_promises_more_than_it_saw(folder: Any, run: Run) -> None:
    sides = {"old.json": run.old, "same.json": run.new}
    for name, change in sides.items():
        data = folder.json(name)
        if change is not None:
            change(data)
            folder.write({name: json.dumps(data)})
    path = folder.path / "same.json"
    if run.raw is not None:
        path.write_bytes(run.raw(path.read_bytes()) if callable(run.raw) else run.raw)
    folder.write(run.files)
    before = _files(folder.path)
    done = folder.run("-q", "--mailu-report=out", *run.args, sides=tuple(sides), others=run.others)
    said = done.out + done.errors
    assert done.status == run.status, said
    assert not [words for words in run.said if words not in said], said
    assert "Traceback" not in said, said
    assert "INTERNALERROR" not in said, said
    _only_the_report_is_new(folder.path, before, bool(run.decision))
    if not run.decision:
        assert "Reports: " not in said
        assert not [line for line in said.splitlines() if line.startswith("GO")], said
        return
    report = folder.json("out/report.json")
    assert report["decision"] == run.decision
    _is_the_same_everywhere(folder, report, done.out)


def _files(path: Path) -> set[str]:
    """Files below a folder, without the caches of pytest and Python."""
    return {
        str(file.relative_to(path))
        for file in path.rglob("*")
        if not {".pytest_cache", "__pycache__"} & set(file.relative_to(path).parts)
    }


def _only_the_report_is_new(path: Path, before: set[str], expected: bool) -> None:
    reports = {"out", *(os.path.join("out", name) for name in REPORTS)} if expected else set()
    assert _files(path) - before == reports


REPORTS = ("report.json", "old.json", "new.json", *FORMATS)


def _is_the_same_everywhere(folder: Any, report: Any, terminal: str) -> None:
    """Every format has the decision, and says so where it is over part of the matrix; a page says why as well."""
    word = {"go": "GO", "go-with-waivers": "GO WITH WAIVERS", "no-go": "NO-GO", "cannot-tell": "CANNOT TELL"}
    part = bool(report["left_out"].get("deselected"))
    texts = {name: (folder.path / "out" / name).read_text("utf-8") for name in FORMATS}
    for text in (terminal, *texts.values()):
        assert word[report["decision"]] in text
        if part and report["decision"].startswith("go"):
            assert f"for {report['selected']} of " in text
    for text in (terminal, texts["report.html"], texts["report.md"]):
        assert not part or "deselected" in text
