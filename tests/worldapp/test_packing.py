from __future__ import annotations

import ast
import io
import zipfile

from pytest_mailu.core import population as people
from pytest_mailu.stack.world.certificates import authority, certificate
from pytest_mailu.stack.world.dkim import sign, verify
from pytest_mailu.stack.world.plan import relayhost
from pytest_mailu.stack.world.zipapp import build_zipapp
from pytest_mailu.stack.world.zones import records, txt_lookup

LETTER = (
    b"From: <a@elsewhere.example>\r\nTo: <b@post.example>\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    b"Message-ID: <1@elsewhere.example>\r\n\r\nhello\r\n"
)


def test_everything_packed_is_readable_for_the_python_of_mailu_1_9() -> None:
    with zipfile.ZipFile(io.BytesIO(build_zipapp())) as archive:
        names = archive.namelist()
        for name in names:
            ast.parse(archive.read(name), name, feature_version=(3, 9))
    assert all(name.endswith(".py") for name in names)
    assert {"__main__.py", "worldapp/socks_proxy.py", "aiosmtpd/smtp.py", "dnslib/dns.py", "attr/_make.py"} <= set(
        names
    )


def test_the_packed_file_is_the_same_every_time() -> None:
    first = build_zipapp()
    build_zipapp.cache_clear()
    assert build_zipapp() == first


def test_a_signed_letter_verifies_with_the_zones_and_a_changed_one_does_not(segments: dict) -> None:  # type: ignore[type-arg]
    txt = txt_lookup(records(segments))
    signed = sign(LETTER, people.ELSEWHERE)
    [good] = verify(signed, txt)
    assert (good.domain, good.selector, good.valid) == (people.ELSEWHERE, "dkim", True)
    [bad] = verify(signed.replace(b"hello", b"hullo"), txt)
    assert not bad.valid
    assert bad.why
    [keyless] = verify(signed, lambda name: None)
    assert not keyless.valid
    assert verify(LETTER, txt) == ()


def test_each_of_several_signatures_is_verified(segments: dict) -> None:  # type: ignore[type-arg]
    twice = sign(sign(LETTER, people.ELSEWHERE), people.FORGED)
    assert [(one.domain, one.valid) for one in verify(twice, txt_lookup(records(segments)))] == [
        (people.FORGED, True),
        (people.ELSEWHERE, True),
    ]


def test_the_same_names_get_the_same_certificate_and_a_new_one_on_demand() -> None:
    assert certificate("mail.post.example") is certificate("mail.post.example")
    assert authority().issue("mail.post.example").certificate != certificate("mail.post.example").certificate


def test_a_relay_host_is_named_without_exchanger_look_up() -> None:
    assert relayhost("relay-starttls") == "[relay.elsewhere.example]:587"
