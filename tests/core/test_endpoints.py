"""Endpoints: what is known about ports and protocols, and how ids name them."""

from __future__ import annotations

import re

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.endpoints import (
    IMAPS_993,
    PORTS,
    SERVICE_NAMES,
    SMTP_25_OPPORTUNISTIC,
    SUBMISSION_587,
    SUBMISSIONS_465,
    Endpoint,
    Protocol,
    Tls,
    by_port,
    ports_of,
)
from pytest_mailu.core.releases import CORE_SERVICES

NAMED = re.compile(r"([1-9]\d+)(?:-(plain|starttls|tls))?")


def test_every_id_that_names_a_port_has_that_endpoint() -> None:
    for made in built_in():
        endpoint = made.question.endpoint
        for part in made.id.split("/")[1:]:
            if (found := NAMED.fullmatch(part)) and int(found[1]) in PORTS:
                assert endpoint is not None, made.id
                assert endpoint.port == int(found[1]), made.id
                assert found[2] in (None, str(endpoint.tls)), made.id


def test_an_operation_names_neither_family_nor_endpoint() -> None:
    for made in built_in():
        assert not made.question.operation.startswith(f"{made.question.family}/"), made.id
        assert not any(part.split("-")[0] in map(str, PORTS) for part in made.question.operation.split("/")), made.id


@pytest.mark.parametrize(
    ("endpoint", "id", "operation"),
    [
        (SUBMISSION_587, "submission/587-starttls/external", "external"),
        (IMAPS_993, "access/993-tls/login/umlaut", "login/umlaut"),
        (SMTP_25_OPPORTUNISTIC, "relay/25/stranger", "stranger"),
        (SUBMISSIONS_465, "surface/465", ""),
        (SUBMISSIONS_465, "surface/greeting/465-tls", "greeting"),
        (SUBMISSIONS_465, "submission/465-tls/8bitmime", "8bitmime"),
        (SUBMISSIONS_465, "relay/relayhost/plain", "relayhost/plain"),
    ],
)
def test_the_operation_is_the_rest_of_the_id(endpoint: Endpoint, id: str, operation: str) -> None:
    assert endpoint.operation(id) == operation


def test_ports_are_found_by_number_and_by_protocol() -> None:
    assert by_port(465) is SUBMISSIONS_465
    assert ports_of(Protocol.IMAP) == {143, 993}
    assert ports_of(Protocol.SMTP, Protocol.SUBMISSION) == {25, 465, 587}
    with pytest.raises(KeyError):
        by_port(26)


def test_every_port_has_one_endpoint_and_a_name() -> None:
    assert list(PORTS) == sorted(set(PORTS))
    assert set(PORTS) == set(SERVICE_NAMES)


def test_behind_every_protocol_is_a_service() -> None:
    assert {protocol.service for protocol in Protocol} <= set(CORE_SERVICES)


def test_plain_text_is_the_same_port_without_tls() -> None:
    assert SUBMISSION_587.in_plain_text == Endpoint(Protocol.SUBMISSION, 587, Tls.NONE)
    assert str(SUBMISSION_587) == "587-starttls"
