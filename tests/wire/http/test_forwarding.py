"""What a reverse proxy makes of a browser's request."""

from __future__ import annotations

from pytest_mailu.core.model import Vantage
from pytest_mailu.wire.http.forwarding import Forwarding

SENT = [(b"Host", b"mail.post.example"), (b"X-Forwarded-For", b"203.0.113.9"), (b"x-forwarded-proto", b"ftp")]


def test_each_proxy_adds_whom_it_was_connected_from() -> None:
    way = Forwarding(Vantage.PROXY, 80, "X-Forwarded-For", ("192.0.2.1", "192.0.2.2"))
    assert dict(way.headers(SENT, b"https")) == {
        b"Host": b"mail.post.example",
        b"X-Forwarded-Proto": b"https",
        b"X-Forwarded-For": b"203.0.113.9, 192.0.2.1, 192.0.2.2",
    }


def test_any_other_header_names_the_client_alone_whatever_it_has_sent() -> None:
    way = Forwarding(Vantage.PROXY, 80, "X-Real-IP", ("192.0.2.1", "192.0.2.2"))
    found = way.headers([*SENT, (b"x-real-ip", b"203.0.113.9")], b"http")
    assert [value for name, value in found if name.lower() == b"x-real-ip"] == [b"192.0.2.1"]
    assert (b"X-Forwarded-For", b"203.0.113.9") in found


def test_a_proxy_that_ends_tls_and_no_more_names_nobody() -> None:
    found = Forwarding(Vantage.STRANGER, 80).headers(SENT, b"https")
    assert found == [*SENT[:2], (b"X-Forwarded-Proto", b"https")]
