from __future__ import annotations

import pytest

from pytest_mailu.probe.markup import DEEPEST, LONGEST, MOST, page, structure, xml
from pytest_mailu.wire.transport.errors import CannotAsk

AUTOCONFIG = """<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="%EMAILDOMAIN%">
<incomingServer type="imap"><port>993</port></incomingServer>
<incomingServer type="pop3"><port>995</port></incomingServer>
<descr xmlns="urn:x">one</descr><descr/></emailProvider></clientConfig>\r\n"""


def test_a_document_is_told_by_its_paths() -> None:
    assert structure(xml(AUTOCONFIG)) == {
        "clientConfig@version": "1.1",
        "clientConfig/emailProvider@id": "%EMAILDOMAIN%",
        "clientConfig/emailProvider/incomingServer(imap)/port": "993",
        "clientConfig/emailProvider/incomingServer(pop3)/port": "995",
        "clientConfig/emailProvider/descr": ["one", ""],
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><p>Sign in",
        "<a/>" + "x",
        '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        f"<a>{'x' * LONGEST}</a>",
        f"<a>{'<b/>' * MOST}</a>",
    ],
    ids=["nothing", "a page", "more behind it", "entities", "a file", "long", "many"],
)
def test_what_is_no_document_or_has_no_limit_is_trouble(text: str) -> None:
    with pytest.raises(CannotAsk):
        xml(text)


def test_what_is_nested_too_deep_is_trouble() -> None:
    deep = DEEPEST + 5
    with pytest.raises(CannotAsk):
        structure(xml("<a>" * deep + "</a>" * deep))


def test_texts_with_the_same_id_are_told_together() -> None:
    """Seen with master: its page of DNS records has each id again for an alternative domain."""
    seen = page('<pre id="dns_mx">a.example. MX 10 m.</pre><pre id="dns_mx">b.example. MX 10 m.</pre>')
    assert seen.texts == {"dns_mx": "a.example. MX 10 m.\nb.example. MX 10 m."}


def test_a_page_is_told_by_its_tables_and_texts() -> None:
    seen = page(
        """<table><thead><tr><th>Actions</th><th>Email</th><th>Comment</th></tr></thead>
        <tr><td><a href="/admin/user/edit/a@b.example">edit</a></td><td>a@b.example</td><td>x &amp;  y</td></tr></table>
        <table><tr><th>TCP port</th><td><pre>993 (TLS)</pre></td></tr></table>
        <pre id="dns_mx" class="x">b.example. 600 IN MX 10 mail.\nmore</pre>"""
    )
    assert seen.columns() == ["Actions", "Email", "Comment"]
    assert seen.tables[0][1] == ["edit", "a@b.example", "x & y"]
    assert seen.pairs() == [{}, {"TCP port": "993 (TLS)"}]
    assert seen.texts == {"dns_mx": "b.example. 600 IN MX 10 mail.\nmore"}
    assert seen.links == ["/admin/user/edit/a@b.example"]


def test_a_page_has_limits() -> None:
    many = "<td>x</td>" * (2 * MOST)
    assert len(page(f"<table><tr>{many}</table>").tables[0][0]) <= MOST
    assert page("<td>no table</td></pre></tr><tr><td>").tables == []
