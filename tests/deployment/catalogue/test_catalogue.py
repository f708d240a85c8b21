"""The catalogue answers for every release, and what people wrote fits what the sources say."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pytest_mailu.core.releases import SERIES, Release
from pytest_mailu.deployment.catalogue import Catalogue, ChangeKind, load
from pytest_mailu.deployment.catalogue.review import review


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
