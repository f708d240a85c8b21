"""The old server's logs are counted by the lines of its release; no name leaves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment import log_counts
from pytest_mailu.deployment.catalogue import LogFormat, load
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.log_counts import LogCounts, count, count_lines, summary, with_counts
from pytest_mailu.deployment.reader import Sources, read_deployment

OLD, NEW = Release.parse("2.0.43"), Release.parse("2024.06.57")
NGINX = (
    "front-1  | 2026/11/20 08:00:0{n} [info] 20#20: *{n} client logged in, client: 198.51.100.{n}, "
    'server: 0.0.0.0:{port}, login: "user{n}@example.org", upstream: 192.168.203.5:143'
)
RELAYED = "smtp-1  | postfix/smtpd[310]: 4Yx1Zs3bqYz9v: client=printer[192.0.2.2{n}]"
TLS = "postfix/smtpd[311]: Anonymous TLS connection established from old[203.0.113.{n}]: TLSv1 with cipher X"


def counts(*lines: str, release: Release = OLD) -> LogCounts:
    formats = [entry for entry in load().log_formats if release in entry]
    return count_lines([line.encode() for line in lines], formats)


def test_logins_are_counted_by_port_user_and_address() -> None:
    found = counts(*(NGINX.format(n=n % 3, port=587) for n in range(9)), NGINX.format(n=5, port=993), "noise")
    assert str(found.logins[587]) == "9 logins of 3 users from 3 addresses"
    assert str(found.logins[993]) == "1 login of 1 user from 1 address"
    assert (found.lines, found.known) == (11, 10)


@pytest.mark.parametrize("entry", load().log_formats, ids=lambda entry: f"{entry.since} {entry.event} {entry.program}")
def test_every_example_of_the_catalogue_is_understood_or_of_no_interest(entry: object) -> None:
    assert entry.since  # type: ignore[attr-defined]
    found = counts(entry.example, release=entry.since)  # type: ignore[attr-defined]
    wanted = entry.event in ("login", "failed login", "failed web login", "received connection")  # type: ignore[attr-defined]
    assert found.known == int(wanted)


def test_lines_that_dockers_json_driver_wrapped_are_read() -> None:
    wrapped = json.dumps({"log": NGINX.format(n=1, port=143) + "\n", "stream": "stderr"})
    assert str(counts(wrapped, '{"log": 1}', "{broken").logins[143]) == "1 login of 1 user from 1 address"


@pytest.mark.parametrize(
    "line", ['{"log":' + "[" * 8_000, '{"log":' + '{"a":' * 1_500, r'{"log":"\ud800"}', '{"log":"\\']
)
def test_wrapped_lines_that_cannot_be_read_are_counted_as_they_are(line: str) -> None:
    found = counts(line, NGINX.format(n=1, port=993))
    assert (found.lines, found.known) == (2, 1)


def test_hosts_of_relaynets_and_old_tls_are_counted_once_each() -> None:
    found = counts(*(RELAYED.format(n=n) for n in (1, 2, 2, 9)), TLS.format(n=1), TLS.format(n=1))
    assert found.relaying("192.0.2.20/30, 10.0.0.0/8") == 2
    assert summary(found, "192.0.2.20/30")[-2:] == (
        *("Logs: 2 hosts of RELAYNETS sent mail without a login.",),
        "Logs: 1 host with TLS 1.0 or 1.1 on port 25.",
    )


def test_findings_say_whom_they_hit_and_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "mailu.env").write_text("DOMAIN=example.org\nRELAYNETS=192.0.2.20/30\n")
    found = counts(*(NGINX.format(n=n, port=587) for n in range(1, 4)), RELAYED.format(n=1))
    told = {note.id: note for note in check(read_deployment(Sources(tmp_path)), OLD, NEW)}
    hit = {id_: with_counts(note, found, "192.0.2.20/30") for id_, note in told.items()}
    assert hit["settings/ports/587"].question.breaks.endswith(
        "In the logs: 3 logins of 3 users from 3 addresses in 1 day."
    )
    assert hit["settings/ports/110"].question.breaks.endswith("In the logs: no login on this port.")
    assert all(hit[id_].new == told[id_].new for id_ in told)
    everything = "".join(note.question.breaks for note in hit.values()) + "".join(summary(found, "192.0.2.20/30"))
    assert "user1" not in everything
    assert "198.51.100" not in everything


def test_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "mail.log"
    log.write_text("x" * 100_000 + "\n" + (NGINX.format(n=1, port=993) + "\n") * 50)
    monkeypatch.setattr(log_counts, "SIZE_LIMIT", 105_000)
    found = count([log], load(), OLD)
    assert found.cut
    assert 1 < found.lines < 50


@pytest.mark.parametrize("kind", ["missing", "empty folder", "pipe"])
def test_logs_that_cannot_be_read_are_named(tmp_path: Path, kind: str) -> None:
    import os

    path = tmp_path / "logs"
    if kind == "empty folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(UsageError, match="--mailu-logs"):
        count([path], load(), OLD)


def test_names_are_told_only_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "mailu.env").write_text("DOMAIN=example.org\n")
    found = counts(*(NGINX.format(n=n % 10, port=587).replace("user", f"user{n:02}-") for n in range(30)))
    told = {note.id: note for note in check(read_deployment(Sources(tmp_path)), OLD, NEW)}
    asked = with_counts(told["settings/ports/587"], found, "", names=True).question.breaks
    assert asked.endswith("user19-9@example.org and 10 more).")
    assert with_counts(told["settings/ports/110"], found, "", names=True).question.breaks.endswith("on this port.")
    assert "user" not in with_counts(told["settings/ports/587"], found, "").question.breaks.partition("logs")[2][20:60]


def test_the_days_that_the_logs_cover_are_told() -> None:
    first = NGINX.format(n=1, port=587)
    last = "2026-11-26T23:59:59.1Z " + first.removeprefix("front-1  | 2026/11/20 08:00:01 ")
    assert counts(first, last).span == " in 7 days"
    assert counts(first).span == " in 1 day"
    assert counts(first.replace("2026/11/20", "2026/13/40")).span == ""
    assert counts("noise of 2026-01-01T00:00:00Z").span == ""


def test_several_files_and_lines_of_the_engine_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in ("one.log", "two.log")]
    for path in paths:
        path.write_text(NGINX.format(n=1, port=587) + "\n")
    lines = [NGINX.format(n=2, port=587).encode()] * 3
    assert str(count(paths, load(), OLD, lines).logins[587]) == "5 logins of 2 users from 2 addresses"
    monkeypatch.setattr(log_counts, "SIZE_LIMIT", 400)
    assert count([], load(), OLD, lines).cut


PATTERNS = [*(entry.pattern for entry in load().log_formats), log_counts._TLS.pattern.decode()]
PIECES = ("a/", "[", "[a", "]", ":1", ": ", "1", "x", " from ", "/imap/1 from: ", "/sso/a from: ", ', login: "', "a, ")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_repetition_in_a_pattern_is_without_limit(pattern: str) -> None:
    """Strangers choose what a line holds: two such repetitions, one behind the other, are quadratic over it."""
    outside_classes = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", pattern)
    assert not re.search(r"[*+]|,\}", outside_classes)
    assert all(int(most) <= 500 for most in re.findall(r",(\d+)\}", outside_classes))


def hostile_lines(entry: LogFormat) -> Iterator[str]:
    """Lines as long as they may be, which begin as a line of the format does, once and many times."""
    cuts = [found.end() for found in re.finditer(r"[ /:\[]+", entry.example)]
    for head in (entry.example[:cut] for cut in cuts):
        for piece in PIECES:
            for times in (1, 100):
                yield (head * times + piece * log_counts.LINE_LIMIT)[: log_counts.LINE_LIMIT]


@pytest.mark.parametrize("entry", load().log_formats, ids=lambda entry: f"{entry.since} {entry.event} {entry.program}")
def test_long_lines_of_strangers_are_counted(entry: LogFormat) -> None:
    lines = [*hostile_lines(entry), entry.example]
    assert counts(*lines, release=entry.since).lines == len(lines)
    assert re.search(entry.pattern, entry.example)
