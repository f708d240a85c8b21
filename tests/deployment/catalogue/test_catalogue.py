"""The catalogue answers for every release, and what people wrote fits what the sources say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pytest_mailu.core.releases import SERIES, Release
from pytest_mailu.deployment.catalogue import Catalogue, ChangeKind, Difference, Effect, load
from pytest_mailu.deployment.catalogue.review import review

TOP = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


def every_release(catalogue: Catalogue) -> list[Release]:
    patches = [
        Release(series.series, patch)
        for series in catalogue.series
        if series.first.patch is not None
        for patch in range((series.last.patch or 0) + 2)
    ]
    return [*patches, *(Release(series) for series in SERIES)]


def test_nothing_waits_for_a_review(catalogue: Catalogue) -> None:
    assert review(catalogue) == []


def test_each_setting_has_one_state_or_none_in_each_release(catalogue: Catalogue) -> None:
    for release in every_release(catalogue):
        for setting in catalogue.settings:
            states = [state for state in setting.history if release in state]
            assert len(states) <= 1
            assert setting.at(release) == (states[0] if states else None)


def test_a_moving_tag_and_a_later_patch_release_stand_for_the_latest_known_one(catalogue: Catalogue) -> None:
    for series in catalogue.series:
        if series.last.patch is not None:
            later = Release(series.series, series.last.patch + 1)
            for setting in catalogue.settings:
                assert setting.at(Release(series.series)) == setting.at(series.last) == setting.at(later)


def test_changes_add_up_to_what_holds_afterwards(catalogue: Catalogue) -> None:
    for old, new in pairwise(Release(series) for series in SERIES):
        came = {difference.setting for difference in catalogue.changes(old, new) if difference.old is None}
        went = {difference.setting for difference in catalogue.changes(old, new) if difference.new is None}
        before = {setting.name for setting in catalogue.known(old)}
        after = {setting.name for setting in catalogue.known(new)}
        assert (before | came) - went == after


def test_a_release_differs_from_itself_in_nothing(catalogue: Catalogue) -> None:
    assert [catalogue.changes(release, release) for release in every_release(catalogue)] == [()] * len(
        every_release(catalogue)
    )


def test_a_removed_setting_of_neighbouring_series_has_advice_with_a_cause_a_remedy_and_a_source(
    catalogue: Catalogue,
) -> None:
    gone = 0
    for old, new in pairwise(Release(series) for series in SERIES):
        for difference in catalogue.changes(old, new):
            if difference.change in (ChangeKind.REMOVED, ChangeKind.RENAMED):
                gone += 1
                assert difference.advice
                assert difference.advice.cause
                assert difference.advice.remedy
                assert str(difference.advice.source)
    assert gone > 20


def test_the_value_of_a_choice_that_holds_by_default_is_allowed(catalogue: Catalogue) -> None:
    for setting in catalogue.settings:
        for state in setting.history:
            if state.kind == "choice" and state.default:
                assert state.default in state.allowed, setting.name


def test_a_name_with_a_slip_finds_the_setting_that_was_meant(catalogue: Catalogue) -> None:
    assert catalogue.similar("AUTH_RATELIMT_IP", Release("2.0")) == "AUTH_RATELIMIT_IP"
    assert catalogue.similar("COMPLETELY_DIFFERENT", Release("2.0")) == ""


def test_a_file_can_hold_the_value_of_a_setting_of_admin(catalogue: Catalogue) -> None:
    found = catalogue.file_variant("DB_PW_FILE", Release("2.0", 43))
    assert found is not None
    assert found.name == "DB_PW"
    assert catalogue.file_variant("RELAYPASSWORD_FILE", Release("2.0", 43)) is None
    assert catalogue.file_variant("POSTFIX_LOG_FILE", Release("2.0", 43)) is None


def test_a_glob_of_overrides_ends_at_a_slash(catalogue: Catalogue) -> None:
    def program(path: str, release: Release) -> str:
        found = catalogue.override(path, release)
        return found.program if found else ""

    latest = Release("2024.06", 57)
    assert program("nginx/mta-sts.conf", latest) == "nginx"
    assert program("nginx/dovecot/proxy.conf", latest) == "Dovecot"
    assert program("nginx/dovecot/proxy.conf", Release("2.0", 43)) == ""
    assert program("rspamd/blacklist.map", latest) == "Rspamd"
    assert program("rspamd/options.inc", latest) == ""
    assert program("rspamd/options.inc", Release("1.9", 50)) == "Rspamd"


@pytest.mark.parametrize(
    ("name", "line", "found"),
    [
        ("reject_maps_rbl", "smtpd_recipient_restrictions = permit_mynetworks, reject_maps_rbl", True),
        ("reject_maps_rbl", "# reject_maps_rbl", False),
        ("ssl", "  ssl on;", True),
        ("ssl", "ssl_protocols TLSv1.3;", False),
        ("listen … http2", "listen 8443 ssl http2;", True),
        ("smtpd_use_tls", "smtpd_use_tls = yes", True),
        ("smtpd_use_tls", "smtpd_use_tls_more = yes", False),
        ("fts_xapian", "mail_plugins = $mail_plugins fts fts_xapian", True),
    ],
)
def test_a_directive_is_found_in_a_line(catalogue: Catalogue, name: str, line: str, found: bool) -> None:
    directive = next(entry for entry in catalogue.directives if entry.name == name)
    assert directive.in_line(line) is found


def difference(catalogue: Catalogue, name: str, change: ChangeKind, old: Release, new: Release) -> Difference:
    return next(found for found in catalogue.changes(old, new) if (found.setting, found.change) == (name, change))


def test_a_change_concerns_who_has_the_value_and_the_other_setting(catalogue: Catalogue) -> None:
    old, new = Release("1.9", 50), Release("2.0", 43)
    action = difference(catalogue, "ANTIVIRUS_ACTION", ChangeKind.REDEFINED, old, new)
    assert action.concerns("discard", {"ANTIVIRUS": "clamav"})
    assert action.concerns(None, {"ANTIVIRUS": "clamav"})
    assert not action.concerns("reject", {"ANTIVIRUS": "clamav"})
    assert not action.concerns(None, {"ANTIVIRUS": "none"})
    webmail = difference(catalogue, "WEBMAIL", ChangeKind.REDEFINED, old, new)
    assert webmail.concerns("rainloop", {})
    assert not webmail.concerns("roundcube", {})
    assert not webmail.concerns(None, {})


def test_an_address_loses_its_port_with_its_name(catalogue: Catalogue) -> None:
    old, new = Release("1.9", 50), Release("2.0", 43)
    milter = difference(catalogue, "HOST_ANTISPAM_MILTER", ChangeKind.RENAMED, old, new)
    assert (milter.to, milter.renamed("scanner:11332")) == ("ANTISPAM_ADDRESS", "scanner")
    pods = difference(catalogue, "POD_ADDRESS_RANGE", ChangeKind.RENAMED, old, new)
    assert (pods.to, pods.renamed("fd00::/64")) == ("SUBNET", "fd00::/64")


def test_a_name_of_an_old_release_says_what_took_its_place(catalogue: Catalogue) -> None:
    old = catalogue.legacy("PASSWORD_SCHEME")
    assert old is not None
    assert (old.last, old.to) == ("1.8", "CREDENTIAL_ROUNDS")
    assert catalogue.legacy("CREDENTIAL_ROUNDS") is None
    assert all(not entry.to or catalogue.setting(entry.to) for entry in catalogue.legacies)


def test_a_folder_below_the_overrides_of_rspamd_breaks_it(catalogue: Catalogue) -> None:
    found = catalogue.override("rspamd/maps/blacklist.map", Release("2.0", 43))
    assert found is not None
    assert found.effect is Effect.BREAKS
    assert catalogue.override("rspamd/maps/blacklist.map", Release("1.9", 50)) is None


def test_every_notice_is_told_by_the_releases_alone_or_by_a_check(catalogue: Catalogue) -> None:
    checks = "".join(path.read_text() for path in (TOP / "pytest_mailu" / "deployment" / "checks").glob("*.py"))
    # checks/proxies.py puts these ids together
    proxies = {f"settings/{name}" for name in ("real-ip-header-alone", "proxy-protocol-alone")}
    unused = {entry.id for entry in catalogue.notices if not entry.title and f'"{entry.id}"' not in checks}
    assert unused <= proxies
