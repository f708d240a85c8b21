from __future__ import annotations

import plistlib

import pytest

from pytest_mailu.behaviours.surface_setup import Server, apple, outlook, thunderbird
from pytest_mailu.core.endpoints import Tls
from pytest_mailu.wire.transport.errors import CannotAsk

HOST = "mail.post.example"
WANTED = [Server("imap", HOST, 993, Tls.IMPLICIT), Server("smtp", HOST, 465, Tls.IMPLICIT)]


def test_the_servers_of_a_thunderbird_document_are_read() -> None:
    # As Mailu 2.0 and 2024.06 give it out: core/admin/mailu/internal/views/autoconfig.py.
    text = f"""<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="%EMAILDOMAIN%">
    <incomingServer type="imap"><hostname>{HOST}</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
    <outgoingServer type="smtp"><hostname>{HOST}</hostname><port>465</port><socketType>SSL</socketType></outgoingServer>
    </emailProvider></clientConfig>\r\n"""
    assert thunderbird(text) == WANTED
    assert thunderbird(text.replace("993", "9" * 5_000))[0].port == 0
    assert thunderbird(text.replace("SSL", "STARTTLS").replace("993", "143"))[0] == Server(
        "imap", HOST, 143, Tls.STARTTLS
    )


def test_the_servers_of_an_outlook_document_are_read() -> None:
    protocol = "<Protocol><Type>{}</Type><Server>{}</Server><Port>{}</Port><SSL>on</SSL></Protocol>"
    text = (
        '<?xml version="1.0" encoding="utf-8" ?>'
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">'
        '<Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account>'
        f"{protocol.format('IMAP', HOST, 993)}{protocol.format('SMTP', HOST, 465)}</Account></Response></Autodiscover>"
    )
    assert outlook(text.encode().decode()) == WANTED


def test_the_servers_of_an_apple_profile_are_read() -> None:
    payload = {}
    for side, port in (("Incoming", 993), ("Outgoing", 465)):
        payload |= {
            f"{side}MailServerHostName": HOST,
            f"{side}MailServerPortNumber": port,
            f"{side}MailServerUseSSL": True,
        }
    assert apple(plistlib.dumps({"PayloadContent": [payload]}).decode()) == WANTED


@pytest.mark.parametrize("read", [thunderbird, outlook, apple])
def test_what_is_no_document_is_trouble(read) -> None:
    with pytest.raises(CannotAsk):
        read("<html><p>Sign in")
