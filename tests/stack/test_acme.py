"""What the certificate authorities are told, and how certbot is led to them."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from pytest_mailu.core.population import HOSTNAME, SECOND_HOSTNAME
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.command import template
from pytest_mailu.stack.container_files import files_for
from pytest_mailu.stack.docker.networks import choose_layout
from pytest_mailu.stack.settings.variants import ACME
from pytest_mailu.stack.world import acme


def configured(service: str) -> tuple[dict[str, Any], dict[str, Any]]:
    files = files_for(service, Release.parse("2024.06"), choose_layout([]), None, "token")
    command = template("acme")["services"][service]["command"]
    return json.loads(files[command[command.index("-config") + 1]])["pebble"], files  # type: ignore[arg-type]


@pytest.mark.parametrize("service", acme.SERVICES)
def test_each_shows_a_certificate_that_certbot_trusts_under_the_name_that_it_is_led_to(service: str) -> None:
    configuration, files = configured(service)
    own = x509.load_pem_x509_certificate(files[configuration["certificate"]])
    own.verify_directly_issued_by(x509.load_pem_x509_certificate(acme.trusted().encode()))
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    parser = configparser.ConfigParser()
    parser.read_string(f"[certbot]\n{acme.settings_of_certbot(service)}")
    url = urlsplit(parser["certbot"]["server"])
    assert url.hostname in names.get_values_for_type(x509.DNSName)
    assert configuration["listenAddress"].endswith(f":{url.port}")
    assert configuration["privateKey"] in files


def test_one_issues_and_the_other_refuses_every_name_of_mailu_s() -> None:
    refused = {service: configured(service)[0]["domainBlocklist"] for service in acme.SERVICES}
    assert refused[acme.ISSUING] == []
    for host in (HOSTNAME, SECOND_HOSTNAME):
        assert any(host.endswith(f".{domain}") for domain in refused[acme.REFUSING])


def test_front_reads_two_host_names_and_the_authority_meanwhile() -> None:
    assert ACME.changes["HOSTNAMES"] == f"{HOSTNAME},{SECOND_HOSTNAME}"
    assert Path(str(ACME.changes["REQUESTS_CA_BUNDLE"])).parent == Path(acme.CERTBOT_FOLDER)
    assert ACME.services == ("front",)
