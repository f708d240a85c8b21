"""What settings say of the reverse proxies before Mailu."""

from __future__ import annotations

import pytest

from pytest_mailu.core.endpoints import HTTP_80, HTTPS_443, IMAPS_993, PORTS, SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.proxies import Proxies, proxies_of, proxy_protocol_ports
from pytest_mailu.core.setups import SETUPS, Feature, setup_named, setup_of_files

MAIL = {25, 110, 143, 465, 587, 993, 995, 4190}


@pytest.mark.parametrize(
    ("value", "ports"),
    [
        ("", set()),
        ("http", {80, 443}),  # 2.0
        ("mail", MAIL),
        ("all-but-http", MAIL | {443}),  # 2024.06
        ("all", set(PORTS)),
        ("25,443,465,993,995,4190", {25, 443, 465, 993, 995, 4190}),  # Mailu's example for Traefik
        (" 25, mail ", MAIL),
        ("MAIL", MAIL),
        ("25;443", set()),
        ("8080,99999999999999999999,-25,²", set()),
    ],
)
def test_proxy_protocol_is_read_as_any_series_reads_it(value: str, ports: set[int]) -> None:
    assert proxy_protocol_ports(value) == ports


def test_a_header_counts_where_somebody_is_believed() -> None:
    assert proxies_of({"REAL_IP_HEADER": "X-Real-IP", "REAL_IP_FROM": "10.0.0.1"}) == Proxies("X-Real-IP")
    assert not proxies_of({"REAL_IP_HEADER": "X-Real-IP", "REAL_IP_FROM": " "})
    assert not proxies_of({"REAL_IP_HEADER": "proxy_protocol", "REAL_IP_FROM": "10.0.0.1"})
    assert not proxies_of({"REAL_IP_FROM": "10.0.0.1"})
    assert proxies_of({"PROXY_PROTOCOL": "25"})


def test_the_user_s_settings_lead_to_their_proxies() -> None:
    theirs = setup_of_files({"PROXY_PROTOCOL": "25,993", "REAL_IP_FROM": "10.0.0.1", "SITENAME": "Ours"})
    assert theirs.proxies.ports == {25, 993}
    assert Feature.PROXY_PROTOCOL in theirs.features_at(IMAPS_993)
    assert Feature.PROXIED in theirs.features_at(SMTP_25_OPPORTUNISTIC)
    assert Feature.PROXIED not in theirs.features_at(HTTPS_443)
    assert Feature.PROXIED not in theirs.features_at(None)
    assert theirs.over({"PROXY_PROTOCOL": "25,993"}) == {"PROXY_PROTOCOL": "25,993"}


def test_a_named_set_up_has_its_own_proxies() -> None:
    """Laid over files with PROXY_PROTOCOL, clients of `notls` would get no answer anywhere."""
    user = {"PROXY_PROTOCOL": "mail", "REAL_IP_FROM": "10.0.0.1", "SITENAME": "Ours"}
    assert setup_named("notls").over(user) == {"SITENAME": "Ours", "TLS_FLAVOR": "notls"}
    assert setup_named("behind-proxy").over(user)["REAL_IP_FROM"] == "<proxy>"
    assert "PROXY_PROTOCOL" not in setup_named("behind-proxy").over(user)


def test_features_are_those_of_the_endpoint_that_people_use() -> None:
    notls = setup_named("behind-proxy-notls")
    assert Feature.PROXY_PROTOCOL in notls.features_at(IMAPS_993)  # 143 there
    assert notls.features_at(HTTPS_443) >= {Feature.PROXY_HEADER, Feature.PROXIED}
    assert Feature.PROXY_PROTOCOL not in notls.features_at(HTTPS_443)
    assert notls.through_proxy(HTTPS_443)
    assert not notls.through_proxy(HTTP_80)
    assert not setup_named("behind-proxy-tls").through_proxy(HTTPS_443)


def test_every_set_up_with_proxies_believes_them() -> None:
    for setup in SETUPS:
        if setup.proxies:
            assert "<proxy>" in setup.settings["REAL_IP_FROM"]
            assert ("<far-proxy>" in setup.settings["REAL_IP_FROM"]) is (setup.in_a_row == 2)
