"""From a service's last log lines to what to do."""

from __future__ import annotations

from pytest_mailu.stack.evidence.hints import disk_is_full, hint


def test_hints_know_common_last_words_and_say_something_in_any_case() -> None:
    assert "disk" in hint("admin", ["sqlite3.OperationalError: database or disk is full"], own_doing=True)
    assert "override" in hint("front", ["nginx: [emerg] unknown directive"], own_doing=True)
    assert "DNS" in hint(
        "admin", ["CRITICAL: Your DNS resolver at 127.0.0.11 isn't doing DNSSEC validation"], own_doing=True
    )
    assert "imap" in hint("imap", [], own_doing=True)
    assert hint("imap", [], own_doing=False) != hint("imap", [], own_doing=True)


def test_last_words_about_a_full_disk_are_told_from_others() -> None:
    assert disk_is_full(["x", "OSError: [Errno 28] No space left on device: '/data/x'"])
    assert not disk_is_full(["sqlite3.OperationalError: table user has no column named x"])
