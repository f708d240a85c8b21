"""The compose models: the sealed world laid over a series, and a user's own file brought into it."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from pytest_mailu.core import population
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import CORE_SERVICES, SERIES, Release, compose_folder
from pytest_mailu.stack import rspamd_state
from pytest_mailu.stack.accounts import document
from pytest_mailu.stack.compose.command import CONFIGURED, escaped, merge, sealed, template, variables
from pytest_mailu.stack.compose.user_file import COPY_LIMIT, _read, image_for, transform
from pytest_mailu.stack.docker.networks import choose_layout

NEW, OLD = Release.parse("2024.06.24"), Release.parse("2.0.43")
LABELS = {"org.pytest-mailu.run": "1"}


def test_the_core_services_are_sealed_by_the_world() -> None:
    model = sealed(template("mailu"), {"SITENAME": "a $b"}, LABELS, CONFIGURED)
    services = model["services"]
    assert set(services) == {*CORE_SERVICES, "world"}
    assert [name for name, service in services.items() if service.get("ports")] == ["world"]
    assert services["world"]["ports"] == ["127.0.0.1::1080"]
    assert [name for name, network in model["networks"].items() if not network.get("internal")] == ["outside"]
    assert [name for name, service in services.items() if "outside" in service["networks"]] == ["world"]
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
    given = variables(NEW, choose_layout([]), "image")
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


def users_model(**more: Any) -> dict[str, Any]:
    """A compose file like Mailu's own setup writes it, as `compose config` gives it."""

    def service(image: str, *mounts: dict[str, Any], **rest: Any) -> dict[str, Any]:
        return {
            "image": f"ghcr.io/mailu/{image}:2024.06",
            "environment": {"SUBNET": "192.168.203.0/24", "DOMAIN": "example.com", "RELAYPASSWORD": "a$$b"},
            "networks": {"default": None},
            "restart": "always",
            "logging": {"driver": "journald"},
            "volumes": list(mounts),
            **rest,
        }

    def bind(source: str, target: str, read_only: bool = False) -> dict[str, Any]:
        return {"type": "bind", "source": f"/srv/theirs/{source}", "target": target, "read_only": read_only}

    services = {
        "resolver": service("unbound"),
        "redis": {"image": "redis:alpine", "volumes": [bind("redis", "/data")]},
        "front": service(
            "nginx",
            bind("certs", "/certs"),
            bind("overrides/nginx", "/overrides", read_only=True),
            ports=[{"target": 25, "published": "25", "host_ip": "203.0.113.7"}],
            container_name="mailu_front",
            network_mode="host",
            privileged=True,
            labels={"traefik.enable": "true"},
            extra_hosts=["db=10.0.0.5"],
            depends_on={"resolver": {"condition": "service_started"}},
        ),
        "admin": service("admin", bind("data", "/data"), bind("dkim", "/dkim")),
        "imap": service("dovecot", bind("mail", "/mail"), {"type": "volume", "source": "shared", "target": "/shared"}),
        "smtp": service("postfix", bind("mailqueue", "/queue"), bind("run/docker.sock", "/var/run/docker.sock")),
        "antispam": service("rspamd", bind("filter", "/var/lib/rspamd"), hostname="antispam"),
        "extra": {
            "image": "registry.example/extra:7",
            "environment": {"DB_HOST": "10.0.0.5", "COLOUR": "red"},
            "volumes": [{"type": "volume", "source": "shared", "target": "/in"}],
            "dns": ["9.9.9.9"],
        },
    }
    return {"services": {**services, **more}, "volumes": {"shared": {"external": True, "name": "precious"}}}


def test_a_users_file_leaves_its_data_ports_and_networks_behind() -> None:
    core, binds = transform(users_model(), NEW, Path("compose.yml"))
    text = json.dumps(core)
    assert "resolver" not in core["services"]
    for word in ("/srv/", "precious", "203.0.113.7", "privileged", "traefik", "docker.sock", "9.9.9.9", "10.0.0.5"):
        assert word not in text
    assert all(
        service.keys().isdisjoint({"ports", "container_name", "depends_on"}) for service in core["services"].values()
    )
    assert binds["front"] == {"/overrides": "/srv/theirs/overrides/nginx"}
    assert all(volume == {} for volume in core["volumes"].values())


def test_a_volume_that_two_services_share_is_shared_in_the_test_stack() -> None:
    core, _ = transform(users_model(), NEW, Path("compose.yml"))
    shared = [mount.partition(":")[0] for name in ("imap", "extra") for mount in core["services"][name]["volumes"]]
    assert len([name for name in shared if name.startswith("shared-")]) == 2
    assert len({name for name in shared if name.startswith("shared-")}) == 1


def test_a_users_own_service_comes_along_into_the_sealed_network() -> None:
    core, _ = transform(users_model(), NEW, Path("compose.yml"))
    model = sealed(core, {}, LABELS, CONFIGURED)
    extra = model["services"]["extra"]
    assert extra["networks"] == {"default": {}}
    assert extra["dns"] == ["${MAILU_WORLD}"]
    assert extra["restart"] == "no"
    assert extra["environment"] == {"COLOUR": "red"}
    assert extra["image"] == "registry.example/extra:7"


@pytest.mark.parametrize(
    ("image", "release", "expected"),
    [
        ("ghcr.io/mailu/nginx:2024.06", OLD, "ghcr.io/mailu/nginx:2.0.43"),
        ("mailu/nginx:1.9", NEW, "ghcr.io/mailu/nginx:2024.06.24"),
        ("ghcr.io/mailu/nginx:2.0@sha256:abc", NEW, "ghcr.io/mailu/nginx:2024.06.24"),
        ("registry.example:5000/mail/postfix:old", NEW, "registry.example:5000/mail/postfix:2024.06.24"),
        ("redis:alpine", NEW, "redis:alpine"),
        ("registry.example/extra:7", NEW, "registry.example/extra:7"),
        ("nginx:1.27", NEW, "nginx:1.27"),
    ],
)
def test_mailus_images_follow_the_release_and_others_stay(image: str, release: Release, expected: str) -> None:
    assert image_for(image, release) == expected


def test_a_file_without_mailus_names_is_refused_with_what_is_missing() -> None:
    model = users_model()
    del model["services"]["antispam"]
    model["services"]["mta"] = model["services"].pop("smtp")
    with pytest.raises(UsageError) as caught:
        transform(model, NEW, Path("mine.yml"))
    assert "smtp, antispam" in caught.value.cause
    assert "mine.yml" in caught.value.cause


def test_a_service_that_is_built_is_refused() -> None:
    with pytest.raises(UsageError, match="built"):
        transform(users_model(mine={"build": {"context": "."}}), NEW, Path("mine.yml"))


def test_read_only_files_are_copied_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.conf").write_bytes(b"x")
    single = tmp_path / "one.cf"
    single.write_bytes(b"y")
    assert _read("front", {"/overrides": str(tmp_path), "/etc/one.cf": str(single)}) == {
        "/overrides/one.cf": b"y",
        "/overrides/sub/a.conf": b"x",
        "/etc/one.cf": b"y",
    }
    single.write_bytes(bytes(COPY_LIMIT + 1))
    with pytest.raises(UsageError, match="too big"):
        _read("front", {"/etc/one.cf": str(single)})


@pytest.mark.parametrize("name", ["1.9.50", "2.0.43", "2024.06.24"])
def test_the_whole_population_is_one_document_that_each_release_knows(name: str) -> None:
    release = Release.parse(name)
    read = yaml.safe_load(document(release, "PEM", "mx.relayed.example:2526"))
    users = {user["email"]: user for user in read["user"]}
    assert set(users) == {user.address for user in population.USERS}
    assert users[population.UMLAUT.address]["password"] == population.UMLAUT.password
    assert users[population.ADMIN.address]["global_admin"]
    assert not users[population.DISABLED.address]["enabled"]
    assert not users[population.NO_POP3.address]["enable_pop"]
    assert users[population.PASSES.address]["forward_keep"] is False
    assert ("allow_spoofing" in users[population.SPOOFER.address]) == release.lets_users_spoof
    assert [alias["email"] for alias in read["alias"] if alias["wildcard"]] == [population.WILDCARD.address]
    assert read["domain"][0]["alternatives"] == [population.ALTERNATIVE]
    assert read["relay"] == [{"name": population.RELAYED, "smtp": "mx.relayed.example:2526"}]


def test_rspamd_finds_the_list_of_domains_where_it_would_have_stored_it() -> None:
    stored = rspamd_state.cached_domain_list(("post.example", "alternative.example"), now=1_795_505_334)
    name = "/var/lib/rspamd/42d0931e173b394b06975fe29bc3723addd0ca2a.map"
    assert list(stored) == [name]
    assert stored[name][:16] == b"rmcd2000" + (40).to_bytes(8, "little")
    assert stored[name][40:] == b"post.example\nalternative.example"
