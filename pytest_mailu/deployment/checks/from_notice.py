"""The beginning of a note on something that the catalogue has a notice of."""

from __future__ import annotations

from pytest_mailu.core.model import Severity
from pytest_mailu.deployment.catalogue import Notice
from pytest_mailu.deployment.model import Place
from pytest_mailu.deployment.note import About


def about(
    notice: Notice, *, id: str, title: str, place: Place | None = None, severity: Severity = Severity.MAJOR
) -> About:
    """Cause, remedy and source of the notice, with the id, title and place that the files give."""
    return About(
        id=id,
        title=title,
        breaks=notice.advice.cause,
        source=str(notice.advice.source),
        severity=severity,
        place=place,
        cause=notice.advice.cause,
        remedy=notice.advice.remedy,
        write=notice.advice.write,
    )
