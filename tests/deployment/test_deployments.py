"""Deployments as people have them: what has to be found in each, with file, line and cure, and nothing else.

`expected.toml` in each folder says which upgrade it is about. What concerns the releases whatever the files say
(`known`, `route`) is left out of it, and tested on its own.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.model import Action, Severity, Verdict
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.host import Host, Mounted, Taken
from pytest_mailu.deployment.model import Place, Setting
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.reader import Sources, read_deployment, with_compose
from pytest_mailu.judging.judge import QUIET, judge, severity

FOLDERS = sorted(path for path in (Path(__file__).parent / "deployments").iterdir() if path.is_dir())
WHATEVER_THE_FILES_SAY = ("settings/known/", "settings/route/")


def expected(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "expected.toml").read_text("utf-8"))


def machine(folder: Path) -> Host | None:
    """The host that `expected.toml` tells of; None where the check knows nothing of it."""
    known = expected(folder).get("host")
    if known is None:
        return None
    return Host(
        project=known.get("project", ""),
        own=tuple(known.get("own", ())),
        taken=tuple(Taken(**entry) for entry in known.get("taken", ())),
        mounts=tuple(
            Mounted(**{**entry, "source": entry["source"].replace("{root}", str(folder))})
            for entry in known.get("mounts", ())
        ),
    )


def notes(folder: Path, old: str, new: str) -> list[Note]:
    made = check(read_deployment(Sources(folder)), Release.parse(old), Release.parse(new), machine=machine(folder))
    return [note for note in made if not note.id.startswith(WHATEVER_THE_FILES_SAY)]


def told(note: Note) -> dict[str, str] | None:
    comparison = judge(note.question, [note.old], [note.new])
    if comparison.verdict in QUIET:
        return None
    return {
        "id": note.id,
        "verdict": str(comparison.verdict),
        "severity": str(severity(comparison)),
        "place": str(note.place or ""),
        "write": note.write,
    }


def test_there_are_forty_of_all_series() -> None:
    assert len(FOLDERS) >= 40
    assert {expected(folder)["from"].rpartition(".")[0] for folder in FOLDERS} == {"1.9", "2.0", "2024.06"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_has_to_be_found_is_found_and_nothing_else(folder: Path) -> None:
    wanted = expected(folder)
    found = [told(note) for note in notes(folder, wanted["from"], wanted["to"])]
    assert [entry for entry in found if entry is not None] == wanted.get("finding", [])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_finding_says_what_breaks_and_on_what_that_rests(folder: Path) -> None:
    wanted = expected(folder)
    for note in notes(folder, wanted["from"], wanted["to"]):
        if told(note) is not None:
            assert note.question.title
            assert note.question.breaks.endswith((".", "!")), note.id
            assert note.question.source, note.id
            assert note.remedy or told(note)["verdict"] == Verdict.GAINED, note.id  # type: ignore[index]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_line_that_is_offered_sets_a_value_that_another_check_rejects(folder: Path) -> None:
    wanted = expected(folder)
    old, new = Release.parse(wanted["from"]), Release.parse(wanted["to"])
    deployment, host = read_deployment(Sources(folder)), machine(folder)
    for note in notes(folder, wanted["from"], wanted["to"]):
        name, equals, value = note.write.partition("=")
        if equals and name.isidentifier():
            setting = Setting(name, value, Place("", 0), raw=value)
            written = replace(deployment, settings={**deployment.settings, name: setting})
            rejected = [each.id for each in check(written, old, new, machine=host) if each.lost or each.broken]
            same_setting = (f"settings/env/{name}/", f"settings/{name.lower()}/")
            assert not [id_ for id_ in rejected if id_ != note.id and id_.startswith(same_setting)], note.write


def test_a_mistake_with_both_releases_is_something_to_do_and_as_grave_as_it_is() -> None:
    """An open relay stood last, as information to look at."""
    made = {note.id: note for note in notes(FOLDERS[0].parent / "20-mistakes", "2.0.43", "2.0.43")}
    relay = made["settings/env/RELAYNETS/open"]
    assert severity(judge(relay.question, [relay.old], [relay.new])) is Severity.CRITICAL
    assert [advice.action for advice in relay.advice] == [Action.DO]
    twice = made["settings/env/RELAYNETS/twice"]
    assert (twice.write, twice.edits) == ("", ())
    assert "write" not in twice.old.facts


@pytest.mark.parametrize(
    ("published", "told"),
    [((25, 110, 143, 587), "110, 143, 587"), ((25, 465, 587), "587"), ((25, 143, 587), "143, 587")],
)
def test_ports_that_close_together_are_all_named_and_no_others(
    tmp_path: Path, published: tuple[int, ...], told: str
) -> None:
    """A report of three closed ports named 143 alone, and not 587, where mail programs send."""
    ports = ", ".join(f'"{port}:{port}"' for port in published)
    (tmp_path / "docker-compose.yml").write_text(
        f"services:\n  front:\n    image: ghcr.io/mailu/nginx:2.0.43\n    env_file: mailu.env\n    ports: [{ports}]\n"
    )
    (tmp_path / "mailu.env").write_text("DOMAIN=a.example\n")
    made = check(read_deployment(Sources(tmp_path)), Release.parse("2.0.43"), Release.parse("2024.06.57"))
    closed = [note for note in made if note.lost]
    titles = {advice.title for note in closed for advice in note.advice}
    assert titles == {f"mailu.env, line 2: PORTS leaves out {told}"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_from_a_release_to_itself_nothing_changes(folder: Path) -> None:
    release = expected(folder)["from"]
    deployment = read_deployment(Sources(folder))
    # What runs on the host can differ from the files whatever the release.
    made = check(deployment, Release.parse(release), Release.parse(release))
    verdicts = {str(judge(note.question, [note.old], [note.new]).verdict) for note in made}
    assert verdicts <= {"same", "broken", "absent"}


SECRETS = ("kW3pQ9xZ7tR2mN5v", "7xq2LmR9tB4w")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_note_shows_a_secret(folder: Path) -> None:
    wanted = expected(folder)
    for note in notes(folder, wanted["from"], wanted["to"]):
        shown = f"{note.question} {note.old.facts} {note.new.facts} {note.advice}"
        assert not [secret for secret in SECRETS if secret in shown], note.id


@pytest.mark.parametrize(
    ("before", "after", "old", "new", "lost"),
    [
        ("19-plain", "20-plain", "1.9.50", "2.0.43", set()),
        ("20-plain", "2406-to-master", "2.0.43", "2024.06.57", {"110", "143", "587"}),
        ("20-ports-set", "20-ports-set", "2.0.43", "2024.06.57", set()),
        ("2406-to-master", "2406-to-master", "2024.06.57", "master", set()),
        ("2406-to-master", "2406-to-master", "2024.06.24", "2024.06.57", set()),
        ("20-plain", "20-plain", "2.0.20", "2.0.43", set()),
    ],
)
def test_an_upgrade_as_the_documents_say_gives_no_false_alarm(
    before: str, after: str, old: str, new: str, lost: set[str]
) -> None:
    """With the files that the set-up page of the new series writes: what remains is what really closes."""
    here = Path(__file__).parent / "deployments"
    first = read_deployment(Sources(here / before))
    second = with_compose(first, Sources(here / before), here / after / "docker-compose.yml")
    made = check(first, Release.parse(old), Release.parse(new), second)
    verdicts = {note.id: judge(note.question, [note.old], [note.new]).verdict for note in made}
    alarms = {id_ for id_, verdict in verdicts.items() if verdict in (Verdict.REGRESSED, Verdict.BROKEN)}
    assert alarms == {f"settings/ports/{port}" for port in lost}
