from __future__ import annotations

from pytest_mailu.behaviours import mailbox_sync
from pytest_mailu.wire.imap.reply import ImapReply, Untagged


def test_the_state_of_a_folder_is_read_from_select() -> None:
    told = (Untagged((b"3 EXISTS",)), Untagged((b"OK [HIGHESTMODSEQ 17] Highest",)))
    assert mailbox_sync.highest_modseq(ImapReply("OK", "READ-WRITE", "", told)) == 17


def test_a_server_without_condstore_tells_no_state() -> None:
    assert mailbox_sync.highest_modseq(ImapReply("OK", "READ-WRITE", "", (Untagged((b"OK [UIDNEXT 4] x",)),))) is None
