"""The web server of MTA-STS: policies by HTTPS, and whatever else comes."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any

import pytest

from pytest_mailu.stack.world.certificates import authority
from pytest_mailu.stack.world.next_hops import POLICY_DOMAINS, policy_texts
from pytest_mailu.worldapp.plan import Policies
from pytest_mailu.worldapp.policies import PATH, answer

KEPT = POLICY_DOMAINS["kept"].policy_host


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority().pem)


def fetched(here: Any, host: str, path: str = PATH, method: str = "GET") -> tuple[int, str, str]:
    """As a client that checks the certificate: status, type and text."""
    connection = http.client.HTTPConnection(host, timeout=10)
    plain = socket.create_connection((here.address, here.ports["https"]), timeout=10)
    connection.sock = trusting().wrap_socket(plain, server_hostname=host)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("host", policy_texts())
def test_every_policy_is_served_with_a_certificate_for_its_host(here: Any, host: str) -> None:
    assert fetched(here, host) == (200, "text/plain; charset=utf-8", policy_texts()[host])


def test_a_domain_without_a_page_has_none(here: Any) -> None:
    assert fetched(here, POLICY_DOMAINS["no-page"].policy_host)[0] == 404


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), (PATH, "POST"), ("/.well-known/../x", "GET")])
def test_nothing_else_is_served(here: Any, path: str, method: str) -> None:
    assert fetched(here, KEPT, path, method)[0] == 404


@pytest.mark.parametrize(
    "rubbish",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n", b"GET " + b"x" * 9000, b"GET / HTTP/1.1\r\nHost"],
    ids=["empty", "half", "bytes", "long", "cut"],
)
def test_rubbish_gets_404_or_nothing_and_the_service_goes_on(here: Any, rubbish: bytes) -> None:
    plain = socket.create_connection((here.address, here.ports["https"]), timeout=10)
    with trusting().wrap_socket(plain, server_hostname=KEPT) as tls:
        tls.sendall(rubbish)
        if not rubbish.endswith(b"Host"):
            assert tls.recv(100)[:12] in (b"", b"HTTP/1.1 404")
    assert fetched(here, KEPT)[0] == 200


def test_the_host_is_compared_without_port_case_and_last_dot() -> None:
    policies = Policies((), 0, {"mta-sts.x.example": "policy"})
    head = f"GET {PATH} HTTP/1.1\r\nHost: MTA-STS.x.example.:443\r\n\r\n"
    assert answer(policies, head.encode()).endswith(b"\r\n\r\npolicy")
