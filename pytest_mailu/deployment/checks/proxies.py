"""A reverse proxy in front of Mailu: whose address Mailu takes for the client's, and settings that go together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.model import Place, Port, Setting
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.subject import Subject

_LOCAL = ("127.", "::1")


def check(subject: Subject) -> Iterator[Note]:
    """Notes on REAL_IP_*, PROXY_PROTOCOL, PROXY_AUTH_WHITELIST and SUBNET6."""
    header, network, protocol = _way_in(subject)
    asked = [setting for setting in (header, protocol) if setting is not None]
    if asked and network is None:
        which = "proxy-protocol-alone" if asked[0] is protocol else "real-ip-header-alone"
        notice = subject.catalogue.notice(f"settings/{which}")
        title = f"{asked[0].name} is set, REAL_IP_FROM is not"
        made = about(notice, title=title, place=asked[0].place, id="env/REAL_IP_FROM/missing")
        yield replace(made, write=f"REAL_IP_FROM={_gateway(subject)}").broken(Outcome.ALTERED)
    elif len(asked) == 2:
        notice = subject.catalogue.notice("settings/proxy-protocol-with-header")
        yield about(
            notice,
            title="REAL_IP_HEADER and PROXY_PROTOCOL are both set",
            place=asked[0].place,
            id="env/REAL_IP_HEADER/both",
            severity=Severity.MINOR,
        ).broken(Outcome.ALTERED)
    elif not asked and (proxy := _web_proxy(subject)) is not None:
        notice = subject.catalogue.notice("settings/real-ip")
        made = about(
            notice,
            title="A proxy is in front of the web site, and REAL_IP_FROM is not set",
            place=proxy,
            id="env/REAL_IP_FROM/missing",
        )
        made = replace(made, write=f"REAL_IP_HEADER=X-Real-IP\nREAL_IP_FROM={_gateway(subject)}")
        # From 2.0 on, five failures lock the proxy's address out, and with it everybody.
        stricter = not subject.old.since("2.0") and subject.new.since("2.0")
        yield made.lost(Outcome.ALTERED) if stricter else made.broken(Outcome.ALTERED)
    yield from _header_login(subject)
    yield from _ipv6(subject)


def _gateway(subject: Subject) -> str:
    """Where a proxy on the host comes from: the first address of SUBNET."""
    try:
        network = ipaddress.ip_network(subject.effective(subject.after, subject.new, "SUBNET") or "", strict=False)
    except ValueError:
        return "192.168.203.1"
    return str(network.network_address + 1)


def _is_local(port: Port) -> bool:
    return port.host.startswith(_LOCAL)


def _web_proxy(subject: Subject) -> Place | None:
    """Where the files show that somebody else receives the web site's visitors."""
    front = subject.service(subject.after, "front")
    if front is None:
        return None
    web = [port for port in front.ports if port.target in (80, 443)]
    # With all ports there, as the set-up page proposes it, nothing shows who comes in between.
    if web and all(map(_is_local, web)) and not all(map(_is_local, front.ports)):
        return web[0].place
    for name, given in front.labels.items():
        if name.startswith("traefik.http.services."):
            return given.place
    return None


def _way_in(subject: Subject) -> tuple[Setting | None, ...]:
    """REAL_IP_HEADER, REAL_IP_FROM and PROXY_PROTOCOL; None for one that is empty or not there."""
    return tuple(_given(subject, name) for name in ("REAL_IP_HEADER", "REAL_IP_FROM", "PROXY_PROTOCOL"))


def _given(subject: Subject, name: str) -> Setting | None:
    """A setting, unless it is empty or not there."""
    setting = subject.after.settings.get(name)
    return setting if setting is not None and setting.value.strip() else None


def _header_login(subject: Subject) -> Iterator[Note]:
    """PROXY_AUTH_WHITELIST where nginx hands on X-Forwarded-By as the client wrote it (core/nginx/conf/proxy.conf)."""
    listed = _given(subject, "PROXY_AUTH_WHITELIST")
    if listed is None:
        return
    header, network, protocol = (setting.value.strip() if setting else "" for setting in _way_in(subject))
    if network and (header or protocol not in ("", "mail")):
        return
    notice = subject.catalogue.notice("settings/header-login-open")
    made = replace(
        about(
            notice,
            title="PROXY_AUTH_WHITELIST is set, REAL_IP_HEADER and REAL_IP_FROM are not both",
            place=listed.place,
            id="env/PROXY_AUTH_WHITELIST/open",
            severity=Severity.CRITICAL,
        ),
        write=f"REAL_IP_HEADER={header or 'X-Real-IP'}\nREAL_IP_FROM={network or _gateway(subject)}",
    )
    match subject.old in notice, subject.new in notice:
        case True, True:
            yield made.broken(Outcome.ALTERED)
        case True, False:
            yield made.gained(Outcome.ALTERED)
        case False, True:
            yield made.lost(Outcome.ALTERED)


def _ipv6(subject: Subject) -> Iterator[Note]:
    default = subject.after.networks.get("default")
    if default is None or not default.ipv6 or "SUBNET6" in subject.after.settings:
        return
    subnet = next((given for given in default.subnets if ":" in given.value), None)
    if subnet is None or not subject.new.since("2.0"):
        return
    notice = subject.catalogue.notice("settings/subnet6")
    made = about(notice, title="The network has IPv6, and SUBNET6 is not set", place=subnet.place, id="env/SUBNET6")
    made = replace(made, write=f"SUBNET6={subnet.value}")
    yield made.lost(Outcome.ALTERED) if not subject.old.since("2.0") else made.broken(Outcome.ALTERED)
