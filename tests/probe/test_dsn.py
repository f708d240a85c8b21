from __future__ import annotations

from pytest_mailu.probe.dsn import dsn_facts

BOUNCE = b"""From: MAILER-DAEMON@mail.post.example (Mail Delivery System)
To: user30@post.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="x"

--x
Content-Type: text/plain

It did not arrive.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.post.example
X-Postfix-Queue-ID: 4ABCDEF
Arrival-Date: Tue, 24 Nov 2026 07:00:00 +0000 (UTC)

Final-Recipient: rfc822; someone@elsewhere.example
Action: failed
Status: 5.7.1
Diagnostic-Code: smtp; 550 5.7.1
    never

--x
Content-Type: message/rfc822

Subject: A question

Body
--x--
""".replace(b"\n", b"\r\n")


def test_a_bounce_is_told_by_its_parts_and_its_fields() -> None:
    facts = dsn_facts(BOUNCE)
    assert facts["well_formed"] is True
    assert facts["parts"] == "text/plain; message/delivery-status; message/rfc822"
    assert (facts["action"], facts["status"]) == ("failed", "5.7.1")
    assert facts["diagnostic_code"] == "smtp; 550 5.7.1 never"


def test_nothing_in_it_changes_from_run_to_run() -> None:
    assert "4ABCDEF" not in str(dsn_facts(BOUNCE))
    assert "2026" not in str(dsn_facts(BOUNCE))


def test_a_letter_that_only_says_so_is_no_well_formed_notification() -> None:
    facts = dsn_facts(b"Subject: sorry\r\n\r\nIt did not arrive.\r\n")
    assert (facts["type"], facts["well_formed"], facts["parts"]) == ("text/plain", False, "")


def test_a_report_of_another_kind_is_none_either() -> None:
    assert not dsn_facts(BOUNCE.replace(b"delivery-status;", b"disposition-notification;"))["well_formed"]


def test_the_session_of_the_mailbox_server_is_left_out() -> None:
    said = b"smtp; 250 2.0.0 <a@post.example> KLK1C+VGBWutAAAA5CySJw Saved"
    facts = dsn_facts(BOUNCE.replace(b"smtp; 550 5.7.1\r\n    never", said))
    assert facts["diagnostic_code"] == "smtp; 250 2.0.0 <a@post.example> <session id> Saved"
