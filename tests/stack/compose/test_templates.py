"""The package's own compose files: core services of every series, sealed by the world."""

from __future__ import annotations

from dataclasses import replace
from string import Template

import pytest

from pytest_mailu.core.releases import CORE_SERVICES, SERIES, Release, compose_folder
from pytest_mailu.stack.compose.command import CONFIGURED, escaped, merge, sealed, template, variables
from pytest_mailu.stack.docker.isolation import OUTSIDE_OPTIONS, SURROUNDINGS
from pytest_mailu.stack.docker.networks import choose_layout, choose_layout6

NEW = Release.parse("2024.06.24")
LABELS = {"org.pytest-mailu.run": "1"}


def test_the_core_services_are_sealed_by_the_world() -> None:
    model = sealed(template("mailu"), {"SITENAME": "a $b"}, LABELS, CONFIGURED, {"option": "1"})
    services = model["services"]
    assert set(services) == {*CORE_SERVICES, "world", "ingress"}
    assert [name for name, service in services.items() if service.get("ports")] == ["ingress"]
    assert services["ingress"]["ports"] == ["127.0.0.1::1080"]
    assert [name for name, service in services.items() if "outside" in service["networks"]] == ["ingress"]
    assert list(services["ingress"]["networks"]) == ["outside"]
    assert [name for name, network in model["networks"].items() if not network.get("internal")] == ["outside"]
    internal = [network for network in model["networks"].values() if network.get("internal")]
    assert all(network["driver_opts"] == {"option": "1"} for network in internal)
    assert model["networks"]["outside"]["driver_opts"] == OUTSIDE_OPTIONS
    assert all(services[name]["cap_drop"] == ["ALL"] and services[name]["read_only"] for name in SURROUNDINGS)
    assert all(service["pids_limit"] and service["mem_limit"] for service in services.values())
    assert all(service["logging"]["options"]["max-size"] for service in services.values())
    assert all(service["restart"] == "no" and service["dns"] == ["${MAILU_WORLD}"] for service in services.values())
    everything = [*services.values(), *model["networks"].values(), *model["volumes"].values()]
    assert all(entry["labels"] == LABELS for entry in everything)
    assert services["smtp"]["environment"]["SITENAME"] == "a $$b"
    assert "environment" not in services["redis"]


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("environ", [{}, {"DOCKER_ORG": "registry.example/mail", "DOCKER_PREFIX": "my-"}])
def test_the_template_names_the_images_of_every_series(
    series: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOCKER_ORG", "DOCKER_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert images_of(Release(series)) == {name: Release(series).image(name) for name in CORE_SERVICES}


def test_a_new_series_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_mailu.core.releases.SERIES", (*SERIES[:-1], "2030.01", "master"))
    release = Release.parse("2030.1.3")
    assert release.series == "2030.01"
    assert images_of(release)["smtp"] == release.image("smtp")
    assert release.image("smtp", {}) == "ghcr.io/mailu/postfix:2030.01.3"


def images_of(release: Release) -> dict[str, str]:
    """Service → image in the template, with the variables filled in as compose does it."""
    given = variables(release, choose_layout([]), "image")
    services = template("mailu")["services"]
    return {name: Template(service["image"]).substitute(given) for name, service in services.items()}


def test_nothing_of_the_host_is_mounted() -> None:
    model = template("mailu")
    mounts = [mount for service in model["services"].values() for mount in service["volumes"]]
    assert all(mount.partition(":")[0] in model["volumes"] for mount in mounts)


def test_the_compose_files_ask_for_what_is_given_and_nothing_else() -> None:
    given = variables(NEW, replace(choose_layout([]), six=choose_layout6([])), "image")
    asked = {
        part.partition("}")[0]
        for path in compose_folder().iterdir()
        for part in path.read_text("utf-8").split("${")[1:]
    }
    assert asked == set(given)


def test_merging_keeps_what_only_one_has_and_lets_the_upper_one_win() -> None:
    assert merge({"a": {"x": 1, "y": [1]}, "b": 1}, {"a": {"y": [2]}, "c": 3}) == {
        "a": {"x": 1, "y": [2]},
        "b": 1,
        "c": 3,
    }
    assert escaped("${X} $") == "$${X} $$"


def test_a_setting_that_a_service_has_itself_wins_over_the_shared_one_alone() -> None:
    core = template("mailu")
    core["services"]["smtp"]["environment"] = {"MESSAGE_SIZE_LIMIT": "2", "SUBNET": "theirs", "OWN": "kept"}
    values = {"MESSAGE_SIZE_LIMIT": "1", "SUBNET": "ours"}
    model = sealed(core, values, LABELS, CONFIGURED, {}, shared={"MESSAGE_SIZE_LIMIT", "ELSEWHERE"})
    assert model["services"]["smtp"]["environment"] == {"MESSAGE_SIZE_LIMIT": "2", "SUBNET": "ours", "OWN": "kept"}
    assert model["services"]["front"]["environment"] == values
