"""Where builds of Mailu's sources on Debian's packages answer unlike the official images (docs/recordings.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_mailu.core.globs import any_of
from pytest_mailu.core.model import SideInfo

OWN_BUILD = "not the official image"
"""Words in the provenance of a side whose images somebody built from Mailu's sources."""
LOCAL = "exist on this machine only"
"""Words in the provenance of a side whose images never came from a registry."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation: its name in reports, what it is, and globs over the ids whose answer rests on it."""

    name: str
    text: str
    behaviours: tuple[str, ...]


DEVIATIONS: Sequence[Deviation] = (
    Deviation(
        "versions of programs",
        "Versions and compiled-in defaults of Postfix, Dovecot, nginx, Rspamd and Python are those of Debian.",
        ("inside/*/versions", "inside/*/postconf", "inside/*/doveconf", "inside/*/processes"),
    ),
    Deviation(
        "messages of Debian's programs",
        "Programs of other versions complain of other things when they start.",
        ("inside/*/complaints-at-start", "inside/quiet"),
    ),
    Deviation(
        "OpenSSL",
        "OpenSSL is Debian's: other defaults for old protocols and ciphers.",
        ("tls/*/versions", "tls/*/ciphers", "tls/*/tls-1.*"),
    ),
    Deviation(
        "Rspamd",
        "Rspamd 3.4 (with 1.9.50: 2.7) instead of the version of each release: other scores and symbols.",
        (
            "inbound/25/brings-spam-headers",
            "inbound/25/sender-with-*",
            "inside/antispam/*",
            "submission/headers/from-international-domain",
        ),
    ),
)


def deviation(behaviour: str, sides: Sequence[SideInfo]) -> Deviation | None:
    """The deviation that the answer to a behaviour rests on, where one of the sides is such a build."""
    if not any(OWN_BUILD in side.provenance for side in sides):
        return None
    return next((each for each in DEVIATIONS if any_of(each.behaviours, behaviour)), None)
