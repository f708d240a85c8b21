"""Source addresses are checked on the bridges of our networks, where the kernel of this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_mailu.stack.docker.bridges import bridge_of, check_sources, take_ipv6_away

NETWORK = "0123456789abcdef" * 4


def settings(folder: Path, *, everywhere: str, ours: str) -> Path:
    for name, value in (("all", everywhere), (bridge_of(NETWORK), ours)):
        (folder / name).mkdir()
        (folder / name / "rp_filter").write_text(f"{value}\n")
    return folder


def value(folder: Path) -> str:
    return (folder / bridge_of(NETWORK) / "rp_filter").read_text().strip()


def test_where_nothing_is_checked_it_is_switched_on_for_our_bridge_alone(tmp_path: Path) -> None:
    folder = settings(tmp_path, everywhere="0", ours="0")
    assert check_sources([NETWORK], folder) == []
    assert value(folder) == "1"
    assert (folder / "all" / "rp_filter").read_text() == "0\n"


@pytest.mark.parametrize(("everywhere", "ours"), [("1", "0"), ("2", "0"), ("0", "1"), ("0", "2")])
def test_what_is_checked_stays_as_it_is(tmp_path: Path, everywhere: str, ours: str) -> None:
    folder = settings(tmp_path, everywhere=everywhere, ours=ours)
    assert check_sources([NETWORK], folder) == []
    assert value(folder) == ours


def test_a_user_who_may_not_is_told_of_the_bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = settings(tmp_path, everywhere="0", ours="0")

    def forbidden(*_: object) -> None:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(Path, "write_text", forbidden)
    assert check_sources([NETWORK], folder) == ["br-0123456789ab"]


def test_nothing_is_said_of_an_engine_elsewhere(tmp_path: Path) -> None:
    assert check_sources([NETWORK], tmp_path) == []
    assert check_sources([NETWORK], tmp_path / "absent") == []


def ipv6(folder: Path, *, disabled: str, listed: str) -> tuple[Path, Path]:
    (folder / bridge_of(NETWORK)).mkdir()
    (folder / bridge_of(NETWORK) / "disable_ipv6").write_text(f"{disabled}\n")
    addresses = folder / "if_inet6"
    addresses.write_text(f"fe800000000000000000000000000001 04 40 20 80     {listed}\n")
    return folder, addresses


def test_ipv6_is_switched_off_on_our_bridge_that_has_an_address_of_this_machine(tmp_path: Path) -> None:
    """Docker 20.10 gives it one in an internal network too, and a link-local one, and this machine answers at both."""
    assert take_ipv6_away([NETWORK], *ipv6(tmp_path, disabled="0", listed="eth0")) == []
    assert (tmp_path / bridge_of(NETWORK) / "disable_ipv6").read_text().strip() == "1"


def test_a_bridge_that_keeps_an_address_is_told(tmp_path: Path) -> None:
    bridge = bridge_of(NETWORK)
    assert take_ipv6_away([NETWORK], *ipv6(tmp_path, disabled="1", listed=bridge)) == [bridge]


def test_a_bridge_that_cannot_be_seen_counts_as_open(tmp_path: Path) -> None:
    """The engine is on another machine, or the kernel has no IPv6: nothing proves that nobody answers."""
    assert take_ipv6_away([NETWORK], tmp_path, tmp_path / "if_inet6") == [bridge_of(NETWORK)]


def test_a_user_who_may_not_switch_ipv6_off_is_told_of_the_bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    places = ipv6(tmp_path, disabled="0", listed="eth0")
    monkeypatch.setattr(Path, "write_text", refuse)
    assert take_ipv6_away([NETWORK], *places) == [bridge_of(NETWORK)]
