"""Set-ups as values: names, flavours, endpoints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_mailu.core.endpoints import (
    ENDPOINTS,
    HTTP_80,
    HTTPS_443,
    IMAPS_993,
    SMTP_25_OPPORTUNISTIC,
    Protocol,
    PublishedEndpoint,
    Tls,
)
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.optional_services import (
    OLETOOLS,
    STARTED,
    TIKA,
    check_offered,
    has_mailu_image,
    services_named,
)
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import (
    DEFAULT,
    FLAVOURS,
    FROM_FILES,
    SETUPS,
    TLS_FEATURES,
    WEB_MAILS,
    Feature,
    setup_named,
    setup_of_files,
    setup_of_side,
    words_of,
)


def test_what_only_one_of_two_compose_files_has_runs_there_and_is_not_asked_for() -> None:
    setup = DEFAULT.with_services(["fetchmail"], [], ["webmail", "webdav"], ["webmail"])
    assert setup.services == {"webmail", "fetchmail"}
    old, new = setup.of_side(new=False), setup.of_side(new=True)
    assert (old.services, old.added, old.removed) == ({"webmail", "webdav", "fetchmail"}, {"fetchmail"}, frozenset())
    assert (new.services, new.added, new.removed) == ({"webmail", "fetchmail"}, {"fetchmail"}, frozenset())
    without = DEFAULT.with_services([], ["webdav"], ["webdav"], []).of_side(new=False)
    assert (without.services, without.removed) == (frozenset(), {"webdav"})
    named = DEFAULT.with_services(["webdav"], [], ["webdav"], [])
    assert [named.of_side(new=new).added for new in (False, True)] == [frozenset(), {"webdav"}]
    both = DEFAULT.with_services([], [], ["webdav"])
    assert both.of_side(new=True) == both.of_side(new=False) == both


def test_an_unknown_name_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no set-up 'nolts'") as caught:
        setup_named("nolts")
    assert all(setup.name in caught.value.remedy for setup in SETUPS)


def test_every_name_stands_for_one_set_up() -> None:
    assert [setup_named(setup.name) for setup in SETUPS] == list(SETUPS)
    assert len({setup.name for setup in SETUPS}) == len(SETUPS)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("flavour", ["cert", "letsencrypt"])
def test_with_a_certificate_people_connect_where_they_always_do(flavour: str, endpoint: PublishedEndpoint) -> None:
    assert setup_of_files({"TLS_FLAVOR": flavour}).endpoint(endpoint) == endpoint


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_without_tls_every_endpoint_is_one_without_it(endpoint: PublishedEndpoint) -> None:
    there = setup_named("notls").endpoint(endpoint)
    assert there.protocol is endpoint.protocol
    assert there.tls is Tls.NONE or there == SMTP_25_OPPORTUNISTIC
    assert setup_named("notls").endpoint(there) == there


def test_a_port_that_a_document_names_is_the_one_that_is_tried() -> None:
    named = PublishedEndpoint(Protocol.IMAP, 993, Tls.IMPLICIT)
    assert setup_named("notls").endpoint(named) is named
    assert setup_named("notls").endpoint(IMAPS_993) != named


def test_with_the_flavour_mail_browsers_come_through_a_proxy() -> None:
    mail = setup_named("mail")
    assert mail.endpoint(HTTPS_443) == HTTP_80
    assert mail.through_proxy(HTTPS_443)
    assert not mail.through_proxy(HTTP_80)
    assert mail.endpoint(IMAPS_993) == IMAPS_993
    assert not setup_named("notls").through_proxy(HTTPS_443)


def test_the_user_s_files_describe_a_set_up_that_is_in_force_already() -> None:
    theirs = setup_of_files({"TLS_FLAVOR": "notls", "SITENAME": "Ours"})
    assert (theirs.name, theirs.flavour.name, dict(theirs.laid_over)) == (FROM_FILES, "notls", {})
    assert setup_of_files({}).flavour.name == "cert"
    assert setup_of_files({"TLS_FLAVOR": "typo"}).flavour.name == "cert"


def test_a_recording_of_an_unknown_set_up_is_known_by_its_settings() -> None:
    assert setup_of_side("default", {}) == DEFAULT
    assert setup_of_side("of-another-time", {"TLS_FLAVOR": "notls"}).flavour is FLAVOURS["notls"]


def test_features_have_words() -> None:
    assert words_of(TLS_FEATURES) == "Mailu's own TLS on the mail ports and Mailu's own TLS on the web site"
    assert all(words_of([feature]) for feature in Feature)


def test_services_of_a_named_set_up_bring_their_settings_along() -> None:
    everything = setup_named("all-services")
    assert everything.added == STARTED
    assert everything.laid_over.items() >= {"WEBMAIL": "roundcube", "WEBDAV": "radicale"}.items()
    assert Feature.ROUNDCUBE in everything.features
    assert Feature.ROUNDCUBE not in DEFAULT.features
    assert DEFAULT.laid_over == {}


def test_services_are_added_to_a_set_up_and_taken_out_of_it() -> None:
    assert DEFAULT.with_services(["webdav"]).services == {"webdav"}
    assert DEFAULT.with_services(["webdav"]).laid_over == {"WEBDAV": "radicale"}
    assert setup_named("all-services").with_services(removed=["webmail"]).services == STARTED - {"webmail"}
    assert "web mail and WebDAV" in DEFAULT.with_services(["webdav", "webmail"]).words


def test_services_of_the_user_s_compose_file_keep_the_user_s_settings() -> None:
    files = setup_of_files({"WEBMAIL": "snappymail"}).with_services(theirs=["webmail"])
    assert (files.services, files.added, dict(files.laid_over)) == ({"webmail"}, frozenset(), {})
    assert Feature.ROUNDCUBE not in files.features
    assert Feature.ROUNDCUBE in setup_of_files({"WEBMAIL": "roundcube"}).with_services(theirs=["webmail"]).features
    without = files.with_services(removed=["webmail"], theirs=["webmail"])
    assert (without.removed, dict(without.laid_over)) == ({"webmail"}, {"WEBMAIL": "none"})


def test_a_recording_has_the_services_that_it_was_made_with() -> None:
    assert setup_of_side("default", {}, ("front", "webmail", "database")).services == {"webmail"}


@pytest.mark.parametrize(
    ("name", "image", "own"),
    [
        ("webmail", "ghcr.io/mailu/webmail:2024.06", True),
        ("webmail", "mailu/rainloop", True),
        ("webmail", "registry.example:5000/my-roundcube:1.9@sha256:0", True),
        ("webmail", "roundcube/roundcubemail:latest-fpm", False),
        ("webdav", "somebody/davical", False),
        ("antivirus", "ghcr.io/mailu/clamav:2.0", True),
        ("antivirus", "clamav/clamav-debian:1.4", True),
        ("antivirus", "somebody/sophos", False),
        ("fts_attachments", "apache/tika:latest-full", True),
    ],
)
def test_an_image_of_mailu_is_known_by_its_name(name: str, image: str, own: bool) -> None:
    assert has_mailu_image(name, image) is own


def test_an_unknown_service_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="--mailu-with: there is no optional service 'webmial'") as caught:
        services_named(["webmial"], "--mailu-with")
    assert all(name in caught.value.remedy for name in STARTED)
    with pytest.raises(UsageError):
        services_named(["database"], "--mailu-with")


def test_a_set_up_leaves_out_what_one_of_the_releases_does_not_have() -> None:
    everything = setup_named("all-services")
    old, new = Release.parse("1.9.50"), Release.parse("2024.06.24")
    assert everything.among([new]).services == STARTED
    assert everything.among([old, new]).services == STARTED - {OLETOOLS, TIKA}
    assert everything.among([Release.parse("2.0.43"), new]).services == STARTED - {TIKA}
    theirs = DEFAULT.with_services(theirs=[TIKA])
    assert theirs.among([old]).services == {TIKA}, "what the user's file has runs all the same"


def test_a_service_that_one_of_the_releases_does_not_have_is_named_with_its_series() -> None:
    releases = [Release.parse("2.0.43"), Release.parse("2024.06.24")]
    check_offered([OLETOOLS], releases, "--mailu-with")
    with pytest.raises(UsageError, match=r"Mailu 2\.0\.43 has no service fts_attachments .* since 2024\.06") as caught:
        check_offered([TIKA, OLETOOLS], releases, "--mailu-with")
    assert "Leave fts_attachments out" in caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [
        ("roundcube", None, Feature.ROUNDCUBE),
        ("snappymail", None, Feature.SNAPPYMAIL),
        ("snappymail", "snappymail", Feature.SNAPPYMAIL),
        ("roundcube", "snappymail", None),
        ("rainloop", "snappymail", None),
        ("rainloop", None, Feature.RAINLOOP),
        ("other", None, None),
        ("none", "roundcube", None),
    ],
)
def test_a_web_mail_is_asked_where_both_sides_have_it(old: str, new: str | None, asked: Feature | None) -> None:
    setup = replace(setup_of_files({"WEBMAIL": old}), web_mail_new=new).with_services(theirs=["webmail"])
    assert setup.features & set(WEB_MAILS.values()) == ({asked} if asked else set())
    assert setup.of_side(new=False).web_mails == (old, old)
    assert setup.of_side(new=True).web_mails == (new or old,) * 2


def test_the_web_mail_of_the_user_s_files_is_the_one_that_is_started() -> None:
    """`--mailu-with webmail` laid Roundcube over it."""
    setup = setup_of_files({"WEBMAIL": "snappymail"}).with_services(["webmail"])
    assert setup.laid_over == {}
    assert Feature.SNAPPYMAIL in setup.features
    none = setup_of_files({"WEBMAIL": "none"}).with_services(["webmail"])
    assert none.laid_over == {"WEBMAIL": "roundcube"}
    assert Feature.ROUNDCUBE in none.features


def test_a_named_set_up_keeps_the_web_mail_of_the_user_s_files() -> None:
    files = setup_of_files({"WEBMAIL": "snappymail", "TLS_FLAVOR": "cert"})
    setup = setup_named("notls").with_web_mail_of(files).with_services(theirs=["webmail"])
    assert setup.laid_over == {"TLS_FLAVOR": "notls", "WEBMAIL": "snappymail"}
    assert Feature.SNAPPYMAIL in setup.features
    for other in ({}, {"WEBMAIL": "none"}):
        assert setup_named("notls").with_web_mail_of(setup_of_files(other)) == setup_named("notls")
    two = replace(files, web_mail_new="roundcube")
    assert setup_named("notls").with_web_mail_of(two) == setup_named("notls")
    assert (
        setup_named("snappymail").with_web_mail_of(setup_of_files({"WEBMAIL": "roundcube"})).web_mails[0]
        == "snappymail"
    )


def test_snappymail_has_a_set_up_of_its_own() -> None:
    setup = setup_named("snappymail")
    assert setup.laid_over == {"WEBMAIL": "snappymail"}
    assert Feature.SNAPPYMAIL in setup.features
    assert Feature.ROUNDCUBE not in setup.features


def test_a_recording_has_the_web_mail_that_it_was_made_with() -> None:
    services = ("front", "webmail")
    for name in ("default", "snappymail", "your-files"):
        assert Feature.SNAPPYMAIL in setup_of_side(name, {"WEBMAIL": "snappymail"}, services).features
    assert setup_of_side("default", {"WEBMAIL": "roundcube"}, services) == DEFAULT.with_services(["webmail"])
    assert setup_of_side("default", {"WEBMAIL": "none"}) == DEFAULT


def test_a_set_up_with_a_database_server_brings_one_and_files_describe_theirs() -> None:
    for name, flavour in (("postgres", "postgresql"), ("mariadb", "mysql")):
        setup = setup_named(name)
        assert setup.laid_over == {"DB_FLAVOR": flavour}
        assert setup.brings_database
        assert Feature.DATABASE in setup.features
    theirs = setup_of_files({"SQLALCHEMY_DATABASE_URI": "mysql+mysqlconnector://a:b@c/d"})
    assert (theirs.settings, theirs.brings_database) == ({"DB_FLAVOR": "mysql"}, False)
    assert Feature.DATABASE in theirs.features
    assert Feature.DATABASE not in setup_of_files({"DB_FLAVOR": "sqlite"}).features
    recorded = setup_of_side("your-files", {"SQLALCHEMY_DATABASE_URI": "postgresql://mailu:****@database/mailu"})
    assert Feature.DATABASE in recorded.features


def test_ipv6_is_that_of_the_files_or_of_the_set_up_that_is_named() -> None:
    """Who may not have it sealed in (not root, an engine before Docker 28) goes without it: `--mailu-setup default`."""
    user = {"SUBNET6": "fd12:3456::/64", "SITENAME": "Ours"}
    files = setup_of_files(user)
    assert Feature.IPV6 in files.features
    assert files.over(user) == user
    assert DEFAULT.over(user) == {"SITENAME": "Ours"}
    assert Feature.IPV6 not in DEFAULT.features
    assert Feature.IPV6 in setup_named("ipv6").features
    assert setup_named("ipv6").over({})["SUBNET6"]
