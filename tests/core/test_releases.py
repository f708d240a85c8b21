"""What a release is called, in what order they come, and what is refused."""

from __future__ import annotations

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import SERIES, Release, check_pair


@pytest.mark.parametrize(
    ("text", "tag", "series", "moving"),
    [
        ("2.0", "2.0", "2.0", True),
        ("2.0.43", "2.0.43", "2.0", False),
        ("2.0.0", "2.0.0", "2.0", False),
        ("v2.0.43", "2.0.43", "2.0", False),
        (" 2.0.43 ", "2.0.43", "2.0", False),
        ("1.9.50", "1.9.50", "1.9", False),
        ("2024.06", "2024.06", "2024.06", True),
        ("2024.6", "2024.06", "2024.06", True),
        ("2024.06.24", "2024.06.24", "2024.06", False),
        ("2024.6.24", "2024.06.24", "2024.06", False),
        ("2024.06.9", "2024.06.9", "2024.06", False),
        ("master", "master", "master", True),
        ("Master", "master", "master", True),
    ],
)
def test_every_spelling_gives_the_tag_of_the_image(text: str, tag: str, series: str, moving: bool) -> None:
    release = Release.parse(text)
    assert (release.tag, str(release), release.series, release.moving) == (tag, tag, series, moving)


def test_two_spellings_are_the_same_release() -> None:
    assert Release.parse("2024.6.24") == Release.parse("2024.06.24")
    assert hash(Release.parse("2024.6.24")) == hash(Release.parse("2024.06.24"))


def test_a_patch_release_that_nobody_has_heard_of_is_tried() -> None:
    assert Release.parse("2024.06.4711").tag == "2024.06.4711"


def test_releases_have_an_order_and_a_moving_tag_is_the_latest_of_its_series() -> None:
    names = ["1.9.0", "1.9.50", "1.9", "2.0.9", "2.0.43", "2.0", "2024.06.0", "2024.06.57", "2024.06", "master"]
    releases = [Release.parse(name) for name in names]
    assert sorted(releases) == releases


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "latest", "2.0.x", "2.0.43; rm", "two", "2.0.43/../..", "-1", "1.9 .50", "2.0." + "9" * 5_000],
)
def test_nonsense_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Release.parse(text)
    assert "2024.06.24" in caught.value.remedy
    assert len(caught.value.cause) < 100


@pytest.mark.parametrize("text", ["1.8", "1.10.2", "2.1", "2024", "2024.07", "2025.06.1", "0"])
def test_an_unknown_series_is_refused_and_the_known_ones_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Release.parse(text)
    assert all(series in caught.value.remedy for series in SERIES)


@pytest.mark.parametrize("text", ["2.0.43rc1", "2.0.43.1", "2.0.43+local", "2.0.dev1", "1!2.0", "2.0.43.post1"])
def test_a_version_that_mailu_would_never_give_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Release.parse(text)


def test_an_earlier_series_as_new_is_refused_and_the_reason_given() -> None:
    with pytest.raises(UsageError) as caught:
        check_pair(Release.parse("2024.06"), Release.parse("2.0.43"))
    assert "one-way" in caught.value.cause
    assert "--mailu-from 2.0.43 --mailu-to 2024.06" in caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0", "2024.06"),
        ("2.0.43", "2.0.43"),
        ("2.0.43", "2.0.42"),
        ("2.0", "2.0.1"),
        ("1.9", "master"),
        ("2.0", "2.0"),
    ],
)
def test_what_mailu_can_do_is_allowed(old: str, new: str) -> None:
    check_pair(Release.parse(old), Release.parse(new))


def test_images_are_where_each_series_has_them() -> None:
    assert Release.parse("1.9.50").image("front", {}) == "mailu/nginx:1.9.50"
    assert Release.parse("2.0").image("imap", {}) == "ghcr.io/mailu/dovecot:2.0"
    assert Release.parse("2024.6.24").image("antispam", {}) == "ghcr.io/mailu/rspamd:2024.06.24"
    assert Release.parse("master").image("redis", {}) == "redis:alpine"


def test_docker_org_and_prefix_are_respected() -> None:
    environ = {"DOCKER_ORG": "registry.example/mail", "DOCKER_PREFIX": "my-"}
    assert Release.parse("2.0.43").image("smtp", environ) == "registry.example/mail/my-postfix:2.0.43"


def test_releases_answer_what_they_can_do() -> None:
    old, new = Release.parse("1.9.50"), Release.parse("2.0.43")
    assert (old.admin_port, new.admin_port, Release.parse("master").admin_port) == (80, 8080, 8080)
    # It moved in a patch release: whoever waited on 8080 could start none of 2.0.0 to 2.0.21.
    moved = [Release.parse(text).admin_port for text in ("2.0.0", "2.0.21", "2.0.22", "2.0")]
    assert moved == [80, 80, 8080, 8080]
    assert Release.parse("1.9").addresses_are_resolved_at_start
    assert not Release.parse("1.9").has_api
