"""Who is hit is counted from log lines as each release writes them, whatever stands before the message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.deployment.note import About
from pytest_mailu.deployment.usage import LINE_LIMIT, NAMES_LIMIT, Usage, count, hit, with_usage

NGINX = (
    "front-1  | 2024/05/01 10:00:0{n} [info] 12#12: *34 client logged in, client: {address}, server: 0.0.0.0:{port}, "
    'login: "{user}", upstream: 192.168.203.5:143'
)
ADMIN = (
    "admin-1 | [2025-01-01 10:00:00,1] INFO in nginx: Login attempt for: {user}/imap/{port} from: {address}/4000: {end}"
)


def old(*lines: str, **more: object) -> Usage:
    return count(lines, Release("2.0", 43), load(), **more)  # type: ignore[arg-type]


def test_logins_are_counted_by_port_user_and_address() -> None:
    usage = old(
        NGINX.format(n=1, address="198.51.100.7", port=587, user="alice@example.com"),
        NGINX.format(n=2, address="198.51.100.8", port=587, user="alice@example.com"),
        NGINX.format(n=3, address="198.51.100.7", port=587, user="bob@example.com"),
        NGINX.format(n=4, address="198.51.100.7", port=993, user="bob@example.com"),
        "something else",
    )
    assert usage.words(587) == "587: 3 logins of 2 users from 2 addresses"
    assert usage.words(993) == "993: 1 login of 1 user from 1 address"
    assert usage.words(143) == "143: no login in 5 log lines"
    assert usage.logins[587].names == ()


def test_names_are_kept_only_where_they_are_asked_for() -> None:
    line = NGINX.format(n=1, address="198.51.100.7", port=587, user="alice@example.com")
    assert "alice" not in repr(old(line))
    assert old(line, names=True).logins[587].names == ("alice@example.com",)


def test_the_lines_are_those_of_the_release() -> None:
    line = ADMIN.format(user="alice@example.com", port=993, address="198.51.100.7", end="success: password")
    failed = ADMIN.format(user="alice@example.com", port=993, address="198.51.100.7", end="failed: badauth: 1a2b")
    new = count([line, failed], Release("2024.06", 24), load())
    assert new.words(993) == "993: 1 login of 1 user from 1 address"
    assert new.failures.times == 1
    assert old(line).logins == {}


def test_hosts_that_relay_without_a_login_are_counted_by_their_network() -> None:
    line = "smtp-1 | postfix/smtpd[31{n}]: 4Yx1Zs3bqYz9v: client=unknown[{address}]"
    usage = old(
        line.format(n=0, address="192.0.2.25"),
        line.format(n=1, address="192.0.2.25"),
        line.format(n=2, address="192.0.2.26"),
        line.format(n=3, address="203.0.113.9"),
        relaynets="192.0.2.0/24, nonsense",
    )
    assert (usage.relayed.times, usage.relayed.addresses) == (3, 2)


def test_any_line_is_survived_and_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def lines() -> Iterator[str]:
        yield "client logged in" * LINE_LIMIT
        yield 'client logged in, client: x, server: :99999999999, login: "a"'
        yield "\udcff client=\x00["
        for number in range(50):
            yield NGINX.format(n=1, address=f"198.51.100.{number}", port=587, user=f"user{number}@example.com")

    assert NAMES_LIMIT == 100_000
    monkeypatch.setattr("pytest_mailu.deployment.usage.NAMES_LIMIT", 10)
    usage = count(lines(), Release("2.0", 43), load())
    assert (usage.logins[587].times, usage.logins[587].users) == (50, 10)


def test_a_note_says_whom_it_hits_and_stays_what_it_is() -> None:
    usage = old(NGINX.format(n=1, address="198.51.100.7", port=587, user="alice@example.com"))
    closed = About(
        id="ports/587", title="Closed", breaks="Programs cannot send.", cause="The default.", remedy="Set PORTS."
    )
    other = About(id="env/DOMAIN", title="Same", breaks="Nothing.", cause="None.", remedy="None.")
    told, quiet = with_usage([closed.lost(), other.same()], usage)
    assert told.cause == "The default. In your logs: 587: 1 login of 1 user from 1 address."
    assert told.old == closed.lost().old
    assert told.new == closed.lost().new
    assert quiet == other.same()
    nobody = About(id="ports/110", title="Closed", breaks="POP3.", cause="The default.", remedy="Set PORTS.").lost()
    assert hit(nobody, usage) == "110: no login in 1 log line"
