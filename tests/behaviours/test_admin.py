from __future__ import annotations

import asyncio

import pytest

from pytest_mailu.behaviours import admin_cli
from pytest_mailu.behaviours.helpers import without_capabilities
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe


def asked(behaviour, ran: CommandResult) -> Observation:
    return asyncio.run(behaviour(local_probe({}, run=lambda service, command: ran)))


def test_a_command_that_fails_is_a_refusal_with_its_last_words() -> None:
    with pytest.raises(NotServed) as stopped:
        asked(admin_cli.config_export, CommandResult(2, "", "Usage: flask mailu …\nError: No such option: --full"))
    assert (stopped.value.outcome, stopped.value.stage) == (Outcome.REFUSED, Stage.COMMAND)
    assert stopped.value.reply == Reply("2", "", "config-export: Error: No such option: --full")


def test_an_export_tells_the_members_of_each_kind() -> None:
    seen = asked(
        admin_cli.config_export, CommandResult(0, '{"user": [{"email": "a"}, {"quota_bytes": 1}], "domain": []}', "")
    )
    assert seen.facts["members"] == {"domain": [], "user": ["email", "quota_bytes"], "alias": [], "relay": []}


@pytest.mark.parametrize(
    ("ran", "outcome"),
    [
        (CommandResult(0, "kept\n", ""), Outcome.ACCEPTED),
        (CommandResult(1, "/tmp/before.yml /tmp/after.yml differ: char 9, line 2\n", ""), Outcome.ALTERED),
        # One file is the beginning of the other: this counted as a refusal.
        (CommandResult(1, "", "cmp: EOF on /tmp/before.yml\n"), Outcome.ALTERED),
    ],
)
def test_a_round_trip_is_kept_or_altered(ran: CommandResult, outcome: Outcome) -> None:
    assert asked(admin_cli.round_trip, ran).outcome is outcome


def test_an_import_that_fails_is_a_refusal() -> None:
    with pytest.raises(NotServed) as stopped:
        asked(admin_cli.round_trip, CommandResult(1, "", "Aborted: invalid input"))
    assert stopped.value.reply is not None
    assert stopped.value.reply.text == "Aborted: invalid input"


def test_capabilities_in_a_login_reply_are_left_to_others() -> None:
    assert without_capabilities(Reply("OK", "CAPABILITY IMAP4rev1 IDLE", "in")) == Reply("OK", "", "in")
    assert without_capabilities(Reply("NO", "AUTHENTICATIONFAILED", "no")).enhanced == "AUTHENTICATIONFAILED"
