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
JSON = ".json"


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
    def given_files(self) -> tuple[str, ...]:
        """The options with settings of a stack that were given."""
        options = {
            "--mailu-env": self.env,
            "--mailu-env-new": self.env_new,
            "--mailu-compose": self.compose,
            "--mailu-overrides": self.overrides,
        }
        return tuple(option for option, path in options.items() if path is not None)

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
        for label, spec in self.specs:
            if self.report is not None and _folder(spec) == self.report.resolve():
                raise UsageError(
                    f"--mailu-report: the {label} side is read from {self.report}, and would be overwritten",
                    "Name another folder for the reports.",
                )
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


def caveats(plan: Plan) -> tuple[str, ...]:
    """What was asked for and is not applied, in sentences."""
    stacks = [spec for _, spec in plan.specs if isinstance(spec, ReleaseSpec)]
    given = [
        option
        for option in plan.given_files
        # The additional settings are for the new side, which is started.
        if not (option == "--mailu-env-new" and isinstance(plan.new, ReleaseSpec))
    ]
    if plan.check_only or not given or len(stacks) == len(plan.specs):
        return ()
    options = ", ".join(given)
    if not stacks:
        return (f"{options} checked, not applied: recordings keep the settings that they were made with.",)
    return (f"{options} applied to {stacks[0]} only: the recording keeps the settings that it was made with.",)


def _folder(spec: SideSpec) -> Path | None:
    """The folder that a side is read from; None where that is no folder of the user."""
    if isinstance(spec, ReleaseSpec) or spec.text.startswith(RECORDED):
        return None
    return Path(spec.text).resolve().parent


def is_path(text: str) -> bool:
    """Whether a side is named by the path of a recording: with `.json`, or with a folder."""
    return not text.startswith((RECORDED, LIVE)) and (text.endswith(JSON) or "/" in text)


def side_spec(text: str) -> SideSpec:
    """What a text on the command line names; raises UsageError where it is no side."""
    if text.startswith(LIVE):
        raise UsageError(
            f"{text}: a live server cannot be a side yet",
            "Name a release such as 2.0.43, a recording (recorded:2.0.43), or the path of a recording.",
        )
    if text and Path(text).is_dir():
        raise UsageError(
            f"{text} is a folder, not a recording", f"Name a file in it, such as {Path(text) / 'old.json'}."
        )
    if is_path(text):
        return RecordedSpec(text if text.endswith(JSON) else text + JSON)
    if text.startswith(RECORDED):
        return RecordedSpec(text)
    try:
        return ReleaseSpec(Release.parse(text))
    except UsageError:
        if text and Path(text + JSON).is_file():
            return RecordedSpec(text + JSON)
        raise
