"""Trouble in plain words: one line with the cause, one with what to do."""

from __future__ import annotations

import pytest

from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.compose.command import candidates, explain, parse_version, subnet_was_taken
from pytest_mailu.stack.docker.images import describe
from pytest_mailu.stack.docker.images import explain as explain_pull
from pytest_mailu.stack.evidence.hints import hint
from pytest_mailu.stack.preflight import Readings, available_memory, check

IMAGE = "ghcr.io/mailu/nginx:2.0.43"
GIB = 2**30


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("manifest for ghcr.io/mailu/nginx:2.0.999 not found: manifest unknown", "there is no image"),
        ("denied: requested access to the resource is denied", "does not give out"),
        ("toomanyrequests: You have reached your pull rate limit", "limits pulls"),
        ("Get https://ghcr.io/v2/: dial tcp: lookup ghcr.io: no such host", "cannot be reached"),
        ("write /var/lib/docker/tmp/x: no space left on device", "no room"),
    ],
)
def test_a_pull_that_fails_says_why_and_what_to_do(said: str, cause: str) -> None:
    error = explain_pull(IMAGE, said)
    assert cause in error.cause
    assert IMAGE in error.cause
    assert error.remedy
    assert error.details == (said,)
    assert not error.own_doing


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Error response from daemon: no space left on device", "disk"),
        ("Error response from daemon: Pool overlaps with other one on this address space", "subnet"),
        ("failed to create network x: Error response from daemon: Address already in use", "subnet"),
        ("Error response from daemon: No such image: x", "image is missing"),
        ("something else\nat last", "docker compose create failed"),
    ],
)
def test_a_compose_command_that_fails_says_why(said: str, cause: str) -> None:
    error = explain("create", CommandResult(1, "", said))
    assert cause in error.cause
    assert error.details == tuple(said.splitlines())


def test_only_a_subnet_that_was_taken_is_worth_another_layout() -> None:
    assert subnet_was_taken(
        explain("create", CommandResult(1, "", "Pool overlaps with other one on this address space"))
    )
    assert not subnet_was_taken(explain("create", CommandResult(1, "", "No such image: x")))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.40.3\n", "2.40.3"),
        ("v2.20.0-desktop.1", "2.20.0"),
        ("20.10.24+dfsg1", "20.10.24"),
        ("", None),
        ("dev", None),
    ],
)
def test_versions_are_read_as_they_come(text: str, version: str | None) -> None:
    assert str(parse_version(text)) == str(version)


def test_candidates_for_compose_are_named_once() -> None:
    assert len(candidates()) == len(set(candidates()))


def test_a_machine_that_will_do_passes() -> None:
    check(Readings("20.10.24+dfsg1", 8 * GIB, 50 * GIB, "/var/lib/docker"), 2, pull=True)
    check(Readings("27.0.1", None, None), 2, pull=True)
    check(Readings("unknown", 8 * GIB, 50 * GIB), 2, pull=False)


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        (Readings("19.03.15", 8 * GIB, 50 * GIB), "19.03.15"),
        (Readings("26.0.1", 8 * GIB, 50 * GIB), "DNS"),
        (Readings("27.0.1", 1 * GIB, 50 * GIB), "memory"),
        (Readings("27.0.1", 8 * GIB, GIB // 4, "/var/lib/docker"), "/var/lib/docker"),
    ],
)
def test_what_will_not_do_is_said_before_anything_starts(readings: Readings, words: str) -> None:
    with pytest.raises(StackError) as caught:
        check(readings, 2, pull=False)
    assert words in caught.value.cause
    assert caught.value.remedy
    assert not caught.value.own_doing


def test_the_engine_that_mended_dns_is_taken() -> None:
    check(Readings("26.1.3", 8 * GIB, 50 * GIB), 2, pull=False)


def test_available_memory_is_that_of_this_machine() -> None:
    memory = available_memory()
    assert memory is None or memory > 0


def test_hints_know_common_last_words_and_say_something_in_any_case() -> None:
    assert "disk" in hint("admin", ["sqlite3.OperationalError: database or disk is full"], own_doing=True)
    assert "override" in hint("front", ["nginx: [emerg] unknown directive"], own_doing=True)
    assert "DNS" in hint(
        "admin", ["CRITICAL: Your DNS resolver at 127.0.0.11 isn't doing DNSSEC validation"], own_doing=True
    )
    assert "imap" in hint("imap", [], own_doing=True)
    assert hint("imap", [], own_doing=False) != hint("imap", [], own_doing=True)


class FakeImage:
    """What docker's client gives for an image."""

    def __init__(self, **attributes: object) -> None:
        self.attrs = {"Id": "sha256:abc", "Config": {}, "RepoDigests": [], **attributes}


def test_an_image_is_known_by_its_digest_and_a_local_one_by_its_id() -> None:
    pulled = FakeImage(RepoDigests=["other/nginx@sha256:1", "ghcr.io/mailu/nginx@sha256:2"])
    assert describe(IMAGE, pulled).identity == "ghcr.io/mailu/nginx@sha256:2"  # type: ignore[arg-type]
    assert describe(IMAGE, FakeImage()).identity == "sha256:abc"  # type: ignore[arg-type]


def test_an_images_own_health_check_is_read_in_both_forms() -> None:
    shell = FakeImage(Config={"Healthcheck": {"Test": ["CMD-SHELL", "true || false"]}, "Labels": {"version": "2.0.43"}})
    assert describe(IMAGE, shell).healthcheck == ("/bin/sh", "-c", "true || false")  # type: ignore[arg-type]
    assert describe(IMAGE, shell).version == "2.0.43"  # type: ignore[arg-type]
    plain = FakeImage(Config={"Healthcheck": {"Test": ["CMD", "bash", "/healthy"]}})
    assert describe(IMAGE, plain).healthcheck == ("bash", "/healthy")  # type: ignore[arg-type]
    assert describe(IMAGE, FakeImage(Config={"Healthcheck": {"Test": ["NONE"]}})).healthcheck == ()  # type: ignore[arg-type]
