from __future__ import annotations

import pytest

from pytest_mailu.behaviours import inside_logs

COMPLAINTS = {
    "Nov 24 07:59:03 master: Warning: Obsolete setting in line 12": "master: Warning: Obsolete setting in line N",
    "2026/11/24 07:59:02 [warn] 6#6: listen is deprecated": "[warn] N: listen is deprecated",
    "1:M 24 Nov 2026 07:58:48.475 # WARNING: old format": "N:M   # WARNING: old format",
    "WARNING:root:use LD_PRELOAD=/usr/lib/x.so": "WARNING:root:use LD_PRELOAD=/usr/lib/x.so",
}


@pytest.mark.parametrize("line", COMPLAINTS)
def test_a_complaint_is_told_without_time_and_numbers(line: str) -> None:
    assert inside_logs.complaints([line]) == [COMPLAINTS[line]]


@pytest.mark.parametrize(
    "line",
    [
        "WARNING:root:Admin is not up just yet, retrying in 1 second",
        "postfix/smtpd[9]: warning: connect to Milter service inet:antispam:11332: Connection refused",
        "2026-11-24 07:59:34 #40(rspamd_proxy) <9141b4>; spf; spf error for post.example",
        "Nov 24 07:59:34 lmtp(23): Error: SSL context initialization failed, disabling SSL",
        "1:M 24 Nov 2026 07:58:48.475 # WARNING Memory overcommit must be enabled!",
        "Warning: fd limit (ulimit -n) is lower than required under max. load (20000 < 25000)",
    ],
)
def test_what_differs_from_start_to_start_or_is_about_the_machine_is_no_complaint(line: str) -> None:
    assert inside_logs.complaints([line]) == []


def test_the_same_complaint_at_two_times_is_one() -> None:
    lines = [f"Nov 24 07:59:0{second} auth: Error: no good ({second})" for second in range(3)]
    assert len(inside_logs.complaints(lines)) == 1


def test_ordinary_lines_are_no_complaints() -> None:
    assert inside_logs.complaints(["master: Info: Dovecot v2.3.19 starting up", "errors=0"]) == []
