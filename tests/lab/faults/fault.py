"""What a fault of the lab is, and what several of them change together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """One thing gone wrong.

    `settings` replaces Mailu's settings or the lab's own (start.py, DEFAULTS); `lines` maps one of the lab's files of
    configuration to what is added at its end, where it overrides what stands before. `caught_by` are globs over the
    ids; each must match a finding with `verdict`, and with `outcome` and `stage` on the new side where they are
    given. `radius` are globs over what else may be regressed. `series`: the personalities that it makes sense on.
    `stops` is False for a loss that is too small to stop an upgrade; `deep` is True for one that only `--mailu-deep`
    looks for. `setup` is the set-up that it belongs to, and `services` are the optional services that run beside it.
    `hides` are globs over what goes on working with it where another fault breaks it: who may relay without a login
    does not notice that the login is lost.
    """

    name: str
    breaks: str
    caught_by: tuple[str, ...]
    verdict: str = "regressed"
    outcome: str = ""
    stage: str = ""
    radius: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)
    series: tuple[str, ...] = ("2.0", "2024.06")
    stops: bool = True
    beside: tuple[str, ...] = ()
    deep: bool = False
    setup: str = "default"
    hides: tuple[str, ...] = ()
    services: frozenset[str] = frozenset()


LISTS = ("LAB_ADMIN", "LAB_AS_STRANGER", "LAB_BY_NGINX", "LAB_CLOSED", "LAB_FETCH")
"""Settings of the lab's own that take several words: each fault adds its own."""


@dataclass(frozen=True)
class Changes:
    """What several faults change together: settings, and the lines at the end of each file."""

    settings: Mapping[str, str]
    lines: Mapping[str, str]


def changes(faults: Iterable[Fault]) -> Changes:
    """What `faults` change, one after the other. Raises ValueError where two want another value of one setting."""
    settings: dict[str, str] = {}
    lines: dict[str, str] = {}
    for fault in faults:
        for name, value in fault.settings.items():
            if name in LISTS:
                settings[name] = f"{settings.get(name, '')} {value}".strip()
            elif settings.setdefault(name, value) != value:
                raise ValueError(f"{fault.name} and another fault set {name}")
        for file, text in fault.lines.items():
            lines[file] = lines.get(file, "") + text
    return Changes(settings, lines)


NEW = ("2024.06",)
"""For faults of the Dovecot in `front`, which 2.0 has not."""
