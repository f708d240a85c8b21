"""What a run is asked to do, as one frozen value, and the side that a text names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import FailOn
from pytest_mailu.core.releases import Release, check_pair
from pytest_mailu.core.setups import SetUp

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

    `timeout` is in seconds, for one stack to become ready. From `seed` the order of repeated asking is drawn. `setups`
    are compared one after the other; without any, the set-up is that of the recordings, else the default one.
    """

    old: SideSpec
    new: SideSpec
    setups: tuple[SetUp, ...] = ()
    env: Path | None = None
    env_new: Path | None = None
    compose: Path | None = None
    compose_new: Path | None = None
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
    logs: tuple[Path, ...] = ()
    log_names: bool = False
    in_place: bool = False
    via: tuple[Release, ...] = ()
    data: Path | None = None
    data_names: bool = False
    export: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def setup(self) -> SetUp | None:
        """The first set-up; None where nothing names one."""
        return self.setups[0] if self.setups else None

    @property
    def one_by_one(self) -> tuple[Plan, ...]:
        """The same for each set-up alone; with several, each has a folder of its own for its reports."""
        if len(self.setups) < 2:
            return (self,)
        return tuple(
            replace(self, setups=(setup,), report=None if self.report is None else self.report / setup.name)
            for setup in self.setups
        )

    @property
    def specs(self) -> tuple[tuple[str, SideSpec], ...]:
        """Both sides with their labels."""
        return (("old", self.old), ("new", self.new))

    def compose_of(self, *, new: bool) -> Path | None:
        """The user's compose file for one side: the one that is prepared for the new release, where there is one."""
        return self.compose_new if new and self.compose_new is not None else self.compose

    @property
    def given_files(self) -> tuple[str, ...]:
        """The options with settings of a stack that were given."""
        options = {
            "--mailu-env": self.env,
            "--mailu-env-new": self.env_new,
            "--mailu-compose": self.compose,
            "--mailu-compose-new": self.compose_new,
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
        for _, spec in self.specs:
            for setup in self.setups:
                if isinstance(spec, ReleaseSpec) and not setup.fits(spec.release):
                    when = f"came with {setup.since}" if setup.since else f"went with {setup.until}"
                    raise UsageError(
                        f"--mailu-setup {setup.name}: Mailu {spec.release} cannot be run so",
                        f"It {when}: compare other releases, or choose another set-up.",
                    )
        self._check_in_place()
        if self.export is not None and not all(isinstance(spec, ReleaseSpec) for _, spec in self.specs):
            raise UsageError(
                "--mailu-export: a recording has none of your accounts",
                "Name two releases, for example: --mailu-from 2.0.43 --mailu-to 2024.06.24",
            )
        for option, path in (
            ("--mailu-env", self.env),
            ("--mailu-env-new", self.env_new),
            ("--mailu-compose", self.compose),
            ("--mailu-compose-new", self.compose_new),
            ("--mailu-waivers", self.waivers),
            ("--mailu-export", self.export),
        ):
            if path is not None and not path.is_file():
                raise UsageError(
                    f"{option}: there is no file {path}",
                    "Check the path. Relative paths start in the folder where you run pytest.",
                )
        if self.compose_new is not None and self.compose is None:
            raise UsageError(
                "--mailu-compose-new: the compose file of today is missing",
                "Add --mailu-compose FILE, or --mailu-deployment DIR with a compose file in it.",
            )
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

    def _check_in_place(self) -> None:
        """Raise UsageError where an upgrade in place cannot be rehearsed as asked."""
        if self.data_names and self.data is None:
            raise UsageError("--mailu-data-names: there is no data", "Add --mailu-data DIR.")
        if not self.in_place:
            if self.via:
                raise UsageError(
                    "--mailu-via needs --mailu-in-place",
                    "Add it: --mailu-via names the releases on the way of that upgrade.",
                )
            if self.data is not None:
                raise UsageError(
                    "--mailu-data needs --mailu-in-place", "Add it: the upgrade is rehearsed on a copy of your data."
                )
            return
        if self.data is not None and not self.data.is_dir():
            raise UsageError(
                f"--mailu-data: there is no folder {self.data}",
                "Name the folder that your compose file mounts: /mailu in Mailu's own. A copy of it will do.",
            )
        stacks = [spec for _, spec in self.specs if isinstance(spec, ReleaseSpec)]
        if len(stacks) < len(self.specs):
            raise UsageError(
                "--mailu-in-place: a recording has no data to upgrade",
                "Name two releases, for example: --mailu-from 2.0.43 --mailu-to 2024.06.24 --mailu-in-place",
            )
        way = [stacks[0].release, *self.via, stacks[1].release]
        for before, after in pairwise(way):
            check_pair(before, after)


def caveats(plan: Plan) -> tuple[str, ...]:
    """What was asked for and is not applied, in sentences."""
    stacks = {label: spec for label, spec in plan.specs if isinstance(spec, ReleaseSpec)}
    if plan.check_only or len(stacks) == len(plan.specs):
        return ()
    meant = {option: _meant_for(option, plan) for option in plan.given_files}
    unused = [option for option, sides in meant.items() if not sides & stacks.keys()]
    halved = [option for option, sides in meant.items() if sides & stacks.keys() and sides - stacks.keys()]
    made = []
    if unused:
        options = ", ".join(unused)
        made.append(f"{options} checked, not applied: recordings keep the settings that they were made with.")
    if halved:
        options = ", ".join(halved)
        (stack,) = stacks.values()
        made.append(f"{options} applied to {stack} only: the recording keeps the settings that it was made with.")
    return tuple(made)


def _meant_for(option: str, plan: Plan) -> set[str]:
    """The labels of the sides that an option with settings is about."""
    if option.endswith("-new"):
        return {"new"}
    return {"old"} if option == "--mailu-compose" and plan.compose_new is not None else {"old", "new"}


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
