from __future__ import annotations

import asyncio
import plistlib
from pathlib import Path

import pytest

from pytest_mailu.behaviours import surface_documents
from pytest_mailu.core.model import Outcome
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import CannotAsk
from tests.behaviours.fake_site import FakeSite, Manner
from tests.behaviours.local_stack import local_probe


def reply(text: str) -> HttpReply:
    return HttpReply(200, "https://mail.post.example/x", (), text.encode())


def test_documents_of_every_kind_are_told_by_their_members() -> None:
    profile = plistlib.dumps({"PayloadContent": [{"IncomingMailServerPortNumber": 993, "UseSSL": True}]}).decode()
    assert surface_documents.content(reply(profile)) == {
        "PayloadContent#0/IncomingMailServerPortNumber": 993,
        "PayloadContent#0/UseSSL": True,
    }
    assert surface_documents.content(reply('{"Protocol": "Autodiscoverv1"}')) == {"Protocol": "Autodiscoverv1"}
    assert surface_documents.content(reply("<a><b>1</b></a>")) == {"a/b": "1"}


@pytest.mark.parametrize(
    "text",
    ["<plist><dict>", '<!DOCTYPE p [<!ENTITY e "x">]><plist>&e;</plist>', "{", "[1]" * 3, "<a>" * 40 + "</a>" * 40],
)
def test_what_cannot_be_read_is_trouble(text: str) -> None:
    with pytest.raises(CannotAsk):
        surface_documents.content(reply(text))


def test_each_form_of_a_request_is_told(tmp_path: Path) -> None:
    async def ask() -> dict[str, object]:
        async with FakeSite(Manner.SAVES).serving(tmp_path) as site:
            seen = await surface_documents.requests(local_probe({443: site.port}), "outlook-json")
            assert seen.outcome is Outcome.ACCEPTED
            assert len(site.asked) == len(surface_documents.JSON_REQUESTS)
            return dict(seen.facts)

    facts = asyncio.run(ask())
    assert set(facts["served"]) == set(facts["handled"]) == set(surface_documents.JSON_REQUESTS)  # type: ignore[call-overload]
