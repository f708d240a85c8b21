"""The options of the command line and of the ini file, as data."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import FailOn
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.setups import SETUPS
from pytest_mailu.core.shipped import shipped


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `name` is the one of the command line, without the dashes in front: `mailu-from`.

    `kind` is text, side, path, paths or names (several of them), flag, number or optional (a flag that may have a
    value). Without `ini`, the option is for the command line only.
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
    Option(
        "mailu-logs",
        "count in these logs of the old server who is hit: a file, a folder, or engine for the logs of the running "
        "services; may be given several times",
        "paths",
        "FILE",
    ),
    Option("mailu-logs-names", "name the users that --mailu-logs finds, in the reports as well", "flag"),
    Option("mailu-check", "check settings, compose file and overrides alone; starts nothing", "flag"),
    Option(
        "mailu-setup",
        f"compare in this set-up: {', '.join(setup.name for setup in SETUPS)} (default: what your files say); may be "
        "given several times, for one after the other",
        "names",
        "NAME",
    ),
    Option(
        "mailu-with",
        f"start these optional services as well, and compare what needs them: {', '.join(sorted(STARTED))}",
        "names",
        "NAME,…",
    ),
    Option("mailu-without", "leave out these optional services of the set-up or your compose file", "names", "NAME,…"),
    Option("mailu-env", "your mailu.env, for both sides", "path", "FILE"),
    Option("mailu-env-new", "additional settings for the new side only", "path", "FILE"),
    Option("mailu-compose", "your compose file; its services have the names that Mailu gives them", "path", "FILE"),
    Option("mailu-compose-new", "the compose file that you have prepared for the new release", "path", "FILE"),
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
    Option("mailu-in-place", "rehearse the upgrade on a copy of the old release's data", "flag"),
    Option("mailu-via", "with --mailu-in-place: releases on the way, such as 2.0,2024.06", metavar="RELEASE,…"),
    Option(
        "mailu-data",
        "with --mailu-in-place: the folder of your own Mailu (data/, mail/, dkim/ …); it is read, never changed",
        "path",
        "DIR",
    ),
    Option("mailu-data-names", "name the people and rows that --mailu-data finds, in the reports as well", "flag"),
    Option(
        "mailu-export",
        "what `flask mailu config-export` wrote on your server: its users and aliases are asked for on both sides",
        "path",
        "FILE",
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
