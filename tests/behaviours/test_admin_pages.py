from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_mailu.behaviours import admin_pages, surface_recommended
from pytest_mailu.core.endpoints import Endpoint, Tls
from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe

DETAILS = """<pre id="dns_mx">post.example. 600 IN MX 10 mail.post.example.</pre>
<pre id="dns_spf">post.example. 600 IN TXT "v=spf1 mx a:mail.post.example ~all"</pre>
<pre id="dns_dkim">dkim._domainkey.post.example. 600 IN TXT "v=DKIM1; k=rsa; p=AB"</pre>
<pre id="dns_dmarc">_dmarc.post.example. 600 IN TXT "v=DMARC1; p=reject;"</pre>
<pre id="dns_autoconfig">
_imap._tcp.post.example. 600 IN SRV 0 0 0 .
_imaps._tcp.post.example. 600 IN SRV 10 1 993 mail.post.example.
_submissions._tcp.post.example. 600 IN SRV 10 1 465 mail.post.example.
autoconfig.post.example. 600 IN CNAME mail.post.example.</pre>"""
CLIENT = """<table><tr><th>Mail protocol</th><td>IMAP</td></tr>
<tr><th>TCP port</th><td>993 (TLS) or 143 (STARTTLS)</td></tr>
<tr><th>Server name</th><td><pre>mail.post.example</pre></td></tr>
</table><table><tr><th>Mail protocol</th><td>SMTP</td></tr><tr><th>TCP port</th><td>465 (TLS)</td></tr></table>"""
USERS = """<table><thead><tr><th>Actions</th><th>User settings</th><th>Email</th></tr></thead><tbody><tr>
<td><a href="/admin/user/edit/alice@post.example"></a></td><td></td><td>alice@post.example</td></tr></tbody></table>"""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pages by their text; ports that accept a login."""

    def make(text: str, *open_: int) -> None:
        async def page(probe: Any, path: str) -> HttpReply:
            return HttpReply(200, f"https://mail.post.example/admin{path}", (), text.encode())

        async def login(probe: Any, endpoint: Endpoint, user: Any) -> None:
            if endpoint.port not in open_:
                raise NotServed(Outcome.UNREACHABLE, Stage.CONNECT)

        monkeypatch.setattr(admin_pages, "seen_by_administrator", page)
        monkeypatch.setattr(surface_recommended, "logged_in", login)

    return make


def asked(behaviour: Any, *args: Any) -> Observation:
    seen: Observation = asyncio.run(behaviour(local_probe({}), *args))
    return seen


def test_records_of_a_domain_that_another_behaviour_has_just_made_are_none_of_the_zone(site: Any) -> None:
    """Seen with master against itself: the form for alternatives was being filled in at the same time."""
    lines = """_dmarc.alternative.example. 600 IN TXT "v=DMARC1;"
alternative.example._report._dmarc.post.example. 600 IN TXT "v=DMARC1;"
form-other-37b7.example. 600 IN MX 10 mail.post.example.
form-other-37b7.example._report._dmarc.post.example. 600 IN TXT "v=DMARC1;\""""
    site(DETAILS.replace('<pre id="dns_mx">', f'<pre id="dns_mx">{lines}\n'))
    kinds = asked(admin_pages.dns_records).facts["kinds"]
    assert "_dmarc.alternative.example TXT" in kinds
    assert "alternative.example._report._dmarc.post.example TXT" in kinds
    assert not [kind for kind in kinds if "form-other" in kind]


def test_records_are_told_by_name_and_type(site: Any) -> None:
    site(DETAILS)
    seen = asked(admin_pages.dns_records)
    assert seen.outcome is Outcome.ACCEPTED
    assert seen.facts["records"]["_imaps._tcp.post.example SRV"] == ["10 1 993 mail.post.example."]
    site(DETAILS.replace("_dmarc", "_other"))
    lost = asked(admin_pages.dns_records)
    assert (lost.outcome, lost.reply and lost.reply.text) == (Outcome.REFUSED, "not shown: _dmarc.post.example TXT")


@pytest.mark.parametrize(("served", "outcome"), [((993, 465), Outcome.ACCEPTED), ((993,), Outcome.REFUSED)])
def test_recommended_ports_are_tried_and_those_that_are_not_recommended_are_not(
    served: tuple[int, ...], outcome: Outcome, site: Any
) -> None:
    site(DETAILS, *served)
    seen = asked(surface_recommended.srv_records)
    assert seen.outcome is outcome
    assert set(seen.facts["tried"]) == {"_imaps", "_submissions"}


@pytest.mark.parametrize(
    ("served", "outcome"), [((993, 143, 465), Outcome.ACCEPTED), ((993, 465), Outcome.REFUSED), ((), Outcome.REFUSED)]
)
def test_ports_on_the_page_for_programs_are_tried(served: tuple[int, ...], outcome: Outcome, site: Any) -> None:
    site(CLIENT, *served)
    assert asked(surface_recommended.page_works).outcome is outcome
    assert asked(admin_pages.client_setup).facts["says"][0]["TCP port"] == "993 (TLS) or 143 (STARTTLS)"
    assert admin_pages.ports_in("993 (TLS) or 143 (STARTTLS)") == [(993, Tls.IMPLICIT), (143, Tls.STARTTLS)]


def test_a_page_that_says_nothing_is_no_help(site: Any) -> None:
    site("<p>Sign in")
    for behaviour in (surface_recommended.page_works, admin_pages.client_setup, admin_pages.dns_records):
        assert asked(behaviour).outcome is Outcome.REFUSED
    assert asked(admin_pages.lists, "users").outcome is Outcome.REFUSED


def test_a_list_is_told_by_its_columns_and_actions(site: Any) -> None:
    site(USERS)
    seen = asked(admin_pages.lists, "users")
    assert seen.outcome is Outcome.ACCEPTED
    assert seen.facts["actions"] == ["/admin/user/edit/<name>"]
    assert seen.facts["columns"] == ["Actions", "User settings", "Email"]
