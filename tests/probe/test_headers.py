"""What servers did to a header section is told by value, with common names for what differs each time."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FILTERS
from pytest_mailu.core.model import Observation, Outcome, Question, Severity, Stage, Verdict
from pytest_mailu.judging.judge import judge
from pytest_mailu.probe.headers import fields, header_changes, settled

SENT = (
    b"From: a@elsewhere.example\r\nTo: sales@post.example\r\nSubject: long\r\n subject\r\nX-Mailer: P 1\r\n\r\nbody\r\n"
)
RECEIVED = (
    b"Received: from mail.post.example ([10.0.0.2]) by 0f1e2d3c4b5a with LMTP id aB3dE5fG7hI9jK1lM3nO5p\r\n"
    b"\t(envelope-from <a@elsewhere.example>) for <alice@post.example>;\r\n\tSun, 29 Nov 2026 01:02:03 +0000\r\n"
    b"Received: from client.elsewhere.example by mail.post.example (Postfix) with ESMTPS id 4Xyz12\r\n"
    b" for <sales@post.example>; Sun, 29 Nov 2026 01:02:02 +0000 (UTC)\r\n"
)
SIGNED = (
    b"DKIM-Signature: v=1; a=rsa-sha256; d=post.example; s=dkim; t=1790000000; h=from:to;\r\n"
    b"\tbh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n\tb=AAAABBBBCCCCDDDDEEEEFFFF\r\n\t gggghhhh==\r\n"
)


def arrived(delivered_to: bytes = b"sales@post.example", *, spoiled: bool = False) -> bytes:
    mailer = b"" if spoiled else b"X-Mailer: P 1\r\n"
    return (
        b"Return-Path: <a@elsewhere.example>\r\nDelivered-To: " + delivered_to + b"\r\n" + RECEIVED + SIGNED
        + SENT.partition(b"\r\n\r\n")[0].replace(b"X-Mailer: P 1", b"").strip() + b"\r\n" + mailer + b"\r\nbody\r\n"
    )  # fmt: skip


def test_added_fields_are_told_by_value_and_the_chain_from_its_beginning() -> None:
    changes = header_changes(SENT, arrived())
    assert changes["removed"] == []
    assert changes["added"] == {
        "return-path": "<a@elsewhere.example>",
        "delivered-to": "sales@post.example",
        "received 1": "from client.elsewhere.example by mail.post.example (Postfix) with ESMTPS id <id> "
        "for <sales@post.example>; <date>",
        "received 2": "from mail.post.example ([10.0.0.2]) by <container> with LMTP id <id> "
        "(envelope-from <a@elsewhere.example>) for <alice@post.example>; <date>",
        "dkim-signature": "v=1; a=rsa-sha256; d=post.example; s=dkim; t=<time>; h=from:to; bh=<hash>; b=<signature>",
    }


def test_a_field_that_was_sent_and_is_gone_or_has_another_value_is_removed() -> None:
    assert header_changes(SENT, arrived(spoiled=True))["removed"] == ["x-mailer"]
    other = header_changes(b"A: 1\r\nA: 2\r\n\r\n", b"A: 2\r\nA: 3\r\n\r\n")
    assert other == {"added": {"a": "3"}, "removed": ["a"]}


def test_results_of_authentication_have_no_order() -> None:
    """Rspamd writes them as its checks end; the same against itself was seen to differ on real Mailu."""
    spf = b"spf=pass (mail.post.example: domain of a@b; designates 10.0.0.1) smtp.mailfrom=a@b"
    one, other = (
        header_changes(b"", b"ARC-Authentication-Results: i=1; mx.example; " + b"; ".join(parts) + b"\r\n\r\n")["added"]
        for parts in (
            [b"dkim=pass header.d=b", b"dmarc=pass (policy=reject)", spf],
            [spf, b"dkim=pass header.d=b", b"dmarc=pass (policy=reject)"],
        )
    )
    assert one == other
    # Whether DMARC is among them when Rspamd seals is a matter of time.
    assert one["arc-authentication-results"] == f"i=1; mx.example; dkim=pass header.d=b; {spf.decode()}"
    results = header_changes(b"", b"Authentication-Results: mx.example; spf=pass; dmarc=none; dkim=fail\r\n\r\n")[
        "added"
    ]
    assert results == {"authentication-results": "mx.example; dkim=fail; dmarc=none; spf=pass"}


def test_the_same_field_twice_counts_twice() -> None:
    assert header_changes(b"A: 1\r\n\r\n", b"A: 1\r\nA: 1\r\n\r\n") == {"added": {"a": "1"}, "removed": []}


def test_what_is_no_field_and_what_has_no_end_is_harmless() -> None:
    assert fields(b"") == []
    assert fields(b"no field at all\r\n\r\nBody: no\r\n") == []
    assert len(fields(b"A: b\r\n" * 10_000)) == 60
    assert len(header_changes(b"", b"A: " + b"x" * 100_000 + b"\r\n\r\n")["added"]["a"]) <= 1001


def test_another_delivered_to_is_a_small_loss_and_a_further_hop_a_change() -> None:
    question = Question(
        *("inbound/headers/alias", "t", "b", "s", Outcome.DELIVERED, Severity.MAJOR),
        directions={f"facts.{path}": direction for path, direction in FILTERS.items()},
    )

    def seen(content: bytes) -> Observation:
        return Observation(Outcome.DELIVERED, Stage.DELIVERY, None, header_changes(SENT, content))

    moved = judge(question, [seen(arrived())], [seen(arrived(b"alice@post.example"))])
    assert moved.verdict is Verdict.REGRESSED
    assert [difference.path for difference in moved.differences] == ["facts.added.delivered-to"]
    hop = judge(question, [seen(arrived())], [seen(b"Received: from a by b id 1; today\r\n" + arrived())])
    assert hop.verdict is Verdict.CHANGED
    assert [difference.path for difference in hop.differences] == ["facts.added.received 3"]
    assert judge(question, [seen(arrived())], [seen(arrived(spoiled=True))]).verdict is Verdict.REGRESSED


def test_the_names_of_containers_are_found_within_longer_names() -> None:
    assert settled("by mailu-abc12-front-1.mailu-abc12_default; x") == "by <container>; x"
    assert settled("--pytest-mailu-a-mailu-b-. (a-mailu-) mailu--") == "--<container>-. (a-mailu-) mailu--"
    assert (
        settled("-mailu-x.y, ammailu-1-, no-mailu, mailu-mailu-")
        == "-<container>, <container>-, no-mailu, <container>-"
    )
