from __future__ import annotations

import asyncio
import json

import pytest

from pytest_mailu.behaviours import sieve, sieve_effects
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Reply
from tests.behaviours.local_stack import local_probe


@pytest.mark.parametrize(
    "script",
    [sieve.SCRIPT, sieve.BROKEN, sieve.UNKNOWN, sieve_effects.RULES, sieve_effects.SENDING, sieve_effects.AWAY],
)
def test_scripts_have_crlf_line_ends_and_ask_for_what_they_use(script: str) -> None:
    assert "\n" not in script.replace("\r\n", "")
    assert script.startswith("require ")


def test_every_rule_that_is_asked_for_is_in_the_script() -> None:
    for rule, (folder, flags) in sieve_effects.SORTED.items():
        assert f"rule-{rule}" in sieve_effects.RULES
        assert folder == "INBOX" or f'"{folder}"' in sieve_effects.RULES
        assert not flags or flags == sorted(flags)


def test_a_broken_script_is_broken() -> None:
    assert sieve.BROKEN.count("{") > sieve.BROKEN.count("}")


def test_a_letter_is_waited_for_until_postfix_lets_go_of_it() -> None:
    """Two answers were seen on real Mailu where the second letter came before Dovecot was done with the first."""
    looks = []

    def run(service: str, command: tuple[str, ...]) -> CommandResult:
        looks.append((service, *command))
        entry = {"queue_id": "4ABC", "sender": "a@elsewhere.example", "arrival_time": 0, "recipients": []}
        return CommandResult(0, json.dumps(entry) if len(looks) < 3 else "", "")

    async def leaves() -> bool:
        probe = local_probe({}, run=run)
        return await probe.mail.leaves_queue(probe.mail.compose(to="b@post.example"), Reply(text="Ok: queued as 4ABC"))

    assert asyncio.run(leaves())
    assert looks == [("smtp", "postqueue", "-j")] * 3
