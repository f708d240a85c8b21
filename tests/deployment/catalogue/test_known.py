"""What is known about the releases themselves is told to whom it concerns."""

from __future__ import annotations

from pathlib import Path

from pytest_mailu.core.model import Outcome
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.deployment.checks import known, route
from pytest_mailu.deployment.model import Deployment, Place, Setting
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.subject import Subject


def notes(old: str, new: str, **settings: str) -> dict[str, Note]:
    place = Place("mailu.env", 1)
    deployment = Deployment(Path(), settings={name: Setting(name, value, place) for name, value in settings.items()})
    subject = Subject(Release.parse(old), Release.parse(new), deployment, deployment, load())
    return {note.id.removeprefix("settings/known/"): note for note in known.check(subject)}


def test_who_enters_2024_06_learns_of_filters_indexes_and_the_way_back() -> None:
    found = notes("2.0.43", "2024.06.24")
    assert {"fail2ban/2024.06", "data/search-index", "data/one-way-2024.06", "firewall/4190"} <= found.keys()
    assert "fail2ban/2.0" not in found
    assert found["fail2ban/2024.06"].advice
    assert "fail2ban/2024.06" not in notes("2024.06.24", "2024.06.57")


def test_a_notice_about_a_setting_is_told_where_the_setting_has_the_value() -> None:
    assert "dns/tlsa-x2" in notes("2.0.43", "2024.06.24", TLS_FLAVOR="letsencrypt")
    assert "dns/tlsa-x2" not in notes("2.0.43", "2024.06.24", TLS_FLAVOR="cert")
    assert "clients/relaynets-587" in notes("2.0.43", "2024.06.24", RELAYNETS="192.0.2.0/24")
    assert "clients/relaynets-587" not in notes("2.0.43", "2024.06.24", RELAYNETS="")


def test_a_release_with_a_fault_is_a_loss_for_who_comes_from_one_without() -> None:
    assert notes("2.0.43", "2024.06.5")["release/xclient-pipelining"].new.outcome is Outcome.ALTERED
    assert notes("2.0.43", "2024.06.5")["release/xclient-pipelining"].old.outcome is Outcome.ACCEPTED
    assert notes("2024.06.4", "2024.06.5")["release/xclient-pipelining"].old.outcome is Outcome.ALTERED
    assert "release/xclient-pipelining" not in notes("2.0.43", "2024.06.6")


def test_each_series_that_is_entered_has_its_list_of_what_to_do() -> None:
    entered = load().entered(Release("1.9", 50), Release("2024.06", 24))
    assert [stop.series for stop in entered] == ["2.0", "2024.06"]
    assert all(stop.before and stop.after and stop.way_back for stop in entered)
    assert load().entered(Release("2.0", 1), Release("2.0", 43)) == ()


def test_the_list_of_what_to_do_is_told_for_the_series_that_is_entered() -> None:
    place = Place("mailu.env", 1)
    deployment = Deployment(Path(), settings={"DOMAIN": Setting("DOMAIN", "example.com", place)})

    def ids(old: Release, new: Release) -> list[str]:
        return [note.id for note in route.check(Subject(old, new, deployment, deployment, load()))]

    assert ids(Release("2.0", 43), Release("2024.06", 24)) == ["settings/route/2024.06"]
    assert set(ids(Release("1.9", 50), Release("2024.06", 24))) == {"settings/route/2024.06", "settings/route/2.0"}
    assert ids(Release("2.0", 1), Release("2.0", 43)) == []


def test_a_fault_that_the_old_series_has_too_is_no_loss() -> None:
    # core/nginx/conf/nginx.conf: imap_capabilities has ID from 1.9.0 to 2.0.29
    assert notes("1.9.50", "2.0.29")["release/imap-id"].old.outcome is Outcome.ALTERED
    assert "release/imap-id" not in notes("1.9.50", "2.0.30")
