"""Facts read by hand in Mailu's tags (`git show TAG:FILE`), each with its source: the catalogue says the same."""

from __future__ import annotations

import re

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import Catalogue, ChangeKind, Effect, load


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


ADMIN = "core/admin/mailu/configuration.py"
DEFAULTS = [
    # release, setting, default; source: DEFAULT_CONFIG of core/admin/mailu/configuration.py at this tag
    ("1.9.0", "AUTH_RATELIMIT_IP", "60/hour"),
    ("1.9.50", "AUTH_RATELIMIT_IP", "60/hour"),
    ("2.0.0", "AUTH_RATELIMIT_IP", "5/hour"),
    ("1.9.0", "AUTH_RATELIMIT_USER", "100/day"),
    ("2024.06.57", "AUTH_RATELIMIT_USER", "50/day"),
    ("1.9.0", "AUTH_RATELIMIT_IP_V6_MASK", "56"),
    ("2024.06.57", "AUTH_RATELIMIT_IP_V6_MASK", "48"),
    ("1.9.0", "HOST_WEBDAV", "webdav:5232"),
    ("1.9.0", "HOST_LMTP", "imap:2525"),
    ("1.9.0", "SESSION_COOKIE_SECURE", "True"),
    ("2024.06.57", "SESSION_COOKIE_SECURE", None),
    ("1.9.0", "PERMANENT_SESSION_LIFETIME", "2592000"),  # 30*24*3600
    ("1.9.0", "LOG_LEVEL", "WARNING"),
    ("2024.06.57", "LOG_LEVEL", "INFO"),
    ("2024.06.57", "CREDENTIAL_ROUNDS", "12"),
    ("master", "CREDENTIAL_ROUNDS", "13"),
    ("2024.06.57", "PORTS", "25,80,443,465,993,995,4190"),
    ("2024.06.57", "FULL_TEXT_SEARCH", "en"),
    ("2024.06.57", "DEFAULT_SPAM_THRESHOLD", "80"),
    ("2024.06.57", "WEB_API", "/api"),
    ("master", "DMARC_SEND_REPORTS", "False"),
    ("master", "DB_APPENDIX", ""),
    ("1.9.0", "MESSAGE_RATELIMIT", "200/day"),
    ("1.9.0", "DEFAULT_QUOTA", "1000000000"),
    # core/nginx/config.py at 2024.06.0: the front's own default, before admin reads PORTS
    ("2024.06.0", "PORTS", "25,80,443,465,993,995,4190"),
    # core/postfix/conf/main.cf at 1.9.0: {{ OUTBOUND_TLS_LEVEL|default('dane') }}
    ("1.9.0", "OUTBOUND_TLS_LEVEL", "dane"),
    # core/base/Dockerfile at 2.0.43 and 2024.06.57
    ("2.0.43", "ADMIN_ADDRESS", "admin"),
    ("2024.06.57", "FTS_ATTACHMENTS_ADDRESS", "tika"),
    # optional/fetchmail/fetchmail.py at 2024.06.57
    ("2024.06.57", "FETCHMAIL_DELAY", "60"),
    # core/nginx/config.py at 1.9.50
    ("1.9.50", "TLS_CERT_FILENAME", "cert.pem"),
    # setup/flavors/compose/docker-compose.yml
    ("1.9.50", "DOCKER_ORG", "mailu"),
    ("2.0.43", "DOCKER_ORG", "ghcr.io/mailu"),
]


@pytest.mark.parametrize(("release", "name", "default"), DEFAULTS)
def test_a_default_is_what_the_sources_say(catalogue: Catalogue, release: str, name: str, default: str | None) -> None:
    setting = catalogue.setting(name)
    assert setting is not None
    state = setting.at(Release.parse(release))
    assert state is not None
    assert state.default == default


@pytest.mark.parametrize(
    ("name", "last", "first_without"),
    [
        ("HOST_IMAP", "1.9.50", "2.0.0"),  # DEFAULT_CONFIG of core/admin/mailu/configuration.py
        ("POD_ADDRESS_RANGE", "1.9.50", "2.0.0"),  # the same
        ("QUOTA_STORAGE_URL", "1.9.50", "2.0.0"),  # the same
        ("LOG_DRIVER", "1.9.50", "2.0.0"),  # setup/flavors/compose/mailu.env
        ("POSTFIX_LOG_SYSLOG", "2.0.6", "2.0.7"),  # core/postfix/start.py
        ("KUBERNETES_INGRESS", "2.0.43", "2024.06.0"),  # core/nginx/conf/nginx.conf
    ],
)
def test_a_setting_is_gone(catalogue: Catalogue, name: str, last: str, first_without: str) -> None:
    setting = catalogue.setting(name)
    assert setting is not None
    assert setting.at(Release.parse(last)) is not None
    assert setting.at(Release.parse(first_without)) is None


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("PROXY_PROTOCOL", "2.0.0"),  # core/nginx/conf/nginx.conf
        ("SCAN_MACROS", "2.0.0"),  # core/rspamd/conf/external_services.conf
        ("API_TOKEN", "2.0.0"),  # core/admin/mailu/configuration.py
        ("PORTS", "2024.06.0"),  # core/nginx/config.py
        ("AUTH_REQUIRE_TOKENS", "2024.06.0"),  # core/admin/mailu/configuration.py
        ("CPU_COUNT", "2024.06.17"),  # core/admin/start.py
        ("FETCHMAIL_OPTIONS", "master"),  # optional/fetchmail/fetchmail.py
    ],
)
def test_a_setting_is_new(catalogue: Catalogue, name: str, first: str) -> None:
    setting = catalogue.setting(name)
    assert setting is not None
    assert setting.history[0].since == Release.parse(first)


def test_what_changes_for_a_server_that_goes_from_2_0_43_to_2024_06_24(catalogue: Catalogue) -> None:
    differences = catalogue.changes(Release("2.0", 43), Release("2024.06", 24))
    kinds = {(difference.setting, difference.change) for difference in differences}
    assert ("PORTS", ChangeKind.ADDED) in kinds  # CHANGELOG.md, #3061
    assert ("PROXY_PROTOCOL", ChangeKind.REDEFINED) in kinds  # the same
    assert ("TLS_FLAVOR", ChangeKind.REDEFINED) in kinds  # the same
    assert ("POSTFIX_LOG_FILE", ChangeKind.REDEFINED) in kinds  # docs/releases.rst
    assert ("FULL_TEXT_SEARCH", ChangeKind.DEFAULT) in kinds  # CHANGELOG.md, #2971
    assert ("LOG_LEVEL", ChangeKind.DEFAULT) in kinds  # core/admin/mailu/configuration.py
    assert "CREDENTIAL_ROUNDS" not in {name for name, _ in kinds}


def test_the_set_up_page_of_2024_06_starts_other_images_than_that_of_2_0(catalogue: Catalogue) -> None:
    def image(service: str, release: str) -> str:
        found = catalogue.service(service)
        state = found.at(Release.parse(release)) if found else None
        return f"{state.image}:{state.tag}".rstrip(":") if state else ""

    # setup/flavors/compose/docker-compose.yml at these tags
    assert image("antivirus", "1.9.50") == "mailu/clamav"
    assert image("antivirus", "2.0.43") == "ghcr.io/mailu/clamav"
    assert image("antivirus", "2024.06.24") == "clamav/clamav-debian:1.2.3-45"
    assert image("antivirus", "2024.06.57") == "clamav/clamav-debian:1.4"
    assert image("antivirus", "master") == "clamav/clamav-debian:1.4_base"
    assert image("webmail", "1.9.50") == "mailu/{WEBMAIL}"
    assert image("webmail", "2.0.0") == "ghcr.io/mailu/webmail"
    assert image("fts_attachments", "2.0.43") == ""
    assert image("fts_attachments", "2024.06.57") == "apache/tika:latest-full"
    assert image("oletools", "1.9.50") == ""


def test_networks_ports_and_mounts_are_those_of_the_set_up_page(catalogue: Catalogue) -> None:
    # setup/flavors/compose/docker-compose.yml at 1.9.50, 2.0.43 and 2024.06.57
    def networks(release: str) -> set[str]:
        return {network.name for network in catalogue.networks if Release.parse(release) in network}

    assert networks("1.9.50") == {"default"}
    assert networks("2.0.43") == {"default", "radicale", "webmail", "noinet"}
    assert networks("2024.06.57") == {"default", "radicale", "webmail", "oletools", "clamav", "fts_attachments"}
    published = {port.port: port for port in catalogue.published_ports}
    assert Release("2.0", 43) not in published[4190]
    assert Release("2024.06", 0) in published[4190]
    rspamd = [mount for mount in catalogue.mounts if mount.host == "overrides/rspamd"]
    assert [(mount.container, str(mount.since)) for mount in rspamd] == [
        ("/etc/rspamd/override.d", "1.9.0"),
        ("/overrides", "2.0.0"),
    ]
    assert [str(fact.until) for fact in catalogue.compose_facts if fact.name == "version-key"] == ["2024.06.3"]
    assert [str(port.until) for port in catalogue.listening_ports if (port.service, port.port) == ("admin", 80)] == [
        "2.0.22"  # towncrier/newsfragments/2906.bugfix
    ]


def test_overrides_of_rspamd_replace_in_1_9_and_merge_from_2_0_on(catalogue: Catalogue) -> None:
    def effect(path: str, release: Release) -> Effect | None:
        found = catalogue.override(path, release)
        return found.effect if found else None

    # setup/flavors/compose/docker-compose.yml at 1.9.50; core/rspamd/start.py at 2.0.0
    assert effect("rspamd/multimap.conf", Release("1.9", 50)) is Effect.REPLACES
    assert effect("rspamd/multimap.conf", Release("2.0", 0)) is Effect.MERGED
    # towncrier/newsfragments/2937.bugfix at 2.0.28
    assert effect("rspamd/forbidden_file_extension.map", Release("2.0", 27)) is None
    assert effect("rspamd/forbidden_file_extension.map", Release("2.0", 28)) is Effect.REPLACES


def test_versions_are_those_of_the_dockerfiles(catalogue: Catalogue) -> None:
    # core/base/Dockerfile and webmails/Dockerfile at these tags
    assert catalogue.version("smtp", "Alpine Linux", Release("2.0", 43)) == "3.18.4"
    assert catalogue.version("smtp", "Alpine Linux", Release("2024.06", 57)) == "3.20.10"
    assert catalogue.version("webmail", "Roundcube", Release("2.0", 43)) == "1.6.7"
    assert catalogue.version("webmail", "SnappyMail", Release("2024.06", 57)) == "2.38.2"
    assert catalogue.version("imap", "full-text search", Release("2.0", 43)) == "xapian"
    assert catalogue.version("imap", "full-text search", Release("2024.06", 0)) == "flatcurve"


def test_postfix_3_9_no_longer_knows_some_restrictions(catalogue: Catalogue) -> None:
    # towncrier/newsfragments/3322.bugfix at 2024.06.6 names Postfix 3.9; Postfix's DEPRECATION_README
    lost = catalogue.lost_directives("smtp", "Postfix", Release("2.0", 43), Release("2024.06", 24))
    assert {"reject_maps_rbl", "check_relay_domains"} <= {directive.name for directive in lost}
    assert catalogue.lost_directives("smtp", "Postfix", Release("2024.06", 0), Release("2024.06", 57)) == ()
    dovecot = catalogue.lost_directives("imap", "Dovecot", Release("2.0", 43), Release("2024.06", 24))
    assert [directive.name for directive in dovecot] == ["fts_xapian"]


@pytest.mark.parametrize(
    ("release", "type_", "name", "value"),
    [
        # dns_* in core/admin/mailu/models.py at these tags
        ("1.9.50", "SRV", "_submission._tcp.{domain}", "1 1 587 {hostname}."),
        ("2.0.43", "SRV", "_submission._tcp.{domain}", "20 1 587 {hostname}."),
        ("2024.06.57", "SRV", "_submission._tcp.{domain}", "0 0 0 ."),
        ("2024.06.57", "SRV", "_submissions._tcp.{domain}", "10 1 465 {hostname}."),
        ("2.0.37", "TXT", "{domain}._report._dmarc.{main}", "v=DMARC1"),
        ("2.0.38", "TXT", "{domain}._report._dmarc.{main}", "v=DMARC1;"),
        ("2024.06.8", "CNAME", "autodiscover.{domain}", "{hostname}."),
        ("2.0.43", "CNAME", "autoconfig.{domain}", "{hostname}."),
    ],
)
def test_a_dns_record_is_what_the_page_of_a_domain_shows(
    catalogue: Catalogue, release: str, type_: str, name: str, value: str
) -> None:
    found = [
        record.value
        for record in catalogue.dns_records
        if Release.parse(release) in record and (record.type, record.name) == (type_, name)
    ]
    assert found == [value]


def test_two_tlsa_records_are_shown_from_2024_06_on(catalogue: Catalogue) -> None:
    def values(release: str) -> list[str]:
        return [
            record.value[:10]
            for record in catalogue.dns_records
            if record.type == "TLSA" and Release.parse(release) in record
        ]

    # dns_tlsa in core/admin/mailu/models.py at these tags
    assert values("1.9.10") == ["2 1 0 {the"]
    assert values("2.0.43") == ["2 1 1 0b9f"]
    assert values("2024.06.0") == ["2 1 1 0b9f", "2 1 1 7621"]


def test_a_log_line_matches_its_own_pattern_and_no_other_event_of_its_time(catalogue: Catalogue) -> None:
    for entry in catalogue.log_formats:
        match = re.search(entry.pattern, entry.example)
        assert match, entry.event
        assert match.groupdict(), entry.event
        for other in catalogue.log_formats:
            together = entry.since in other or other.since in entry
            if together and other.service == entry.service and other.event != entry.event:
                assert not re.search(other.pattern, entry.example), (entry.event, other.event)


def test_a_move_over_two_series_names_the_series_between(catalogue: Catalogue) -> None:
    assert [stop.series for stop in catalogue.stops_between(Release("1.9", 50), Release("2024.06", 24))] == ["2.0"]
    assert [stop.series for stop in catalogue.stops_between(Release("1.9", 50), Release("master"))] == [
        "2.0",
        "2024.06",
    ]
    assert catalogue.stops_between(Release("2.0", 43), Release("2024.06", 24)) == ()


def test_what_is_known_about_a_move_depends_on_where_it_starts(catalogue: Catalogue) -> None:
    def ids(old: str, new: str) -> set[str]:
        return {notice.id for notice in catalogue.notices_for(Release.parse(old), Release.parse(new))}

    # CHANGELOG.md at 2.0.36: bare line feeds are refused
    assert "clients/bare-newline" in ids("2.0.35", "2.0.36")
    assert "clients/bare-newline" in ids("1.9.50", "2.0.43")
    assert "clients/bare-newline" not in ids("2.0.36", "2.0.43")
    # towncrier/newsfragments/3467.bugfix at 2024.06.18
    assert "overrides/front-dovecot-conf" in ids("2.0.43", "2024.06.17")
    assert "overrides/front-dovecot-conf" not in ids("2.0.43", "2024.06.18")
