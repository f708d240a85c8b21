from __future__ import annotations

from pytest_mailu.behaviours import mailbox_messages
from pytest_mailu.wire.imap.reply import ImapReply, Untagged


def test_uids_of_a_copy_are_read_from_the_end_of_copy() -> None:
    assert mailbox_messages.copied(ImapReply("OK", "COPYUID 38 304,319:320 3956:3958")) == (
        [304, 319, 320],
        [3956, 3957, 3958],
    )


def test_uids_of_a_move_are_read_from_an_untagged_response() -> None:
    told = Untagged((b"OK [COPYUID 432432 42 1202] Moved UIDs.",))
    assert mailbox_messages.copied(ImapReply("OK", "", "Done", (told,))) == ([42], [1202])


def test_a_set_without_end_is_cut_and_what_is_no_number_is_passed_over() -> None:
    told = ImapReply("OK", f"COPYUID 1 1:999999999999,7 {'9' * 5_000},8:,:9,4")
    source, came = mailbox_messages.copied(told) or ([], [])
    assert source == list(range(1, 1_001))
    assert came == [4]


def test_a_server_that_does_not_tell_tells_nothing() -> None:
    assert mailbox_messages.copied(ImapReply("OK", "", "Copy completed")) is None


def test_recent_is_nobodys_flag() -> None:
    assert mailbox_messages.settled(("\\Recent", "\\Seen", "$Forwarded")) == ["$Forwarded", "\\Seen"]


def test_messages_have_crlf_line_ends() -> None:
    for content in mailbox_messages.CONTENTS.values():
        assert b"\n" not in content.replace(b"\r\n", b"")
        assert content.endswith(b"\r\n")
