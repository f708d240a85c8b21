"""Users and their passwords."""

from __future__ import annotations

from .fault import Fault

FAULTS = (
    Fault(
        "ascii-passwords",
        "passwords with characters outside ASCII are refused",
        ("access/*/password-umlaut",),
        outcome="auth-failed",
        stage="auth",
        radius=("*/password-umlaut",),
        settings={"LAB_ADMIN": "ascii-passwords"},
    ),
    Fault(
        "wrong-password-temporary",
        "a wrong password is answered with a temporary code",
        ("access/*/wrong-password",),
        radius=("access/*",),
        settings={"LAB_ADMIN": "temporary"},
    ),
    Fault(
        "stripped-passwords",
        "passwords lose the blanks at their ends",
        ("access/password/blank-first/*", "access/password/blank-last/*"),
        outcome="auth-failed",
        stage="auth",
        radius=("access/password/blank-*",),
        settings={"LAB_ADMIN": "stripped-passwords"},
    ),
)
