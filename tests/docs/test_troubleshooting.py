"""Every error for people stands in docs/troubleshooting.md, with what to do about it."""

from __future__ import annotations

import pytest

from tests.errors import Message, messages

ALL = [message for members in messages().values() for message in members]


def test_the_errors_of_every_kind_are_found() -> None:
    causes = {message.cause for message in ALL}
    assert "no Docker engine answers at …" in causes
    assert "--mailu-env: there is no file …" in causes or "…: there is no file …" in causes
    assert "access to the image … is denied" in causes
    assert len(causes) > 100


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.cause[:60])
def test_every_message_says_what_to_do(message: Message) -> None:
    assert message.remedy or "--mailu-from and --mailu-to" in message.cause
