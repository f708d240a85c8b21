"""Images: what is known of them, and why one could not be pulled."""

from __future__ import annotations

import re

import pytest

from pytest_mailu.stack.docker.images import describe
from pytest_mailu.stack.docker.images import explain as explain_pull

IMAGE = "ghcr.io/mailu/nginx:2.0.43"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("manifest for ghcr.io/mailu/nginx:2.0.999 not found: manifest unknown", "does not exist"),
        ("denied: requested access to the resource is denied", "access .* is denied"),
        ("toomanyrequests: You have reached your pull rate limit", "rate limit"),
        ("Get https://ghcr.io/v2/: dial tcp: lookup ghcr.io: no such host", "cannot be reached"),
        ("write /var/lib/docker/tmp/x: no space left on device", "no disk space"),
    ],
)
def test_a_pull_that_fails_says_why_and_what_to_do(said: str, cause: str) -> None:
    error = explain_pull(IMAGE, said)
    assert re.search(cause, error.cause)
    assert IMAGE in error.cause
    assert error.remedy
    assert error.details == (said,)
    assert not error.own_doing


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
