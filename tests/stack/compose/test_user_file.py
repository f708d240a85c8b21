"""A user's own compose file, brought into the sealed world."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import CORE_SERVICES, Release
from pytest_mailu.stack.compose.command import CONFIGURED, Compose, sealed
from pytest_mailu.stack.compose.optional import with_services
from pytest_mailu.stack.compose.user_file import _aliases, _read, folders_of, image_for, read_user_compose, transform
from pytest_mailu.stack.compose.user_folder import SIZE_LIMIT

NEW, OLD = Release.parse("2024.06.24"), Release.parse("2.0.43")


LABELS = {"org.pytest-mailu.run": "1"}


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
    model = sealed(core, {}, LABELS, CONFIGURED, {})
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


@pytest.mark.parametrize(
    ("image", "release", "web_mail", "expected"),
    [
        ("ghcr.io/mailu/clamav:2.0", "2.0.43", "", "ghcr.io/mailu/clamav:2.0.43"),
        ("ghcr.io/mailu/clamav:2.0", "2024.06.24", "", "clamav/clamav-debian:1.2.3-45"),
        ("mailu/clamav:1.9", "2024.06.57", "", "clamav/clamav-debian:1.4"),
        ("registry.example/mail/clamav:old", "master", "", "clamav/clamav-debian:1.4_base"),
        ("clamav/clamav-debian:1.2.0-6", "2024.06.57", "", "clamav/clamav-debian:1.2.0-6"),
        ("apache/tika:2.9.2.1-full", "2024.06.57", "", "apache/tika:2.9.2.1-full"),
        ("mailu/roundcube:1.9", "2.0.43", "roundcube", "ghcr.io/mailu/webmail:2.0.43"),
        ("mailu/my-rainloop:1.9", "2024.06.24", "rainloop", "ghcr.io/mailu/my-webmail:2024.06.24"),
        ("mailu/rainloop:1.9", "1.9.50", "rainloop", "mailu/rainloop:1.9.50"),
        ("ghcr.io/mailu/webmail:2.0", "1.9.50", "roundcube", "mailu/roundcube:1.9.50"),
        ("ghcr.io/mailu/oletools:2.0", "2024.06.24", "", "ghcr.io/mailu/oletools:2024.06.24"),
    ],
)
def test_an_image_that_another_series_names_otherwise_is_taken_under_that_name(
    image: str, release: str, web_mail: str, expected: str
) -> None:
    assert image_for(image, Release.parse(release), web_mail) == expected


def test_the_antivirus_of_a_file_of_2_0_is_that_of_the_release_with_a_volume_where_it_looks() -> None:
    model = users_model()
    mount = {"type": "bind", "source": "/mailu/filter", "target": "/data"}
    model["services"]["antivirus"] = {"image": "ghcr.io/mailu/clamav:2.0", "volumes": [mount]}
    core, _ = transform(model, NEW, Path("/mailu/docker-compose.yml"))
    service = with_services(core, NEW, ())["services"]["antivirus"]
    assert service["image"] == "clamav/clamav-debian:1.2.3-45"
    assert service["command"] == ["clamd", "--foreground"]
    (volume,) = service["volumes"]
    assert volume.split(":")[1:] == ["/var/lib/clamav", "nocopy"]
    assert volume.split(":")[0] in core["volumes"]
    assert list(service["networks"]) == ["default"], "where Rspamd finds it by its name"


def test_a_file_without_mailus_names_is_refused_with_what_is_missing() -> None:
    model = users_model()
    del model["services"]["antispam"]
    model["services"]["mta"] = model["services"].pop("smtp")
    with pytest.raises(UsageError) as caught:
        transform(model, NEW, Path("mine.yml"))
    assert "smtp, antispam" in caught.value.cause
    assert "mine.yml" in caught.value.cause


@pytest.mark.parametrize("name", ["world", "ingress"])
def test_a_service_called_as_one_of_the_surroundings_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"`{name}`"):
        transform(users_model(**{name: {"image": "registry.example/extra:7"}}), NEW, Path("mine.yml"))


@pytest.mark.parametrize("memory", [str(64 << 30), "0", "-1", None])
def test_a_users_own_service_has_limits_and_no_raw_packets(memory: str | None) -> None:
    more = {"image": "registry.example/extra:7", "cap_drop": ["CHOWN"], "mem_limit": memory, "pids_limit": -1}
    core, _ = transform(users_model(greedy=more), NEW, Path("mine.yml"))
    greedy = core["services"]["greedy"]
    assert {"CHOWN", "NET_RAW", "MKNOD"} <= set(greedy["cap_drop"])
    assert 0 < int(greedy["mem_limit"]) <= 4 << 30
    assert 0 < greedy["pids_limit"] <= 2000
    assert greedy["logging"]["options"]["max-size"]


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
    single.write_bytes(bytes(SIZE_LIMIT + 1))
    with pytest.raises(UsageError, match="too big"):
        _read("front", {"/etc/one.cf": str(single)})


DEPLOYMENTS = Path(__file__).parents[2] / "deployment" / "deployments"


def test_a_missing_folder_of_overrides_is_an_empty_one_as_for_the_engine() -> None:
    compose = asyncio.run(Compose.find({}))
    read = asyncio.run(read_user_compose(DEPLOYMENTS / "20-plain" / "docker-compose.yml", NEW, compose))
    assert not read.files


def test_a_missing_folder_that_the_engine_would_not_make_is_refused(tmp_path: Path) -> None:
    services: dict[str, Any] = {name: {"image": f"ghcr.io/mailu/{name}:2024.06"} for name in CORE_SERVICES}
    services["front"]["volumes"] = [
        {"type": "bind", "source": "./missing", "target": "/x", "read_only": True, "bind": {"create_host_path": False}}
    ]
    path = tmp_path / "compose.yml"
    path.write_text(json.dumps({"services": services}))
    with pytest.raises(UsageError, match=r"missing, mounted read-only in front, cannot be read"):
        asyncio.run(read_user_compose(path, NEW, asyncio.run(Compose.find({}))))


def test_the_override_file_is_taken_as_compose_takes_it(tmp_path: Path) -> None:
    services = {name: {"image": f"ghcr.io/mailu/{name}:2024.06"} for name in CORE_SERVICES}
    (tmp_path / "docker-compose.yml").write_text(json.dumps({"services": services}))
    above = {"services": {"admin": {"environment": {"SITENAME": "from the override"}}}}
    (tmp_path / "docker-compose.override.yml").write_text(json.dumps(above))
    compose = asyncio.run(Compose.find({}))
    read = asyncio.run(read_user_compose(tmp_path / "docker-compose.yml", NEW, compose))
    assert read.environment["SITENAME"] == "from the override"


def test_what_compose_says_of_a_broken_override_shows_no_value_of_it(tmp_path: Path) -> None:
    services = {name: {"image": f"ghcr.io/mailu/{name}:2024.06"} for name in CORE_SERVICES}
    (tmp_path / "docker-compose.yml").write_text(json.dumps({"services": services}))
    broken = "services: {admin: {environment: [SECRET_KEY=abcdefgh12345678, {abcdefgh12345678: x}]}}\n"
    (tmp_path / "docker-compose.override.yml").write_text(broken)
    with pytest.raises(UsageError, match="cannot read") as caught:
        asyncio.run(read_user_compose(tmp_path / "docker-compose.yml", NEW, asyncio.run(Compose.find({}))))
    assert "abcdefgh12345678" not in str(caught.value)


ELSEWHERE = "https://127.0.0.1:1/x/y.git", "oci://127.0.0.1:1/x/y:1"


@pytest.mark.parametrize("where", ELSEWHERE, ids=["git", "registry"])
@pytest.mark.parametrize(
    "text",
    [
        "include: [{where}]\nservices: {{a: {{image: x}}}}\n",
        "services: {{a: {{extends: {{file: '{where}', service: a}}}}}}\n",
    ],
    ids=["include", "extends"],
)
def test_compose_fetches_nothing_from_elsewhere(where: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "compose.yml"
    path.write_text(text.format(where=where))
    compose = asyncio.run(Compose.find({}))
    with pytest.raises(UsageError) as caught:
        asyncio.run(read_user_compose(path, NEW, compose))
    assert "disabled" in str(caught.value)
    assert "refused" not in str(caught.value)


def test_a_file_that_names_an_endless_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "compose.yml"
    path.write_text("services: {a: {image: x, env_file: [/dev/zero]}}\n")
    with pytest.raises(UsageError, match="cannot read"):
        asyncio.run(read_user_compose(path, NEW, asyncio.run(Compose.find({}))))


def test_a_source_of_any_name_becomes_a_volume_with_a_plain_name() -> None:
    odd = {"type": "volume", "source": "größe\ud800/¾", "target": "/x"}
    core, _ = transform(users_model(odd={"image": "registry.example/extra:7", "volumes": [odd]}), NEW, Path("c.yml"))
    name = core["services"]["odd"]["volumes"][0].partition(":")[0]
    assert name.isascii()
    assert name in core["volumes"]


MARK = "h0stile"
HOSTILE: dict[str, Any] = {
    "build": {"context": MARK},
    "cap_add": [MARK],
    "cgroup": MARK,
    "cgroup_parent": MARK,
    "configs": [{"source": MARK, "target": "/x"}],
    "container_name": MARK,
    "credential_spec": {"file": MARK},
    "depends_on": {MARK: {"condition": "service_started"}},
    "deploy": {"resources": {"reservations": {"devices": [{"driver": MARK}]}}},
    "develop": {"watch": [{"path": MARK}]},
    "device_cgroup_rules": [MARK],
    "devices": [{"source": MARK, "target": "/dev/x"}],
    "dns": [MARK],
    "dns_opt": [MARK],
    "dns_search": [MARK],
    "domainname": MARK,
    "expose": [MARK],
    "external_links": [MARK],
    "extra_hosts": [MARK],
    "gpus": [{"driver": MARK}],
    "group_add": [MARK],
    "healthcheck": {"test": ["CMD", MARK]},
    "ipc": MARK,
    "isolation": MARK,
    "label_file": [MARK],
    "labels": {MARK: "x"},
    "links": [MARK],
    "logging": {"driver": MARK},
    "mac_address": MARK,
    "models": {MARK: {}},
    "network_mode": MARK,
    "networks": {MARK: {"driver_opts": {"x": "y"}}},
    "oom_kill_disable": MARK,
    "pid": MARK,
    "ports": [{"target": 25, "published": "25", "host_ip": MARK}],
    "post_start": [{"command": MARK}],
    "pre_stop": [{"command": MARK}],
    "privileged": MARK,
    "provider": {"type": MARK},
    "pull_policy": MARK,
    "restart": MARK,
    "runtime": MARK,
    "secrets": [{"source": MARK}],
    "security_opt": [MARK],
    "storage_opt": {"size": MARK},
    "sysctls": {MARK: "1"},
    "use_api_socket": MARK,
    "userns_mode": MARK,
    "uts": MARK,
    "volumes_from": [MARK],
    "what_compose_may_learn_later": MARK,
}


@pytest.mark.parametrize("key", HOSTILE)
def test_what_leads_out_of_the_stack_is_dropped_from_every_service(key: str) -> None:
    for name in (*CORE_SERVICES, "extra"):
        model = users_model()
        model["services"][name][key] = HOSTILE[key]
        core, binds = transform(model, NEW, Path("mine.yml"))
        made = sealed(core, {}, LABELS, CONFIGURED, {})
        assert MARK not in json.dumps([made, binds]), name


@pytest.mark.parametrize("kind", ["networks", "volumes", "secrets", "configs", "models", "name", "x-more"])
def test_what_stands_beside_the_services_is_dropped(kind: str) -> None:
    model = {**users_model(), kind: {MARK: {"driver": MARK, "driver_opts": {"device": "/"}, "external": True}}}
    core, _ = transform(model, NEW, Path("mine.yml"))
    assert MARK not in json.dumps(sealed(core, {}, LABELS, CONFIGURED, {}))


@pytest.mark.parametrize("source", ["/", "/etc", "/var/run/docker.sock", "/proc", "/dev", "/root/.ssh"])
@pytest.mark.parametrize("kind", ["bind", "volume", "npipe", "cluster", "image", "tmpfs", "later"])
def test_no_folder_of_the_host_is_mounted_whatever_it_is_called(source: str, kind: str) -> None:
    mount = {"type": kind, "source": source, "target": "/x", "read_only": False, "bind": {"propagation": "rshared"}}
    core, _ = transform(
        users_model(mine={"image": "registry.example/extra:7", "volumes": [mount]}), NEW, Path("mine.yml")
    )
    mounts = core["services"]["mine"]["volumes"]
    assert all(entry.partition(":")[0] in core["volumes"] for entry in mounts)
    assert all(volume == {} for volume in core["volumes"].values())


def test_other_names_of_services_are_known_to_find_the_database_by() -> None:
    services = {
        "db": {
            "container_name": "mailu-db",
            "hostname": "pg",
            "networks": {"default": {"aliases": ["database", "admin"]}, "other": None},
        },
        "admin": {"hostname": "admin", "networks": None},
    }
    assert _aliases(services) == {"mailu-db": "db", "pg": "db", "database": "db"}


def test_the_folder_behind_each_volume_is_known_by_its_name() -> None:
    core, _ = transform(users_model(), NEW, Path("compose.yml"))
    found = folders_of(users_model(), Path("compose.yml"))
    (volume,) = (mount.split(":")[0] for mount in core["services"]["antispam"]["volumes"])
    assert found[volume] == "/srv/theirs/filter"
    assert set(found) <= set(core["volumes"])
    assert not [name for name in found if name.startswith("shared-")]
