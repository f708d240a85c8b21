"""Nothing is started that could reach another machine."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.core.errors import StackError
from pytest_mailu.stack.docker.isolation import check_sealed

NETWORKS = [
    {"Name": "p_default", "Internal": True},
    {"Name": "p_edge-stranger", "Internal": True},
    {"Name": "p_outside", "Internal": False},
]


def container(*networks: str, **host: Any) -> dict[str, Any]:
    return {"HostConfig": host, "NetworkSettings": {"Networks": {f"p_{name}": {} for name in networks}}}


def sealed() -> dict[str, dict[str, Any]]:
    published = {"1080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    return {
        "admin": container("default", Binds=["p_data:/data:rw"], Mounts=[{"Type": "volume", "Source": "p_x"}]),
        "front": container("default", "edge-stranger"),
        "world": container("default", "edge-stranger", "outside", PortBindings=published),
    }


def test_a_sealed_stack_passes() -> None:
    check_sealed(sealed(), NETWORKS, "p")


@pytest.mark.parametrize(
    ("service", "leak", "words"),
    [
        ("front", container("default", "outside"), "p_outside"),
        ("front", container("default", PortBindings={"25/tcp": [{"HostIp": "127.0.0.1"}]}), "25/tcp"),
        ("world", container("default", PortBindings={"1080/tcp": [{"HostIp": "0.0.0.0"}]}), "0.0.0.0"),
        ("world", container("default", PortBindings={"1080/tcp": [{"HostIp": ""}]}), "all addresses"),
        ("smtp", container("default", NetworkMode="host"), "network of the host"),
        ("smtp", container(), "no network"),
        ("admin", container("default", Binds=["/srv/mailu/data:/data:rw"]), "/srv/mailu/data"),
        ("admin", container("default", Mounts=[{"Type": "bind", "Source": "/srv/mailu"}]), "/srv/mailu"),
        ("admin", container("default", Privileged=True), "privileges"),
        ("admin", container("default", PidMode="host"), "PidMode"),
        ("mine", container("default", Devices=[{"PathOnHost": "/dev/kvm"}]), "/dev/kvm"),
    ],
)
def test_each_way_out_is_found_and_named(service: str, leak: dict[str, Any], words: str) -> None:
    with pytest.raises(StackError) as caught:
        check_sealed({**sealed(), service: leak}, NETWORKS, "p")
    assert words in caught.value.cause
    assert caught.value.service == service
    assert not caught.value.own_doing


def test_a_network_that_should_be_internal_and_is_not_is_found() -> None:
    with pytest.raises(StackError, match="p_default"):
        check_sealed(sealed(), [{"Name": "p_default", "Internal": False}, *NETWORKS[1:]], "p")
