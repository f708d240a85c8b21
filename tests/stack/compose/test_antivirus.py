"""The antivirus in a stack without the internet: which image, how it is started, and its one signature."""

from __future__ import annotations

from string import Template
from typing import Any

import pytest

from pytest_mailu.core.eicar import EICAR
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.antivirus import signature_files
from pytest_mailu.stack.compose.command import image_variables, template
from pytest_mailu.stack.compose.optional import with_services


def antivirus(release: str, theirs: dict[str, Any] | None = None) -> Any:
    """The service in a stack, and the volumes of the stack."""
    core = template("mailu")
    if theirs is not None:
        core["services"]["antivirus"] = theirs
    model = with_services(core, Release.parse(release), () if theirs is not None else ("antivirus",))
    return model["services"]["antivirus"], model["volumes"]


@pytest.mark.parametrize(
    ("release", "clamav", "tika"),
    [
        ("1.9.50", "mailu/clamav:1.9.50", ""),
        ("2.0", "ghcr.io/mailu/clamav:2.0", ""),
        ("2024.06.0", "clamav/clamav-debian:1.2.0-6", "apache/tika:2.9.2.1-full"),
        ("2024.06.7", "clamav/clamav-debian:1.2.0-6", "apache/tika:2.9.2.1-full"),
        ("2024.06.24", "clamav/clamav-debian:1.2.3-45", "apache/tika:2.9.2.1-full"),
        ("2024.06.41", "clamav/clamav-debian:1.4", "apache/tika:2.9.2.1-full"),
        ("2024.06.57", "clamav/clamav-debian:1.4", "apache/tika:latest-full"),
        ("2024.06", "clamav/clamav-debian:1.4", "apache/tika:latest-full"),
        ("master", "clamav/clamav-debian:1.4_base", "apache/tika:latest-full"),
    ],
)
def test_images_are_those_of_mailu_s_compose_file(
    release: str, clamav: str, tika: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOCKER_ORG", "DOCKER_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    given = image_variables(Release.parse(release))
    services = template("services")["services"]
    assert Template(services["antivirus"]["image"]).substitute(given) == clamav
    assert Template(services["fts_attachments"]["image"]).substitute(given) == tika


def test_the_images_are_those_that_the_catalogue_of_facts_has() -> None:
    """Both come from the same lines of setup/flavors/compose/docker-compose.yml."""
    from pytest_mailu.deployment.catalogue import load

    for patch in (0, 7, 8, 24, 32, 33, 41, 42, 57):
        release = Release("2024.06", patch)
        for role, image in (("antivirus", release.antivirus_image({})), ("fts_attachments", release.tika_image)):
            state = load().service(role).at(release)  # type: ignore[union-attr]
            assert state is not None
            assert f"{state.image}:{state.tag}" == image


def test_mailu_s_own_image_starts_as_it_does() -> None:
    service, volumes = antivirus("2.0.43")
    assert "command" not in service
    assert service["volumes"] == ["filter:/data"]
    assert "clamav" not in volumes


@pytest.mark.parametrize("release", ["2024.06.24", "2024.06.57", "master"])
def test_clamav_s_own_image_starts_clamd_alone_on_an_empty_volume(release: str) -> None:
    """Its entry point ends where freshclam gets nothing, and a new volume is filled with the image's own files."""
    service, volumes = antivirus(release)
    assert service["command"] == ["clamd", "--foreground"]
    assert service["volumes"] == ["clamav:/var/lib/clamav:nocopy"]
    assert "clamav" in volumes


def test_so_does_an_antivirus_of_the_user_s_own_file() -> None:
    theirs = {
        "image": "docker.io/clamav/clamav-debian:1.4",
        "volumes": ["filter-1a:/data", "conf-2b:/etc/clamav"],
        "command": ["something"],
    }
    service, volumes = antivirus("2024.06.24", theirs)
    assert service["command"] == ["clamd", "--foreground"]
    assert service["volumes"] == ["conf-2b:/etc/clamav", "filter-1a:/var/lib/clamav:nocopy"]
    assert "filter-1a" in volumes
    without, volumes = antivirus("2024.06.24", {"image": "clamav/clamav"})
    assert without["volumes"] == ["clamav:/var/lib/clamav:nocopy"]
    assert "clamav" in volumes


def test_another_antivirus_stays_as_it_is() -> None:
    theirs = {"image": "somebody/antivirus", "volumes": []}
    assert antivirus("2024.06.24", theirs)[0] == theirs


@pytest.mark.parametrize(
    ("image", "folder"),
    [
        ("clamav/clamav-debian:1.2.3-45", "/var/lib/clamav/"),
        ("mirror.example:5000/clamav/clamav@sha256:00", "/var/lib/clamav/"),
        ("ghcr.io/mailu/clamav:2.0.43", "/data/"),
        ("lab.example/mailu/clamav:2024.06", "/data/"),
    ],
)
def test_the_signature_lies_where_the_image_looks(image: str, folder: str) -> None:
    (name, content), *others = signature_files(image).items()
    assert (name, others) == (f"{folder}pytest-mailu.ndb", [])
    # Name, any kind of file, anywhere, and the bytes (ClamAV, "Extended Signature Format").
    malware, target, offset, hexadecimal = content.decode().strip().split(":")
    assert (malware, target, offset) == ("Eicar-Test-Signature", "0", "*")
    assert bytes.fromhex(hexadecimal) == EICAR
    assert len(EICAR) == 68
