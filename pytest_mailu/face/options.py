"""The options of the command line and of the ini file, as data."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import FailOn
from pytest_mailu.core.shipped import shipped


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `name` is the one of the command line, without the dashes in front: `mailu-from`.

    `kind` is text, side, path, flag, number or optional (a flag that may have a value). Without `ini`, the
    option is for the command line only.
    """

    name: str
    help: str
    kind: str = "text"
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None
    ini: bool = True

    @property
    def flag(self) -> str:
        """The name on the command line: `--mailu-from`."""
        return f"--{self.name}"

    @property
    def dest(self) -> str:
        """The name in the ini file: `mailu_from`."""
        return self.name.replace("-", "_")


RECORDINGS = ", ".join(f"recorded:{release}" for release in shipped())
SIDE = f"a release (2.0, 2024.06.24, master), a shipped recording ({RECORDINGS}), or the path of a recording"

OPTIONS = (
    Option("mailu-from", f"the release in use today: {SIDE}", "side", "SIDE"),
    Option("mailu-to", f"the release to upgrade to: {SIDE}", "side", "SIDE"),
    Option("mailu-deployment", "the folder of your deployment: compose file, mailu.env, overrides", "path", "DIR"),
    Option("mailu-fix", "write proposed files for the new release into this new folder", "path", "DIR"),
    Option("mailu-logs", "count in these logs of the old server who is hit", "path", "FILE"),
    Option("mailu-check", "check settings, compose file and overrides alone; starts nothing", "flag"),
    Option("mailu-env", "your mailu.env, for both sides", "path", "FILE"),
    Option("mailu-env-new", "additional settings for the new side only", "path", "FILE"),
    Option("mailu-compose", "your compose file; its services have the names that Mailu gives them", "path", "FILE"),
    Option("mailu-overrides", "your overrides folder (nginx/, postfix/, dovecot/, rspamd/)", "path", "DIR"),
    Option("mailu-report", "write the reports and both recordings into this folder", "path", "DIR"),
    Option("mailu-waivers", "the findings that you accept (default: mailu-waivers.toml)", "path", "FILE"),
    Option(
        "mailu-fail-on",
        "what fails: regressions of a severity or worse (default: major), regressed (all of them), changed or never",
        choices=tuple(member.value for member in FailOn),
        default=FailOn.MAJOR,
    ),
    Option(
        "mailu-pull",
        "when to pull images: missing (default), always or never",
        choices=("missing", "always", "never"),
        default="missing",
    ),
    Option(
        "mailu-timeout",
        "how many seconds a stack may take to become ready (default: 120)",
        "number",
        "SECONDS",
        default="120",
    ),
    Option("mailu-repeat", "ask every behaviour at least N times (default: 1)", "number", "N", default="1"),
    Option(
        "mailu-seed",
        "the order in which a wavering answer is asked again is drawn from N (default: drawn, and printed)",
        "number",
        "N",
    ),
    Option(
        "mailu-deep",
        "also compare slow or more detailed behaviours (login limits, hundreds of sessions, paused services, …)",
        "flag",
    ),
    Option("mailu-keep", "keep the stacks afterwards; print how to reach and remove them", "flag"),
    Option("mailu-plan", "print what the run would do, and exit", "flag", ini=False),
    Option(
        "mailu-sweep",
        "remove what killed runs left behind, and exit; with an id or an age (7d): also what cannot be proven dead",
        "optional",
        "ID or AGE",
        ini=False,
    ),
)


def sides_missing(named: str) -> UsageError:
    """The error for an option or an id that means nothing without two sides."""
    return UsageError(f"{named}: two sides are missing", "Name both as well: --mailu-from 2.0 --mailu-to 2024.06")
