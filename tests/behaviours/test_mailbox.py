from __future__ import annotations

from pytest_mailu.behaviours import mailbox
from pytest_mailu.compare import differences
from pytest_mailu.model import Observation, Outcome, Reply, Stage
from pytest_mailu.wire.imap import Folder
from pytest_mailu.wire.imap_reply import ImapReply


def test_only_special_uses_of_a_folder_are_told() -> None:
    folders = [Folder("Junk", ("\\HasNoChildren", "\\Junk", "\\Marked"), "."), Folder("INBOX", ("\\HasChildren",), ".")]
    assert mailbox.special_uses(folders) == {"Junk": ["\\Junk"], "INBOX": []}


def test_a_response_code_goes_by_its_name() -> None:
    assert mailbox.code_name(ImapReply("OK", "copyuid 1 2 3")) == "COPYUID"
    assert mailbox.code_name(ImapReply("OK")) == ""


def test_messages_to_be_stored_have_crlf_line_ends_and_differ() -> None:
    one, other = mailbox.message(), mailbox.message()
    assert one != other
    assert b"\n" not in one.replace(b"\r\n", b"")


def test_how_long_dovecot_took_is_no_difference() -> None:
    first, second = (
        Observation(Outcome.REFUSED, Stage.COMMAND, Reply("NO", "", f"Mailbox doesn't exist: x ({took} secs)."))
        for took in ("0.001 + 0.000", "0.012 + 0.000 + 0.011")
    )
    assert differences(first, second) == ()
