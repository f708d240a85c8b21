"""Names, addresses and texts with special characters: what arrived otherwise than it was written is told."""

from __future__ import annotations

from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import built_in, inbound_names, inbound_replies
from pytest_mailu.core.model import Observation, Outcome, Stage, Verdict
from pytest_mailu.core.population import ALIASES, ODD_ADDRESSES, drawn_for
from pytest_mailu.judging.judge import judge
from pytest_mailu.probe.headers import fields
from pytest_mailu.probe.messages import compose_message
from pytest_mailu.stack.world.dkim import public_record, sign, strangers_key, verify


def answered(user: Any, **changed: str) -> Any:
    message = EmailMessage()
    subject = changed.get("subject", user.reply_subject)
    message["Subject"] = subject
    message["From"] = changed.get("from", f'"{user.displayed_name}" <{user.address}>')
    message.set_content(changed.get("text", user.reply))
    return SimpleNamespace(message=message)


@pytest.mark.parametrize("kind", ["text-quotes", "text-dots", "text-lines", "subject-quotes", "name-comma"])
def test_a_reply_that_arrives_as_written_differs_in_nothing(kind: str) -> None:
    user = drawn_for(inbound_replies.USERS[kind], 4)
    assert inbound_replies.differences(answered(user), user) == {}


def test_a_reply_that_was_cut_or_escaped_is_told_with_what_arrived() -> None:
    user = drawn_for(inbound_replies.USERS["text-dots"], 4)
    assert inbound_replies.differences(answered(user, text="First line\n"), user) == {"text": "First line"}
    user = drawn_for(inbound_replies.USERS["subject-quotes"], 4)
    escaped = user.reply_subject.replace('"', '\\"')
    assert inbound_replies.differences(answered(user, subject=escaped), user) == {"subject": escaped}
    user = inbound_replies.USERS["name-comma"]
    found = inbound_replies.differences(answered(user, **{"from": f"Jane <{user.address}>"}), user)
    assert found == {"name": "Jane"}


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (Outcome.DELIVERED, Outcome.ALTERED, Verdict.REGRESSED),
        (Outcome.ALTERED, Outcome.LOST, Verdict.REGRESSED),
        (Outcome.DELIVERED, Outcome.LOST, Verdict.REGRESSED),
        (Outcome.LOST, Outcome.DELIVERED, Verdict.CHANGED),
        (Outcome.ALTERED, Outcome.ALTERED, Verdict.SAME),
    ],
)
def test_an_altered_reply_is_better_than_none_and_worse_than_one_as_written(
    old: Outcome, new: Outcome, verdict: Verdict
) -> None:
    question = built_in()["inbound/away/text-quotes"].question

    def seen(outcome: Outcome) -> Observation:
        facts = {} if outcome is Outcome.LOST else {"as_written": outcome is Outcome.DELIVERED}
        return Observation(outcome, Stage.DELIVERY, None, facts)

    assert judge(question, [seen(old)], [seen(new)]).verdict is verdict


def test_every_kind_of_reply_is_some_users_and_no_two_users_draw_the_same() -> None:
    users = [drawn_for(user, 4) for user in inbound_replies.USERS.values()]
    assert len({(user.reply, user.reply_subject, user.displayed_name) for user in users}) == len(users)
    assert "<drawn" not in "".join(user.reply + user.reply_subject + user.displayed_name for user in users)


def test_the_message_with_names_has_each_of_them_and_a_valid_signature() -> None:
    message = inbound_names.named(compose_message(to="a@post.example"))
    found = dict(fields(message.content))
    for kind, name in inbound_names.NAMES.items():
        assert f"{name} <{kind}@" in found["to"]
    assert found["from"].startswith('"Doe, Jane" <stranger-')
    assert message.token in found["subject"]
    (signature,) = verify(sign(message.content, "elsewhere.example"), lambda _: public_record(strangers_key()))
    assert signature.valid


def test_odd_addresses_exist_and_are_as_long_as_allowed() -> None:
    assert set(ODD_ADDRESSES.values()) <= set(ALIASES)
    assert len(ODD_ADDRESSES["long"].name) == 64
    assert all(len(address.rpartition("@")[0]) <= 64 for address in inbound_names.KINDS.values())
