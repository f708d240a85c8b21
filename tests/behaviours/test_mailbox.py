from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest

from pytest_mailu.behaviours import helpers, mailbox
from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.judging.compare import differences
from pytest_mailu.wire.imap.reply import ImapReply
from pytest_mailu.wire.imap.session import Folder
from pytest_mailu.wire.transport.errors import NotServed


def test_only_special_uses_of_a_folder_are_told() -> None:
    folders = [Folder("Junk", ("\\HasNoChildren", "\\Junk", "\\Marked"), "."), Folder("INBOX", ("\\HasChildren",), ".")]
    assert mailbox.special_uses(folders) == {"Junk": ["\\Junk"], "INBOX": []}


def test_a_response_code_goes_by_its_name() -> None:
    assert helpers.response_code_name(ImapReply("OK", "copyuid 1 2 3")) == "COPYUID"
    assert helpers.response_code_name(ImapReply("OK")) == ""


def test_messages_to_be_stored_have_crlf_line_ends_and_differ() -> None:
    one, other = helpers.stored_message(), helpers.stored_message()
    assert one != other
    assert b"\n" not in one.replace(b"\r\n", b"")


def test_how_long_dovecot_took_is_no_difference() -> None:
    first, second = (
        Observation(Outcome.REFUSED, Stage.COMMAND, Reply("NO", "", f"Mailbox doesn't exist: x ({took} secs)."))
        for took in ("0.001 + 0.000", "0.012 + 0.000 + 0.011")
    )
    assert differences(first, second) == ()


@pytest.mark.parametrize(("code", "goes_on"), [("ALREADYEXISTS", True), ("NOPERM", False)])
def test_a_folder_of_ones_own_may_be_there_already(code: str, goes_on: bool) -> None:
    """Seen on real Mailu: NO [ALREADYEXISTS] to a name that was made up a moment before."""

    class Session:
        async def create(self, name: str) -> None:
            raise NotServed(Outcome.REFUSED, Stage.COMMAND, Reply("NO", code, "Mailbox already exists"))

    with nullcontext() if goes_on else pytest.raises(NotServed):
        asyncio.run(helpers.create_folder(Session(), "probe-1"))  # type: ignore[arg-type]
