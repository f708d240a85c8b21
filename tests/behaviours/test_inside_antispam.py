"""Rspamd's configuration and its findings as facts, from answers as it gives them and from rubbish."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from typing import Any

import pytest

from pytest_mailu.behaviours import inside_antispam
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.model import Outcome
from pytest_mailu.probe.standard_messages import STANDARD
from pytest_mailu.stack.world.dkim import public_record, strangers_key, verify
from pytest_mailu.wire.transport.errors import CannotAsk
from tests.behaviours.local_stack import local_probe
from tests.wire.peer import expect_until, peer, send

DUMP = {
    "actions": {"reject": 15, "add_header": 6, "greylist": 4},
    "group": {"headers": {"symbols": {"MISSING_DATE": {"weight": 1.0}, "BROKEN": {}}}, "odd": "no group"},
    "force_actions": {"rules": {"ANTISPOOF": {"expression": "!A &\n   B", "message": "no"}}},
    "milter_headers": {"use": ["x-spam-level", "authentication-results"]},
    "worker": [{"normal": {"enabled": False}}, {"controller": {"secure_ip": "10.1.2.0/24"}}],
    "greylist": {"timeout": 300, "servers": "10.1.2.9:6379"},
    "regexp": {"X": "lua code"},
}


def dumped(text: str, part: str) -> Any:
    probe = local_probe({}, run=lambda service, command: CommandResult(0, text, ""))
    probe.stack.addresses["10.1.2.9"] = "redis"  # type: ignore[index]
    return asyncio.run(inside_antispam.configuration(probe, part))


def test_each_part_has_its_settings_by_path_under_common_names() -> None:
    text = json.dumps(DUMP)
    facts = {part: dumped(text, part).facts["settings"] for part in inside_antispam.PARTS}
    assert facts["actions"] == {"actions.reject": 15, "actions.add_header": 6, "actions.greylist": 4}
    assert facts["weights"] == {"MISSING_DATE": 1.0}
    assert facts["force-actions"]["force_actions.rules.ANTISPOOF.expression"] == "!A & B"
    assert facts["milter-headers"] == {"milter_headers.use": ["x-spam-level", "authentication-results"]}
    assert facts["workers"]["worker.1.controller.secure_ip"] == "<network>"
    assert facts["modules"] == {"greylist.timeout": 300, "greylist.servers": "<redis>:6379"}


def test_a_complaint_before_the_configuration_is_no_part_of_it() -> None:
    """Rspamd of 1.9.50 writes one where the antivirus is on."""
    complaint = "CLAM_VIRUS [clamav]: Using attachments_only is deprecated. Please use scan_mime_parts = true instead\n"
    seen = dumped(complaint + json.dumps(DUMP, indent=4), "actions")
    assert seen.facts["settings"]["actions.reject"] == 15


def test_a_long_configuration_is_cut_and_says_so() -> None:
    many = {"greylist": {f"key{number}": number for number in range(inside_antispam.MOST + 10)}}
    facts = inside_antispam.part_of(many, "modules")
    assert len(facts["settings"]) == inside_antispam.MOST
    assert facts["left_out"] == 10


@pytest.mark.parametrize("text", ["", "no JSON", '{"a": '])
def test_no_configuration_cannot_be_asked(text: str) -> None:
    with pytest.raises(CannotAsk, match="no JSON"):
        dumped(text, "actions")


@pytest.mark.parametrize("text", ["[]", "3", '{"actions": [1], "group": []}'])
def test_a_configuration_of_another_form_has_little_to_say(text: str) -> None:
    for part in inside_antispam.PARTS:
        assert dumped(text, part).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("kind", STANDARD)
def test_a_standard_message_is_what_it_is_called(kind: str) -> None:
    standard = STANDARD[kind]
    message = standard.message()
    parsed: Any = email.message_from_bytes(message.content, policy=email.policy.default)
    assert message.token in message.content.decode("utf-8", "replace").replace("=\r\n", "")
    assert all(name not in parsed for name in standard.how.get("without", ()))  # type: ignore[attr-defined]
    assert [part.get_filename() for part in parsed.iter_attachments()] == [standard.attachment[0]] * bool(
        standard.attachment[0]
    )
    assert (parsed.get_content_type() == "text/html") == bool(standard.html)
    assert len(verify(message.content, lambda _: public_record(strangers_key()))) == standard.signed
    assert standard.message().token != message.token


ANSWER = {
    "action": "no action",
    "score": 1.0,
    "symbols": {
        "R_SPF_ALLOW": {"name": "R_SPF_ALLOW", "score": -0.2000001},
        "BAYES_HAM": {"score": -3.0},
        "odd": 3,
    },
}


def test_symbols_are_told_with_scores_without_what_depends_on_other_mail() -> None:
    assert inside_antispam.read_scan(ANSWER) == {"action": "no action", "symbols": {"R_SPF_ALLOW": -0.2}}


async def scanned(body: bytes, status: str = "200 OK") -> Any:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with asyncio.timeout(20), peer(expect_until(b"\r\n\r\n"), send(head + body)) as served:
        probe = local_probe({inside_antispam.CONTROLLER: served.port})
        return await inside_antispam.scan(probe, STANDARD["plain"]), served.heard


def test_rspamd_is_told_who_sends_to_whom_from_where() -> None:
    found, heard = asyncio.run(scanned(json.dumps(ANSWER).encode()))
    assert found["action"] == "no action"
    assert heard.startswith(b"POST /checkv2 ")
    assert b"rcpt: alice@post.example" in heard.lower()
    assert b"ip: 127.0.0.1" in heard.lower()


@pytest.mark.parametrize(("body", "status"), [(b"{}", "200 OK"), (b"[]", "200 OK"), (b'{"symbols": {}}', "403 No")])
def test_another_answer_cannot_be_read(body: bytes, status: str) -> None:
    with pytest.raises(CannotAsk, match="status"):
        asyncio.run(scanned(body, status))


@pytest.mark.parametrize("kind", [kind for kind in STANDARD if kind != "bounce"])
def test_no_standard_message_has_the_sender_of_another_one(kind: str) -> None:
    """On 2024.06.57 → master in place, greylisting let pass on upgraded data what it had put off before."""
    assert STANDARD[kind].message().sender != STANDARD[kind].message().sender
