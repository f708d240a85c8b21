"""Optional services in the compose model of a stack: as each series of Mailu has them, and sealed in."""

from __future__ import annotations

from string import Template
from typing import Any

import pytest

from pytest_mailu.core.optional_services import OPTIONAL_SERVICES, STARTED
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.stack.compose.command import CONFIGURED, image_variables, sealed, template
from pytest_mailu.stack.compose.optional import configured_among, with_services

APART = ("webmail", "radicale", "clamav", "oletools", "fts_attachments")
LABELS = {"org.pytest-mailu.run": "1"}
OLD, NEW = Release.parse("1.9.50"), Release.parse("2024.06.24")


def model_of(release: Release, *added: str, core: Any = None, removed: tuple[str, ...] = ()) -> Any:
    """The sealed model of a stack."""
    core = with_services(core or template("mailu"), release, added, removed)
    configured = (*CONFIGURED, *configured_among(added, release))
    return sealed(core, {"WEBMAIL": "roundcube"}, LABELS, configured, {"option": "1"})


def test_without_any_the_core_services_stay_as_they_are() -> None:
    assert with_services(template("mailu"), NEW, ()) == template("mailu")


def test_each_is_sealed_in_as_the_core_services_are() -> None:
    model = model_of(NEW, *STARTED)
    assert set(model["services"]) == {*CORE_SERVICES, *STARTED, "world", "ingress"}
    for name in STARTED:
        service = model["services"][name]
        assert service["dns"] == ["${MAILU_WORLD}"]
        assert (service["restart"], service["healthcheck"]) == ("no", {"disable": True})
        assert {"NET_RAW", "MKNOD"} <= set(service["cap_drop"])
        assert service["labels"] == LABELS
        assert all(mount.partition(":")[0] in model["volumes"] for mount in service.get("volumes", ()))
        assert "ports" not in service
    assert [name for name, network in model["networks"].items() if not network.get("internal")] == ["outside"]
    assert all(model["networks"][name]["driver_opts"] == {"option": "1"} for name in APART)
    assert all(model["volumes"][name]["labels"] == LABELS for name in ("webmail", "dav"))


@pytest.mark.parametrize(
    ("name", "network", "partner"),
    [
        ("webmail", "webmail", "front"),
        ("webdav", "radicale", "front"),
        ("antivirus", "clamav", "antispam"),
        ("oletools", "oletools", "antispam"),
        ("fts_attachments", "fts_attachments", "imap"),
    ],
)
def test_each_is_alone_with_who_asks_it(name: str, network: str, partner: str) -> None:
    services = model_of(NEW, *STARTED)["services"]
    assert list(services[name]["networks"]) == [network]
    assert {other for other, one in services.items() if network in one["networks"]} == {name, partner}
    assert "default" in services[partner]["networks"]
    assert OPTIONAL_SERVICES[name].partner == partner


def test_fetchmail_is_among_the_core_services() -> None:
    assert list(model_of(NEW, "fetchmail")["services"]["fetchmail"]["networks"]) == ["default"]


def test_mailu_asks_for_tika_by_a_name_of_its_own() -> None:
    """FTS_ATTACHMENTS_ADDRESS=tika (core/base/Dockerfile, 2024.06 to master)."""
    assert model_of(NEW, "fts_attachments")["services"]["fts_attachments"]["networks"] == {
        "fts_attachments": {"aliases": ["tika"]}
    }


def test_before_2_0_all_share_one_network() -> None:
    model = model_of(OLD, *STARTED)
    there = STARTED & set(model["services"])
    assert there == STARTED - {"oletools", "fts_attachments"}
    assert all(list(model["services"][name]["networks"]) == ["default"] for name in there)
    assert not set(APART) & set(model["networks"])


def test_in_2_0_the_antivirus_is_beside_rspamd_and_its_data_too() -> None:
    """setup/flavors/compose/docker-compose.yml, 2.0: no network of its own, and `filter:/data`."""
    model = model_of(Release.parse("2.0.43"), "antivirus", "oletools")
    assert list(model["services"]["antivirus"]["networks"]) == ["default"]
    assert model["services"]["antivirus"]["volumes"] == ["filter:/data"]
    assert "filter:/var/lib/rspamd" in model["services"]["antispam"]["volumes"]
    assert "environment" in model["services"]["antivirus"]
    assert set(model["services"]["oletools"]["networks"]) == {"oletools"}
    assert "environment" not in model_of(NEW, "antivirus")["services"]["antivirus"]


def test_services_that_read_the_settings_get_them() -> None:
    services = model_of(NEW, *STARTED)["services"]
    assert services["webmail"]["environment"]["WEBMAIL"] == "roundcube"
    assert "environment" in services["fetchmail"]
    assert "environment" not in services["webdav"]


@pytest.mark.parametrize(
    ("release", "web_mail", "image"),
    [
        ("1.9.50", "roundcube", "mailu/roundcube:1.9.50"),
        ("1.9.50", "rainloop", "mailu/rainloop:1.9.50"),
        ("2.0", "roundcube", "ghcr.io/mailu/webmail:2.0"),
        ("2024.06.24", "snappymail", "ghcr.io/mailu/webmail:2024.06.24"),
    ],
)
def test_the_image_of_web_mail_is_that_of_its_series(
    release: str, web_mail: str, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOCKER_ORG", "DOCKER_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    given = image_variables(Release.parse(release), web_mail)
    assert Template(template("services")["services"]["webmail"]["image"]).substitute(given) == image


def test_a_service_of_the_user_s_own_file_stays_or_is_taken_out() -> None:
    theirs = template("mailu")
    theirs["services"]["webmail"] = {"image": "ours", "volumes": [], "networks": {"default": {}}}
    theirs["services"]["webmail"] |= {"dns": [], "restart": "no"}
    assert model_of(NEW, "webmail", core=theirs)["services"]["webmail"]["image"] == "ours"
    assert "webmail" not in model_of(NEW, core=theirs, removed=("webmail",))["services"]
    assert "webmail" in theirs["services"]
