from __future__ import annotations

import pytest

from pytest_mailu.behaviours.api_survey import offered
from pytest_mailu.behaviours.web import page_facts, page_outcome
from pytest_mailu.core.model import Outcome
from pytest_mailu.wire.http.client import MAX_REDIRECTS, Hop, HttpReply
from pytest_mailu.wire.transport.errors import NotServed
from tests.behaviours.local_stack import local_probe

HERE = "https://mail.post.example:443/admin"


def reply(status: int, body: str = "", *headers: tuple[str, str], chain: tuple[Hop, ...] = ()) -> HttpReply:
    return HttpReply(status, HERE, headers, body.encode(), chain)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ACCEPTED),
        (204, Outcome.ACCEPTED),
        (403, Outcome.REFUSED),
        (404, Outcome.NOT_OFFERED),
        (429, Outcome.DEFERRED),
        (502, Outcome.UNANSWERED),
    ],
)
def test_a_status_is_an_outcome(status: int, outcome: Outcome) -> None:
    assert page_outcome(reply(status)) is outcome


def test_redirects_without_an_end_are_no_page() -> None:
    loop = (Hop(HERE, 302, "/admin"),) * MAX_REDIRECTS
    assert page_outcome(reply(302, chain=loop)) is Outcome.UNANSWERED
    assert page_facts(local_probe({}), reply(302, chain=loop))["loops"] is True


def test_facts_of_a_page_hold_nothing_of_the_moment() -> None:
    headers = (
        ("date", "Tue, 24 Nov 2026 07:00:00 GMT"),
        ("x-frame-options", "SAMEORIGIN"),
        ("set-cookie", "session=secret; Secure; HttpOnly; Path=/; Expires=Thu, 24 Dec 2026 07:00:00 GMT"),
    )
    facts = page_facts(local_probe({}), reply(200, "", *headers, chain=(Hop(HERE + "?x=1", 302, "/sso/login"),)))
    assert facts["way"] == ["/admin?x=1 302 /sso/login"]
    assert facts["headers"] == {"x-frame-options": "SAMEORIGIN"}
    assert set(facts["cookies"]["session"]) == {"secure", "httponly", "path"}


def test_a_path_that_is_not_there_is_told_from_an_object_that_is_not_there() -> None:
    assert offered(reply(404, '{"code": 404, "message": "User x cannot be found"}')).status == 404
    assert offered(reply(403, "")).status == 403
    with pytest.raises(NotServed) as stopped:
        offered(reply(404, '{"message": "The requested URL was not found on the server."}'))
    assert stopped.value.outcome is Outcome.NOT_OFFERED
