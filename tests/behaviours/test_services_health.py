"""Health checks that leave processes behind are told from services at work."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import services_health, services_restart
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Outcome
from pytest_mailu.stack.docker.images import health_command
from pytest_mailu.stack.service_access import usage_in
from tests.behaviours.local_stack import local_probe

IDLE = "1 (start.py) S 0 1 1\n7 (dovecot) S 1 1 1\n8 (anvil) S 7 1 1\n"


def table(*more: str) -> str:
    return IDLE + "".join(f"{100 + number} {line} 1 1 1\n" for number, line in enumerate(more))


def test_zombies_and_processes_that_each_check_leaves_are_told() -> None:
    assert services_health.piled_up(table(), table()) == ([], [])
    assert services_health.piled_up(table(), table(*["(curl) Z"] * 8)) == (["curl"], [])
    assert services_health.piled_up(table(), table(*["(sh) S"] * 7)) == ([], ["sh"])
    assert services_health.piled_up(table("(sh) Z"), table("(sh) Z", "(sh) Z", "(imap-login) S")) == ([], [])


class Checked:
    """Services whose health check ends with `code`, and leaves `leaves` behind each time."""

    def __init__(self, code: int | None, leaves: str = "") -> None:
        self.code = code
        self.leaves = leaves
        self.runs = 0

    async def health_check(self, service: str) -> CommandResult | None:
        self.runs += 1
        return None if self.code is None else CommandResult(self.code, "no answer\x1b[1m", "")

    async def exec(self, service: str, *command: str) -> CommandResult:
        return CommandResult(0, table(*[self.leaves] * self.runs if self.leaves else []), "")


def ask(function: Any, services: Any) -> Any:
    probe = local_probe({})
    probe.stack.services = services  # type: ignore[misc]
    return asyncio.run(function(probe, "imap"))


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, Outcome.ACCEPTED), (1, Outcome.REFUSED), (None, Outcome.NOT_OFFERED)]
)
def test_the_end_of_the_check_decides(code: int | None, outcome: Outcome) -> None:
    seen = ask(services_health.healthy, Checked(code))
    assert seen.outcome is outcome
    assert seen.reply is None or seen.reply.text == "no answer\\x1b[1m"


def test_a_check_that_leaves_a_zombie_each_time_is_caught() -> None:
    seen = ask(services_health.leaves_nothing, Checked(0, "(curl) Z"))
    assert (seen.outcome, seen.facts) == (Outcome.ALTERED, {"zombies": ["curl"], "left": []})
    assert ask(services_health.leaves_nothing, Checked(0)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("failure", [None, StackError("the service imap exited", "look", ("pid file exists",))])
def test_a_service_that_does_not_come_back_is_unanswered_with_its_last_words(failure: StackError | None) -> None:
    async def start_again(*_: Any, **__: Any) -> StackError | None:
        return failure

    probe = local_probe({})
    probe.stack.services = SimpleNamespace(start_again=start_again)  # type: ignore[misc]
    seen = asyncio.run(services_restart.comes_back(probe, "imap", "kill"))
    assert seen.outcome is (Outcome.UNANSWERED if failure else Outcome.ACCEPTED)
    assert [event.text for event in seen.transcript] == (["pid file exists"] if failure else [])


def test_a_health_check_is_a_command() -> None:
    assert health_command(["CMD", "curl", "-f", "x"]) == ("curl", "-f", "x")
    assert health_command(["CMD-SHELL", "a || b"]) == ("/bin/sh", "-c", "a || b")
    assert health_command(["NONE"]) == health_command([]) == ()


def test_memory_is_without_the_page_cache_of_either_generation_of_cgroups() -> None:
    stats: Any = {
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
        "memory_stats": {"usage": 1000, "stats": {"inactive_file": 300}},
    }
    assert (usage_in(stats).cpu_seconds, usage_in(stats).memory_bytes) == (2.5, 700)
    stats["memory_stats"] = {"usage": 1000, "stats": {"total_inactive_file": 100}}
    assert usage_in(stats).memory_bytes == 900
    with pytest.raises(KeyError):
        usage_in({"cpu_stats": {}, "memory_stats": {}})
