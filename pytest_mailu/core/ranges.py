"""Ranges of releases as people write them: `2.0` (a series or a release), `>=2.0,<2024.06.30`, `master`."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import MASTER, Release

_NEWEST = Version("9999")
"""What stands for `master` in comparisons: newer than every release."""


@dataclass(frozen=True, slots=True)
class ReleaseRange:
    """Some releases. `text` is what was written; an empty one holds every release."""

    text: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError where the text is no range."""
        self._specifiers()

    def __contains__(self, release: object) -> bool:
        """Whether a release, by its name, lies in the range; a bare series name stands for its latest release."""
        return self._specifiers().contains(_version(str(release)), prereleases=True)

    def _specifiers(self) -> SpecifierSet:
        text = self.text.strip()
        if not text:
            return SpecifierSet()
        if text == MASTER:
            return SpecifierSet(f"=={_NEWEST}")
        try:
            if text[0] in "<>=!~":
                return SpecifierSet(text.replace(MASTER, str(_NEWEST)))
            release = Release.parse(text)
            return SpecifierSet(f"=={release.tag}" + (".*" if release.moving else ""))
        except InvalidSpecifier:
            raise UsageError(
                f"{text!r} is not a range of releases", 'Write a release such as "2.0.43", or ">=2.0,<2024.06".'
            ) from None


def _version(name: str) -> Version:
    release = Release.parse(name)
    if release.series == MASTER:
        return _NEWEST
    return Version(f"{release.series}.{9999 if release.moving else release.patch}")
