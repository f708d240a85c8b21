"""The options of the command line and their twins in the ini file, as data."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mailu.core.model import FailOn


@dataclass(frozen=True, slots=True)
class Option:
    """`name` without dashes in front (`mailu-from`); the ini name has underscores.

    `kind` is text, side, path, flag or number.
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
        """As it stands on the command line."""
        return f"--{self.name}"

    @property
    def dest(self) -> str:
        """As it stands in the ini file."""
        return self.name.replace("-", "_")


SIDE = "a release (2.0, 2024.06.24, master), a recording (recorded:2.0.43) or the path of one"

OPTIONS = (
    Option("mailu-from", f"the release in use today: {SIDE}", "side", "SIDE"),
    Option("mailu-to", f"the release to upgrade to: {SIDE}", "side", "SIDE"),
    Option("mailu-env", "your mailu.env, for both sides", "path", "FILE"),
    Option("mailu-env-new", "more settings, for the new side alone", "path", "FILE"),
    Option("mailu-compose", "your own compose file, with services under Mailu's names", "path", "FILE"),
    Option("mailu-overrides", "your folder of overrides (nginx/, postfix/, dovecot/, rspamd/)", "path", "DIR"),
    Option("mailu-report", "write the reports and both recordings into this folder", "path", "DIR"),
    Option("mailu-waivers", "findings you have accepted (default: mailu-waivers.toml)", "path", "FILE"),
    Option(
        "mailu-fail-on",
        "what fails: regressions of a severity or worse (default: major), regressed (all of them), changed or never",
        choices=tuple(FailOn),
        default=FailOn.MAJOR,
    ),
    Option(
        "mailu-pull",
        "when to pull images: missing (default), always or never",
        choices=("missing", "always", "never"),
        default="missing",
    ),
    Option(
        "mailu-timeout", "seconds a stack may take to become ready (default: 120)", "number", "SECONDS", default="120"
    ),
    Option("mailu-repeat", "ask every behaviour at least so often (default: 1)", "number", "N", default="1"),
    Option(
        "mailu-deep",
        "ask as well what takes long (login limits, hundreds of sessions, services held still) and finer variations",
        "flag",
    ),
    Option("mailu-keep", "keep the stacks afterwards, and say how to reach and remove them", "flag"),
    Option("mailu-plan", "print what would be done, and do nothing", "flag", ini=False),
    Option("mailu-sweep", "remove what runs that were killed have left behind, and do nothing else", "flag", ini=False),
)
