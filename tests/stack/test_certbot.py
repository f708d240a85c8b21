"""certbot's files: where config.py of Mailu looks for them, and so that certbot knows its own again."""

from __future__ import annotations

import io
import os
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.container_files import files_for
from pytest_mailu.stack.docker.networks import choose_layout
from pytest_mailu.stack.evidence.container_io import archive
from pytest_mailu.stack.world import certbot
from pytest_mailu.stack.world.certificates import KeyKind, authority
from tests.unpacked import unpack

READ_BY_MAILU = ("fullchain.pem", "privkey.pem")
"""core/nginx/config.py, 1.9 to master."""


def unpacked(folder: Path, flavour: str) -> Path:
    files = files_for("front", Release.parse("2024.06"), choose_layout([]), None, "token", flavour=flavour)
    with tarfile.open(fileobj=io.BytesIO(archive(files))) as tar:
        unpack(tar, folder)
    return folder / "certs"


@pytest.mark.parametrize("flavour", ["letsencrypt", "mail-letsencrypt"])
def test_both_kinds_of_certificates_are_where_front_looks_for_them(flavour: str, tmp_path: Path) -> None:
    certs = unpacked(tmp_path, flavour)
    for name, kind in (("mailu", rsa.RSAPrivateKey), ("mailu-ecdsa", ec.EllipticCurvePrivateKey)):
        chain_file, key_file = (certs / "letsencrypt/live" / name / part for part in READ_BY_MAILU)
        key = load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, kind)
        leaf, between = x509.load_pem_x509_certificates(chain_file.read_bytes())
        assert leaf.public_key() == key.public_key()
        leaf.verify_directly_issued_by(between)
        between.verify_directly_issued_by(x509.load_pem_x509_certificate(authority().pem.encode()))


@pytest.mark.parametrize("flavour", ["cert", "mail", "notls", "unheard-of"])
def test_other_flavours_have_nothing_of_certbot(flavour: str, tmp_path: Path) -> None:
    certs = unpacked(tmp_path, flavour)
    assert sorted(path.name for path in certs.iterdir()) == ["cert.pem", "key.pem"]


def test_certbot_finds_its_own_files(tmp_path: Path) -> None:
    """What certbot/_internal/storage.py wants: links from `live` to numbered files, and a file in `renewal`."""
    certs = unpacked(tmp_path, "letsencrypt") / "letsencrypt"
    for name in certbot.LINEAGES:
        renewal = (certs / "renewal" / f"{name}.conf").read_text("utf-8")
        for part in certbot.PARTS:
            live = certs / "live" / name / f"{part}.pem"
            assert os.readlink(live) == f"../../archive/{name}/{part}1.pem"
            assert f"{part} = /certs/letsencrypt/live/{name}/{part}.pem" in renewal.splitlines()
        assert f"archive_dir = /certs/letsencrypt/archive/{name}" in renewal.splitlines()


def test_an_expired_certificate_has_ended_and_one_without_a_common_name_has_its_names() -> None:
    expired = x509.load_pem_x509_certificate(authority().issue(HOSTNAME, expired=True).certificate.encode())
    assert expired.not_valid_after_utc < datetime.now(UTC) < expired.not_valid_before_utc + timedelta(days=100)
    issued = authority().issue(HOSTNAME, with_common_name=False, kind=KeyKind.ECDSA)
    nameless = x509.load_pem_x509_certificate(issued.certificate.encode())
    assert not nameless.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    names = nameless.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOSTNAME]
