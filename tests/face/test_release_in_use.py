"""A tag that moves is asked of the local images; what they do not tell, the command has to say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.reader import Sources
from pytest_mailu.face.deployment import release_in_use

ADD = "Add --mailu-from and the release"


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The labels of local images by name."""
    known: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in known:
            raise docker.errors.ImageNotFound(name)
        return SimpleNamespace(labels=known[name])

    monkeypatch.setattr(docker, "from_env", lambda **_: SimpleNamespace(images=SimpleNamespace(get=get)))
    return known


def deployment(folder: Path, tag: str, others: str = "") -> Sources:
    text = f"services:\n  admin:\n    image: ghcr.io/mailu/admin{tag}\n{others}"
    (folder / "docker-compose.yml").write_text(text)
    return Sources(folder)


def test_a_pinned_tag_is_the_release_and_no_engine_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "from_env", lambda **_: pytest.fail("asked"))
    assert release_in_use(deployment(tmp_path, ":2.0.43")) == "2.0.43"
    (tmp_path / ".env").write_text("MAILU_VERSION=2024.06.24\n")
    assert release_in_use(deployment(tmp_path, ":${MAILU_VERSION:-2.0}")) == "2024.06.24"


def test_a_moving_tag_is_what_the_local_image_says_it_is(tmp_path: Path, images: dict[str, Any]) -> None:
    images["ghcr.io/mailu/admin:2.0"] = {"version": "2.0.40"}
    assert release_in_use(deployment(tmp_path, ":2.0")) == "2.0.40"
    images["ghcr.io/mailu/admin:2.0"] = {"org.opencontainers.image.version": "2.0.41"}
    assert release_in_use(deployment(tmp_path, ":2.0")) == "2.0.41"


@pytest.mark.parametrize("labels", [None, {}, {"version": "local"}, {"version": "2.0"}, {"version": "2024.06.24"}])
def test_an_image_that_does_not_tell_leaves_the_question_open(
    tmp_path: Path, images: dict[str, Any], labels: dict[str, str] | None
) -> None:
    if labels is not None:
        images["ghcr.io/mailu/admin:2.0"] = labels
    with pytest.raises(UsageError, match="stands for many releases") as caught:
        release_in_use(deployment(tmp_path, ":2.0"))
    assert ADD in str(caught.value)


@pytest.mark.parametrize(
    ("tag", "told"), [("", "names no release"), (":latest", "is not a release"), (":local", "is not a release")]
)
def test_what_is_no_release_is_named(tmp_path: Path, images: dict[str, Any], tag: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        release_in_use(deployment(tmp_path, tag))
    assert ADD in str(caught.value)


def test_most_of_the_images_decide(tmp_path: Path) -> None:
    others = "".join(f"  {name}:\n    image: ghcr.io/mailu/{name}:2.0.42\n" for name in ("postfix", "dovecot"))
    assert release_in_use(deployment(tmp_path, ":2.0.43", others)) == "2.0.42"
