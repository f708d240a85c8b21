from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Outcome, Reply
from pytest_mailu.probe.mail import SLOW_SECONDS, settled_srs
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import eventually
from tests.behaviours.local_stack import LocalStack, local_probe


def queue(*entries: dict[str, Any]) -> Probe:
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    return local_probe({}, run=lambda service, command: CommandResult(0, text, ""))


def entry(number: str, sender: str, age: float = 0) -> dict[str, Any]:
    recipients = [{"address": "someone@elsewhere.example", "delay_reason": "busy"}]
    return {
        "queue_name": "deferred",
        "queue_id": number,
        "arrival_time": int(time.time() - age),
        "sender": sender,
        "recipients": recipients,
    }


def found(probe: Probe, reply: Reply | None, sender: str = "alice@post.example") -> dict[str, Any] | None:
    letter = probe.mail.compose(to="someone@elsewhere.example", sender=sender)
    return asyncio.run(probe.mail.queue_entry(letter, reply))


def test_a_letter_in_the_queue_is_known_by_the_id_that_the_server_gave() -> None:
    probe = queue(entry("4AAA", "alice@post.example"), entry("4BBB", "SRS0=x=y=elsewhere.example=a@post.example"))
    got = found(probe, Reply("250", "2.0.0", "Ok: queued as 4BBB"), "a@elsewhere.example")
    assert got is not None
    assert got["queue_id"] == "4BBB"


def test_without_an_id_it_is_known_by_its_sender_and_its_age() -> None:
    got = found(queue(entry("4AAA", "alice@post.example", age=60), entry("4BBB", "alice@post.example")), None)
    assert got is not None
    assert got["queue_id"] == "4BBB"


def test_an_id_that_is_not_there_is_nobody_elses_letter() -> None:
    assert found(queue(entry("4AAA", "alice@post.example")), Reply("250", "", "queued as 4CCC")) is None


@pytest.mark.parametrize(
    ("queues", "waits", "outcome"),
    [
        (["active", "active"], [12.0, SLOW_SECONDS], Outcome.DEFERRED),
        (["incoming", "deferred"], [12.0, SLOW_SECONDS], Outcome.DEFERRED),
        (["deferred"], [12.0], Outcome.DEFERRED),
        (["active", ""], [12.0, SLOW_SECONDS, 0.0], Outcome.LOST),
        ([""], [12.0, 0.0], Outcome.LOST),
    ],
)
def test_a_letter_is_lost_only_where_it_is_neither_in_the_queue_nor_at_its_place_afterwards(
    queues: list[str], waits: list[float], outcome: Outcome
) -> None:
    waited: list[float] = []

    class World:
        async def arrivals(self, *, token: str, wait: float) -> list[Any]:
            waited.append(wait)
            return []

    def postqueue(service: str, command: tuple[str, ...]) -> CommandResult:
        name = queues.pop(0)
        return CommandResult(
            0, json.dumps(entry("4AAA", "alice@post.example") | {"queue_name": name}) if name else "", ""
        )

    stack = LocalStack({}, run=postqueue)
    stack.world = World()  # type: ignore[attr-defined]
    probe = Probe(stack, time.time())  # type: ignore[arg-type]
    letter = probe.mail.compose(to="someone@elsewhere.example", sender="alice@post.example")
    seen = asyncio.run(probe.mail.at_world(letter, Reply("250", "", "queued as 4AAA")))
    assert (seen.outcome, waited, queues) == (outcome, waits, [])


@pytest.mark.parametrize(
    ("sender", "settled"),
    [
        ("SRS0=Ab1c=XY=elsewhere.example=a@post.example", "SRS0=<hash>=<day>=elsewhere.example=a@post.example"),
        ("SRS0=Ab1c=XY=elsewhere.example=a+b=c@post.example", "SRS0=<hash>=<day>=elsewhere.example=a+b=c@post.example"),
        ("alice@post.example", "alice@post.example"),
        ("", ""),
    ],
)
def test_a_rewritten_sender_keeps_its_form_alone(sender: str, settled: str) -> None:
    assert settled_srs(sender) == settled


def test_what_never_happens_is_looked_at_once_more_at_the_end() -> None:
    looks = 0

    async def never() -> bool:
        nonlocal looks
        looks += 1
        return False

    assert not asyncio.run(eventually(never, 0.15))
    assert looks >= 2
