"""The matrix in each set-up: what is asked there, where, and what is left out."""

from __future__ import annotations

import pytest

from pytest_mailu.behaviours import Matrix, built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.behaviours.setups_page import page
from pytest_mailu.core.endpoints import HTTP_80, Tls
from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.setups import DEFAULT, SETUPS, Feature, SetUp, setup_named

NOTLS = in_setup(built_in(), setup_named("notls"))
PROXIED = (Feature.PROXIED, Feature.PROXY_PROTOCOL, Feature.PROXY_HEADER)
MORE = (Feature.CERTBOT, Feature.ACME, Feature.IPV6, Feature.DATABASE)
IDS = {behaviour.id: behaviour for behaviour in NOTLS.answered}


def test_the_default_set_up_answers_everything_as_it_is_declared_but_what_is_about_others() -> None:
    found = in_setup(built_in(), DEFAULT)
    of_others = [one for one in built_in() if one.of_setup & {*PROXIED, *MORE}]
    assert list(found.answered) == [one for one in built_in() if not one.services and one not in of_others]
    assert list(found.unanswered) == of_others


def test_what_needs_an_optional_service_is_asked_where_that_is_started() -> None:
    found = in_setup(built_in(), DEFAULT)
    assert found.unserved
    assert all(one.services for one in found.unserved)
    assert in_setup(built_in(), setup_named("all-services")).unserved == ()
    answered = {one.id for setup in SETUPS for one in in_setup(built_in(), setup).answered}
    assert answered >= {one.id for one in found.unserved}


def test_a_set_up_has_one_web_mail_and_is_asked_for_that_one() -> None:
    asked = {
        name: {one.id.split("/")[1] for one in in_setup(built_in(), setup_named(name)).answered if "webmail/" in one.id}
        for name in ("all-services", "snappymail", "rainloop")
    }
    assert asked["all-services"] - {"webmail"} == {"roundcube"}
    assert asked["snappymail"] - {"webmail"} == {"snappymail"}
    assert asked["rainloop"] - {"webmail"} == {"rainloop"}


def test_services_of_a_set_up_are_those_that_are_started() -> None:
    web_mail = in_setup(built_in(), DEFAULT.with_services(["webmail"]))
    assert {name for one in web_mail.unserved for name in one.services} == STARTED - {"webmail"}


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_every_behaviour_is_asked_in_a_set_up_or_lacks_something_that_is_named(setup: SetUp) -> None:
    found = in_setup(built_in(), setup)
    ids = [behaviour.id for behaviour in found.answered]
    assert len(ids) == len(set(ids))
    assert all(behaviour.of_setup - setup.features for behaviour in found.unanswered)
    moved = {setup.endpoint(one.question.endpoint) for one in built_in() if one.question.endpoint is not None}
    asked = {one.question.endpoint for one in found.answered if one.question.endpoint is not None}
    assert asked <= moved


def test_without_tls_nothing_is_asked_where_there_is_none() -> None:
    tls = {one.id for one in NOTLS.answered if (at := one.question.endpoint) and at.tls in (Tls.STARTTLS, Tls.IMPLICIT)}
    assert tls == set()
    assert not [id_ for id_ in IDS if "-tls/" in id_ or "-starttls/" in id_ or id_.startswith("tls/")]


def test_without_tls_people_log_in_on_the_plain_ports() -> None:
    for id_ in (f"access/{port}-plain/login" for port in (587, 143, 110, 4190)):
        assert IDS[id_].question.wanted is Outcome.ACCEPTED
        assert IDS[id_].question.severity is Severity.CRITICAL
        assert "(no TLS)" in IDS[id_].question.title
    assert IDS["submission/587-plain/external"].question.wanted is Outcome.DELIVERED
    assert "mailbox/143/folders" in IDS
    assert IDS["web/page/login"].question.endpoint == HTTP_80


def test_without_tls_a_login_without_it_is_no_regression() -> None:
    """It was told as critical on 4190, which `notls` means."""
    left_out = {behaviour.id for behaviour in NOTLS.unanswered}
    assert {"access/4190-starttls/before-tls", "access/587-starttls/before-tls", "web/http/redirect"} <= left_out
    assert not [id_ for id_ in IDS if id_.endswith("/before-tls")]


def test_where_two_ports_come_down_to_one_a_usual_run_keeps_what_it_asks() -> None:
    deep = {one.id for one in built_in() if one.deep}
    assert "submission/587-starttls/dkim" in deep or "submission/587-starttls/many-recipients" in deep
    assert not IDS["submission/587-plain/dkim"].deep
    assert not IDS["submission/587-plain/many-recipients"].deep


def test_a_proxy_before_the_web_site_moves_the_web_site_alone() -> None:
    found = in_setup(built_in(), setup_named("mail"))
    ids = {behaviour.id: behaviour for behaviour in found.answered}
    assert ids["web/page/login"].question.endpoint == HTTP_80
    assert "access/465-tls/login" in ids
    assert {behaviour.id for behaviour in found.unanswered} == {
        one.id for one in built_in() if one.of_setup & {Feature.WEB_TLS, *PROXIED, *MORE}
    }


def test_what_a_project_grades_otherwise_stays_so() -> None:
    matrix = built_in()
    matrix.regrade("access/587-starttls/login", severity=Severity.MINOR)
    found = {one.id: one for one in in_setup(matrix, setup_named("notls")).answered}
    assert found["access/587-plain/login"].question.severity is Severity.MINOR


def test_a_new_set_up_is_one_entry_of_data() -> None:
    """Nothing else has to know its name: the matrix, the plan and the page are made from the entry."""
    new = SetUp("somebody-s-own", "as somebody runs it", {"TLS_FLAVOR": "mail-letsencrypt", "SITENAME": "Ours"})
    found = in_setup(built_in(), new)
    others = {Feature.WEB_TLS, Feature.ACME, Feature.IPV6, Feature.DATABASE, *PROXIED}
    assert all(one.of_setup & others for one in found.unanswered)
    assert "tls/993-tls/certificate-ECDSA" in {one.id for one in found.answered}
    assert "web/page/login" in {one.id for one in found.answered}
    assert new.laid_over == {"TLS_FLAVOR": "mail-letsencrypt", "SITENAME": "Ours"}


def test_every_set_up_stands_in_the_page() -> None:
    text = page(Matrix(built_in()))
    assert all(f"| `{setup.name}` | {setup.title} |" in text for setup in SETUPS)


def _proxied(name: str) -> set[str]:
    return {one.id for one in in_setup(built_in(), setup_named(name)).answered if one.id.startswith("proxy/")}


def test_behaviours_about_proxies_are_asked_where_one_stands() -> None:
    assert not _proxied("default")
    assert not _proxied("mail")
    by_header = _proxied("behind-proxy")
    assert {"proxy/80-plain/address", "proxy/80-plain/forged-through-proxy", "proxy/80-plain/redirects"} <= by_header
    assert not [id_ for id_ in by_header if "993" in id_ or "v2" in id_ or "without-header" in id_]
    by_connection = _proxied("proxy-protocol")
    assert {"proxy/443-tls/address-v2", "proxy/993-tls/without-header", "proxy/25/forged-relaynet"} <= by_connection
    assert not [id_ for id_ in by_connection if "through-proxy" in id_]


def test_a_set_up_with_both_has_the_behaviours_of_both() -> None:
    both = _proxied("proxy-protocol-and-header")
    assert {"proxy/80-plain/forged-through-proxy", "proxy/993-tls/address-v2"} <= both
    notls = _proxied("behind-proxy-notls")
    assert {"proxy/80-plain/forged-through-proxy", "proxy/143-plain/address-v2"} <= notls
    assert "proxy/80-plain/address-v2" not in notls


def test_with_every_behaviour_that_was_asked_before_a_proxy_is_asked_behind_it() -> None:
    """The proxy is in the connections, so nothing else has to know of it."""
    before = {one.id for one in in_setup(built_in(), DEFAULT).answered}
    assert before <= {one.id for one in in_setup(built_in(), setup_named("proxy-protocol")).answered}
