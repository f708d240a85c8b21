"""The bridges of a stack's internal networks on this machine: the kernel takes no packet that comes from them.

Such a bridge has no address, so nothing there answers. But a process that names the network interface itself
(IP_PKTINFO, SO_BINDTODEVICE: ip(7), socket(7)) can still send single packets to another address of this machine, and
where source addresses are not checked (`rp_filter` is 0) the kernel takes them, and answers to wherever its default
route leads. With the check (1, strict, or 2, loose) it drops what comes from an interface without an address (Linux,
Documentation/networking/ip-sysctl.rst; net/ipv4/fib_frontend.c).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_SETTINGS6 = Path("/proc/sys/net/ipv6/conf")
_ADDRESSES6 = Path("/proc/net/if_inet6")
"""proc(5); the last field of a line is the name of an interface that has an address of IPv6."""
_SETTINGS = Path("/proc/sys/net/ipv4/conf")
_STRICT = "1"


def bridge_of(network_id: str) -> str:
    """The interface of a network (libnetwork, drivers/bridge): ours are never given a name of their own."""
    return f"br-{network_id[:12]}"


def check_sources(network_ids: Iterable[str], settings: Path = _SETTINGS) -> list[str]:
    """Has source addresses checked on the bridges of these networks; the names of those where that is not possible.

    Bridges of an engine on another machine cannot be seen: nothing is done about them.
    """
    return [bridge for one in network_ids if not _checked(bridge := bridge_of(one), settings)]


def _checked(bridge: str, settings: Path) -> bool:
    try:
        # The greater one of both counts.
        if any(_value(settings / name) for name in ("all", bridge)):
            return True
        (settings / bridge / "rp_filter").write_text(_STRICT)
    except FileNotFoundError:
        return True
    except OSError:  # only root may
        return False
    return True


def _value(folder: Path) -> int:
    return int((folder / "rp_filter").read_text())


def take_ipv6_away(network_ids: Iterable[str], settings: Path = _SETTINGS6, addresses: Path = _ADDRESSES6) -> list[str]:
    """Takes every address of IPv6 from the bridges of these networks; the names of those that may still have one.

    An engine before Docker 28 gives the bridge of a network with IPv6 an address, also that of an internal one, and
    this machine answers there. Without IPv6 on the bridge (Linux, Documentation/networking/ip-sysctl.rst:
    `disable_ipv6`), it carries the packets of the containers alone. Bridges of an engine on another machine cannot be
    seen: they count as open.
    """
    return [bridge for one in network_ids if not _without_ipv6(bridge := bridge_of(one), settings, addresses)]


def _without_ipv6(bridge: str, settings: Path, addresses: Path) -> bool:
    switch = settings / bridge / "disable_ipv6"
    try:
        if switch.read_text().strip() != "1":
            switch.write_text("1")
        listed = addresses.read_text()
    except OSError:  # it is elsewhere, or only root may
        return False
    return not any(line.split()[-1:] == [bridge] for line in listed.splitlines())
