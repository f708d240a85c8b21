"""What a person has to say about the generated facts and has not said yet."""

from __future__ import annotations

from itertools import pairwise

from pytest_mailu.core.releases import SERIES, Release
from pytest_mailu.deployment.catalogue.schema import ChangeKind
from pytest_mailu.deployment.catalogue.store import Catalogue


def review(catalogue: Catalogue) -> list[str]:
    """One line for each fact without the words that belong to it; empty where all is written."""
    return [*_meanings(catalogue), *_advice(catalogue), *_changes(catalogue), *_notices(catalogue)]


def _notices(catalogue: Catalogue) -> list[str]:
    conditions = [
        *((f"notice {notice.id}", notice.when) for notice in catalogue.notices),
        *((f"host {entry.need} {entry.value}", entry.when) for entry in catalogue.hosts),
    ]
    return [
        f"{what}: it depends on no setting: {when}"
        for what, when in conditions
        if when and not catalogue.setting(when.partition("=")[0])
    ]


def _meanings(catalogue: Catalogue) -> list[str]:
    return [
        f"setting {setting.name}: no kind and meaning from {state.since} on; add a [[knowledge.reading]]"
        for setting in catalogue.settings
        for state in setting.history
        if state.kind is None or not state.meaning
    ]


def _advice(catalogue: Catalogue) -> list[str]:
    """Each change from one series to the next that concerns a deployment which sets this, or does not."""
    missing = []
    for old, new in pairwise(Release(series) for series in SERIES):
        for difference in catalogue.changes(old, new):
            if difference.advice is None and difference.change is not ChangeKind.ADDED:
                text = f"setting {difference.setting}: {difference.change} at {difference.at}, coming from {old}"
                missing.append(f"{text}; add a [[knowledge.change]]")
    return missing


def _changes(catalogue: Catalogue) -> list[str]:
    """Each written change has to be a fact: something differs there, and a new name is a setting."""
    wrong = []
    for setting in catalogue.settings:
        for change in setting.changes:
            at = setting.at(change.at)
            fits = {
                ChangeKind.ADDED: at is not None and at.since == change.at,
                ChangeKind.REMOVED: at is None,
                ChangeKind.RENAMED: at is None and catalogue.setting(change.to) is not None,
                ChangeKind.REDEFINED: at is not None,
                ChangeKind.DEFAULT: at is not None and at.since == change.at,
                ChangeKind.SAME: at is not None and at.since == change.at,
            }[change.change]
            if change.change is not ChangeKind.SAME and not change.advice.remedy:
                wrong.append(f"setting {setting.name}: the change at {change.at} has no remedy")
            if change.when and catalogue.setting(change.when.partition("=")[0]) is None:
                wrong.append(f"setting {setting.name}: the change at {change.at} depends on no setting: {change.when}")
            if not fits:
                wrong.append(f"setting {setting.name}: it is not {change.change} at {change.at}; see settings.toml")
    return wrong
