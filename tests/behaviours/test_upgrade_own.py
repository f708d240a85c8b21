"""The user's own mailboxes before and after, over a folder of this machine in the place of a container's."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import upgrade_own
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.wire.transport.errors import CannotAsk

PLACES = {"OWN_MAIL": ".", "OWN_WEBMAIL": "roundcube.db", "OWN_DAV": "collections"}


class LocalProbe:
    """Runs what is to run in a container here, on `folder`; `upgraded` as after the upgrade."""

    def __init__(self, folder: Path) -> None:
        self.memory: dict[str, str] = {}
        self.stack = SimpleNamespace(upgraded=False)
        self.services = SimpleNamespace(exec=self._exec)
        self.calls: list[tuple[str, ...]] = []
        self._folder = folder

    async def _exec(self, service: str, *command: str) -> CommandResult:
        self.calls.append(command[5:])
        environment = {**os.environ, **{name: str(self._folder / place) for name, place in PLACES.items()}}
        script = [sys.executable, "-I", "-S", "-c", *command[4:]]
        ran = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60, env=environment)
        return CommandResult(ran.returncode, ran.stdout, ran.stderr)

    def seen(self, outcome: Outcome, stage: Stage, **facts: Any) -> Observation:
        return Observation(outcome, stage, facts=facts)


@pytest.fixture
def probe(tmp_path: Path) -> Any:
    for number in range(230):
        place = tmp_path / f"person{number}@kontor.example" / "cur"
        place.mkdir(parents=True)
        (place / "1:2,S").write_text("one")
    (tmp_path / "alice@post.example" / "cur").mkdir(parents=True)
    return LocalProbe(tmp_path)


def looked(probe: Any) -> Observation:
    return asyncio.run(upgrade_own.mail(probe))


def test_all_mailboxes_are_looked_at_and_of_some_dovecot_is_asked(probe: Any) -> None:
    seen = looked(probe)
    assert seen.outcome is Outcome.ACCEPTED
    assert (seen.facts["mailboxes"], seen.facts["messages"]) == (230, 230)
    assert [call[1:4] for call in probe.calls] == [
        ("0", "0", "1"),
        ("0", "100", "2"),
        ("100", "100", "2"),
        ("200", "100", "2"),
    ]


def test_what_is_gone_is_lost_and_named_only_where_that_is_asked_for(probe: Any, tmp_path: Path) -> None:
    looked(probe)
    probe.stack.upgraded = True
    assert looked(probe).outcome is Outcome.ACCEPTED
    (tmp_path / "person7@kontor.example" / "cur" / "1:2,S").unlink()
    seen = looked(probe)
    assert (seen.outcome, seen.facts["fewer"], seen.facts["lost"]) == (Outcome.LOST, 1, 0)
    assert "named" not in seen.facts
    probe.memory[upgrade_own.OWN] = upgrade_own.NAMED
    assert looked(probe).facts["named"] == ["person7@kontor.example"]
    (tmp_path / "person8@kontor.example").rename(tmp_path / "person8@elsewhere.example")
    seen = looked(probe)
    assert (seen.facts["lost"], seen.facts["named"]) == (1, ["person7@kontor.example"])


def test_where_nothing_is_known_or_can_be_looked_at_nothing_is_told(probe: Any, tmp_path: Path) -> None:
    probe.stack.upgraded = True
    with pytest.raises(CannotAsk, match="from before the upgrade"):
        looked(probe)
    probe._folder = tmp_path / "none"
    with pytest.raises(CannotAsk, match=r"status 1\) FileNotFoundError$"):
        looked(probe)


@pytest.mark.parametrize("seed", range(50))
def test_two_texts_of_sorted_lines_say_what_two_dictionaries_say(seed: int) -> None:
    drawn = random.Random(seed)
    before, now = (
        {f"{drawn.randrange(20):02}": drawn.choice(("", "a b", "[1, 2]")) for _ in range(drawn.randrange(20))}
        for _ in range(2)
    )
    was, is_ = ("\n".join(f"{key} {value}" for key, value in sorted(each.items())) for each in (before, now))
    merged = {key: (value, value_now) for key, value, value_now in upgrade_own._merged(was, is_)}
    assert merged == {key: (value, now.get(key)) for key, value in before.items()}


CONTACTS = """
create table users (user_id integer primary key, username varchar(128));
create table contacts (contact_id integer primary key, user_id integer, del tinyint default 0, name, email, firstname,
  surname, vcard);
create table identities (identity_id integer primary key, user_id integer, del tinyint default 0, standard, name,
  organization, email, "reply-to", bcc, signature);
insert into users values (1, 'anna@kontor.example'), (2, 'box-webmail@post.example'), (3, 'eva@kontor.example');
insert into contacts (user_id, name, email) values (1, 'A', 'a@b.example'), (1, 'B', 'b@b.example'), (2, 'C', 'c@d');
insert into contacts (user_id, name, del) values (1, 'deleted', 1);
insert into identities (user_id, name, signature) values (3, 'Eva', 'Greetings'), (1, 'Anna', '');
"""


@pytest.fixture
def web_mail(probe: Any, tmp_path: Path) -> Callable[[str], Observation]:
    """Looks again after statements changed the database of web mail."""

    def look(statements: str) -> Observation:
        with closing(sqlite3.connect(tmp_path / "roundcube.db")) as connection, connection:
            connection.executescript(statements)
        seen = asyncio.run(upgrade_own.web_mail(probe))
        probe.stack.upgraded = True
        return seen

    return look


@pytest.mark.parametrize(
    ("statement", "outcome", "named"),
    [
        ("update contacts set del = 1 where name = 'B'", Outcome.LOST, ["anna@kontor.example"]),
        ("update contacts set email = 'x' where name = 'A'", Outcome.ALTERED, ["anna@kontor.example"]),
        ("update identities set signature = '' where name = 'Eva'", Outcome.ALTERED, ["eva@kontor.example"]),
        ("delete from identities where name = 'Eva'", Outcome.LOST, []),
        ("delete from contacts where name = 'C'", Outcome.ACCEPTED, None),
        ("insert into contacts (user_id, name) values (2, 'D')", Outcome.ACCEPTED, None),
        ("alter table contacts add column words text", Outcome.ACCEPTED, None),
    ],
    ids=["contact lost", "contact altered", "signature lost", "identity lost", "the test's", "one more", "a column"],
)
def test_contacts_and_identities_of_people_are_compared(
    web_mail: Callable[[str], Observation], probe: Any, statement: str, outcome: Outcome, named: list[str] | None
) -> None:
    before = web_mail(CONTACTS)
    assert (before.outcome, before.facts["number"], before.facts["entries"]) == (Outcome.ACCEPTED, 2, 4)
    after = web_mail(statement)
    assert after.outcome is outcome
    assert "kontor" not in str(after)
    probe.memory[upgrade_own.OWN] = upgrade_own.NAMED
    assert web_mail("").facts.get("named") == (named or None)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda place: None, Outcome.ACCEPTED),
        (lambda place: (place / "one.ics").unlink(), Outcome.LOST),
        (lambda place: (place / "one.ics").write_text("other"), Outcome.ALTERED),
        (lambda place: (place / ".Radicale.props").write_text("{}"), Outcome.ALTERED),
        (lambda place: (place / ".Radicale.lock").write_text("1"), Outcome.ACCEPTED),
        (shutil.rmtree, Outcome.LOST),
    ],
    ids=["nothing", "entry lost", "entry altered", "properties altered", "a lock", "calendar lost"],
)
def test_calendars_of_people_are_compared(
    probe: Any, tmp_path: Path, change: Callable[[Path], object], outcome: Outcome
) -> None:
    place = tmp_path / "collections" / "anna@kontor.example" / "work"
    for folder in (place, tmp_path / "collections" / "box-dav@post.example" / "family"):
        folder.mkdir(parents=True)
        (folder / "one.ics").write_text("BEGIN:VCALENDAR")
        (folder / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    before = asyncio.run(upgrade_own.calendars(probe))
    assert (before.outcome, before.facts["number"], before.facts["entries"]) == (Outcome.ACCEPTED, 1, 2)
    probe.stack.upgraded = True
    change(place)
    after = asyncio.run(upgrade_own.calendars(probe))
    assert after.outcome is outcome
    assert "anna" not in str(after)
