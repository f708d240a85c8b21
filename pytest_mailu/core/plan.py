"""What a run is asked to do, as one frozen value, and the side that a text names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import FailOn
from pytest_mailu.core.releases import Release, check_pair

RECORDED = "recorded:"
LIVE = "live:"


@dataclass(frozen=True, slots=True)
class RecordedSpec:
    """A side that is a recording: `recorded:RELEASE`, or the path of a JSON file."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """A side that is a release, to be started as a stack."""

    release: Release

    def __str__(self) -> str:
        return str(self.release)


SideSpec: TypeAlias = RecordedSpec | ReleaseSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run was asked for.

    `timeout` is in seconds, for one stack to become ready. From `seed` the order of repeated asking is drawn.
    """

    old: SideSpec
    new: SideSpec
    env: Path | None = None
    env_new: Path | None = None
    compose: Path | None = None
    overrides: Path | None = None
    pull: str = "missing"
    keep: bool = False
    report: Path | None = None
    waivers: Path | None = None
    fail_on: FailOn = FailOn.MAJOR
    timeout: float = 120.0
    repeat: int = 1
    deep: bool = False
    seed: int = 0
    deployment: Path | None = None
    check_only: bool = False
    fix: Path | None = None
    logs: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def specs(self) -> tuple[tuple[str, SideSpec], ...]:
        """Both sides with their labels."""
        return (("old", self.old), ("new", self.new))

    @property
    def starts_stacks(self) -> bool:
        """Whether anything has to be started."""
        return not self.check_only and any(isinstance(spec, ReleaseSpec) for _, spec in self.specs)

    def check(self) -> None:
        """Raise UsageError where the two sides cannot be compared, or a file that is named is not there."""
        if isinstance(self.old, ReleaseSpec) and isinstance(self.new, ReleaseSpec):
            check_pair(self.old.release, self.new.release)
        for option, path in (
            ("--mailu-env", self.env),
            ("--mailu-env-new", self.env_new),
            ("--mailu-compose", self.compose),
            ("--mailu-waivers", self.waivers),
        ):
            if path is not None and not path.is_file():
                raise UsageError(f"{option}: there is no file {path}", "Check the path; it is taken from here.")
        if self.report is not None and self.report.exists() and not self.report.is_dir():
            raise UsageError(
                f"--mailu-report: {self.report} is a file",
                "Name a folder for the reports; it is made where it is missing.",
            )
        if self.overrides is not None and not self.overrides.is_dir():
            raise UsageError(
                f"--mailu-overrides: there is no folder {self.overrides}",
                "Name the folder that Mailu mounts, with nginx/, postfix/, dovecot/ or rspamd/ in it.",
            )


def is_path(text: str) -> bool:
    """Whether a side is named by the path of a recording."""
    return text.endswith(".json") and not text.startswith((RECORDED, LIVE))


def side_spec(text: str) -> SideSpec:
    """What a text on the command line names; raises UsageError where it is no side."""
    if text.startswith(LIVE):
        raise UsageError(
            f"{text}: a live server cannot be a side yet",
            "Name a release such as 2.0.43, a recording (recorded:2.0.43), or the path of a recording.",
        )
    if text.startswith(RECORDED) or is_path(text):
        return RecordedSpec(text)
    return ReleaseSpec(Release.parse(text))
