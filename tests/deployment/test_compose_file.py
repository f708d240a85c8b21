"""Compose files are read as Docker Compose reads them, and every value keeps its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.model import Deployment, Service
from pytest_mailu.deployment.reader import Sources, read_deployment
from tests.deployment.compose import config, literal

ENVIRONMENT = st.one_of(
    st.lists(st.sampled_from(["A=1", "B=two words", "C=${X:-y}", "D=$$", "E="]), unique=True, max_size=3),
    st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["1", "${X}", "${NO-none}", "it's"]), max_size=3),
)
PORTS = st.lists(
    st.sampled_from(
        [
            *("25:25", "127.0.0.1:80:80", "[::1]:25:25", "443:443/tcp", "8000-8002:9000-9002", "53:53/udp", "4190"),
            {"target": 465, "published": "465"},
            {"target": 587, "published": "1587", "host_ip": "192.0.2.1", "protocol": "tcp"},
        ]
    ),
    max_size=4,
)
VOLUMES = st.lists(
    st.sampled_from(
        [
            *("/mailu/data:/data", "./overrides/nginx:/overrides:ro", "certs:/certs", "./mail:/mail:rw"),
            {"type": "bind", "source": "/mailu/dkim", "target": "/dkim", "read_only": True},
        ]
    ),
    max_size=3,
)
SERVICE = st.fixed_dictionaries(
    {"image": st.sampled_from(["mailu/nginx:1.9", "${ORG:-ghcr.io/mailu}/nginx:${MAILU_VERSION:-2.0}", "a:${X}"])},
    optional={
        "environment": ENVIRONMENT,
        "ports": PORTS,
        "volumes": VOLUMES,
        "env_file": st.sampled_from(["mailu.env", ["mailu.env", "more.env"], [{"path": "no.env", "required": False}]]),
        "labels": st.sampled_from([{"a": "1"}, ["a=2", "b"], {}]),
        "dns": st.sampled_from(["192.168.203.254", ["192.168.203.254", "192.0.2.53"]]),
        "restart": st.sampled_from(["always", "unless-stopped"]),
        "logging": st.sampled_from(
            [{"driver": "journald", "options": {"tag": "t"}}, {"driver": "json-file"}, {"options": {"max-size": "1m"}}]
        ),
        "extra_hosts": st.sampled_from([["db:192.0.2.7"], {"db": "192.0.2.8"}]),
        "extends": st.just({"file": "base.yml", "service": "base"}),
    },
)
FILE = st.fixed_dictionaries({"services": st.dictionaries(st.sampled_from(["front", "admin"]), SERVICE, min_size=1)})


def flat_ports(service: dict[str, Any]) -> set[tuple[str, int, int, str]]:
    return {
        (port.get("host_ip", ""), int(port.get("published") or 0), port["target"], port["protocol"])
        for port in service.get("ports") or ()
    }


def compared(service: dict[str, Any], root: Path) -> dict[str, Any]:
    return {
        "image": service["image"],
        "ports": flat_ports(service),
        "mounts": {
            (volume.get("source", ""), volume["target"], bool(volume.get("read_only")))
            for volume in service.get("volumes") or ()
        },
        "labels": {key: literal(str(value)) for key, value in (service.get("labels") or {}).items()},
        "dns": service.get("dns") or [],
        "restart": service.get("restart"),
        "logging": (service.get("logging") or {}).get("driver"),
        "hosts": {line.partition("=")[0] for line in service.get("extra_hosts") or ()},
    }


def own(service: Service, root: Path) -> dict[str, Any]:
    return {
        "image": str(service.image),
        "ports": {(port.host, port.published, port.target, port.protocol) for port in service.ports},
        "mounts": {
            (str((root / mount.source).resolve()) if mount.is_folder else mount.source, mount.target, mount.read_only)
            for mount in service.mounts
        },
        "labels": {key: given.value for key, given in service.labels.items()},
        "dns": [str(given) for given in service.dns],
        "restart": str(service.restart) if service.restart else None,
        "logging": str(service.logging) if service.logging else None,
        "hosts": set(service.extra_hosts),
    }


def read(folder: Path) -> Deployment:
    return read_deployment(Sources(folder))


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(FILE, st.one_of(st.none(), FILE))
def test_any_file_and_override_are_read_as_compose_reads_them(
    tmp_path: Path, file: dict[str, Any], above: dict[str, Any] | None
) -> None:
    tmp_path = tmp_path.resolve()
    (tmp_path / ".env").write_text("X=from dot env\n")
    (tmp_path / "mailu.env").write_text("A=env file\n")
    (tmp_path / "more.env").write_text("B=more\n")
    (tmp_path / "base.yml").write_text("services: {base: {image: base:1, restart: 'no', labels: {base: '${X}'}}}\n")
    files = {"docker-compose.yml": {**file, "volumes": {"certs": {}}}}
    (tmp_path / "docker-compose.override.yml").unlink(missing_ok=True)
    if above is not None:
        files["docker-compose.override.yml"] = above
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content, sort_keys=False))
    wanted = config(tmp_path)
    if isinstance(wanted, str):
        # Compose refuses more than these readers do: what an image or a port may look like is not their business.
        return
    deployment = read(tmp_path)
    assert set(deployment.services) == set(wanted["services"])
    for name, service in wanted["services"].items():
        assert own(deployment.services[name], tmp_path) == compared(service, tmp_path), files


def test_every_value_keeps_its_line_through_anchors_and_merge_keys(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(
        "version: '2.2'\n"
        "x-all: &all\n"
        "  restart: always\n"
        "  env_file: mailu.env\n"
        "services:\n"
        "  front:\n"
        "    <<: *all\n"
        "    image: ghcr.io/mailu/nginx:${MAILU_VERSION:-2.0}\n"
        "    ports:\n"
        '      - "25:25"\n'
        "  admin: {<<: *all, image: ghcr.io/mailu/admin:2.0, restart: 'no'}\n"
    )
    (tmp_path / "mailu.env").write_text("DOMAIN=a.example\nSUBNET=10.0.0.0/24\nDOMAIN=b.example\n")
    deployment = read(tmp_path)
    front, admin = deployment.services["front"], deployment.services["admin"]
    assert str(deployment.version_key) == "docker-compose.yml, line 1"
    assert (str(front.restart), str(front.restart and front.restart.place)) == ("always", "docker-compose.yml, line 3")
    assert str(front.ports[0].place) == "docker-compose.yml, line 10"
    assert (front.repository, front.tag, front.written) == (
        *("ghcr.io/mailu/nginx", "2.0"),
        "ghcr.io/mailu/nginx:${MAILU_VERSION:-2.0}",
    )
    assert str(admin.restart) == "no"
    domain = deployment.settings["DOMAIN"]
    assert (domain.value, domain.place.line, [str(given.place) for given in domain.earlier]) == (
        *("b.example", 3),
        ["mailu.env, line 1"],
    )


def test_an_included_file_brings_its_services_and_its_env_file(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("include: [mail/mailu.yml]\nservices: {proxy: {image: traefik}}\n")
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "mailu.yml").write_text(
        "services: {admin: {image: 'mailu/admin:${MAILU_VERSION}', env_file: mailu.env}}\n"
    )
    (tmp_path / "mail" / ".env").write_text("MAILU_VERSION=1.9\n")
    (tmp_path / "mail" / "mailu.env").write_text("DOMAIN=a.example\n")
    deployment = read(tmp_path)
    assert deployment.services["admin"].tag == "1.9"
    assert deployment.settings["DOMAIN"].place.file == "mail/mailu.env"
    assert set(deployment.services) == {"proxy", "admin"}


COMPOSE = "docker-compose.yml"


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("services:\n  a: {image: x}\n\tb: y\n", "docker-compose.yml, line 3: not valid YAML"),
        ("services:\n  a: {image: x}\n  a: {image: y}\n", "docker-compose.yml, line 3: the key 'a' stands twice"),
        ("- a\n- b\n", "docker-compose.yml, line 1: not a compose file"),
        ("services: [a]\n", "docker-compose.yml, line 1: `services` is not a mapping"),
        ("services:\n  a: text\n", "docker-compose.yml, line 2: the service a is not a mapping"),
        ("services: {}\n", "docker-compose.yml has no services"),
        ("", "docker-compose.yml has no services"),
        ("services:\n  a:\n    image: x:${V:?say which}\n", "line 3: the variable V has no value: say which"),
        ("services:\n  a:\n    image: x:${V\n", "line 3: ${V is no variable"),
        ("services:\n  a:\n    image: x\n    ports: [zz]\n", "line 4: this is not a port"),
        (
            "services:\n  a:\n    image: x\n    ports: ['1-9999:1-9999']\n",
            "line 4: '1-9999' is not a port, or too many",
        ),
        ("services:\n  a: &a\n    b: *a\n", "line 3: the anchor 'a' contains itself"),
        ("services:\n  a: *a\n", "line 2: there is no anchor of this name"),
        ("services:\n  a: {<<: 1}\n", "line 2: a merge key (<<) wants a mapping"),
        ("services:\n  a: {extends: {service: a}}\n", "line 2: services extend each other in a circle"),
        ("services:\n  a: {extends: b}\n  b: {extends: a}\n", "services extend each other in a circle"),
        ("services:\n  a: {extends: z}\n", "line 2: there is no service z in docker-compose.yml"),
        ("services:\n  a: {extends: {file: z.yml, service: z}}\n", "line 2: z.yml: there is no such file"),
        ("include: [docker-compose.yml]\nservices: {}\n", "line 1: the files include each other in a circle"),
        ("include: ['https://example.org/c.yml']\n", "line 1: https://example.org/c.yml is not a local file"),
        ("include: [../c.yml]\n", "c.yml is outside the folder"),
        ("services:\n  admin: {image: x, env_file: no.env}\n", "line 2: no.env: there is no such file"),
        ("services:\n  admin: {image: x, env_file: /etc/passwd}\n", "line 2: /etc/passwd is outside the folder"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", "line 1: more than 40 levels deep"),
        ("a: " + "[" * 100_000 + "\n", "line 1: "),
        (
            "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))]),
            "more than 50000 values, aliases included",
        ),
        ("---\nservices: {a: {image: x}}\n" * 30, "more than 20 documents"),
        ("x" * 300_000, "docker-compose.yml is larger than 256 kB"),
        ("services:\n  a: {image: x\0y}\n", "docker-compose.yml is a binary file"),
    ],
)
def test_a_broken_compose_file_is_one_line_with_the_place(tmp_path: Path, content: str, cause: str) -> None:
    (tmp_path / COMPOSE).write_text(content)
    with pytest.raises(UsageError) as caught:
        read(tmp_path)
    assert cause.replace("docker-compose.yml, ", "") in caught.value.cause
    assert "\n" not in caught.value.cause
    assert caught.value.remedy
    assert len(caught.value.cause) < 300
