"""From a service's last log lines to what to do."""

from __future__ import annotations

from pytest_mailu.stack.evidence.hints import hint


def test_hints_know_common_last_words_and_say_something_in_any_case() -> None:
    assert "disk" in hint("admin", ["sqlite3.OperationalError: database or disk is full"], own_doing=True)
    assert "override" in hint("front", ["nginx: [emerg] unknown directive"], own_doing=True)
    assert "DNS" in hint(
        "admin", ["CRITICAL: Your DNS resolver at 127.0.0.11 isn't doing DNSSEC validation"], own_doing=True
    )
    assert "imap" in hint("imap", [], own_doing=True)
    assert hint("imap", [], own_doing=False) != hint("imap", [], own_doing=True)
