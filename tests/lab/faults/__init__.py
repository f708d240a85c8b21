"""The faults of the lab, as data: what each changes, which behaviours must catch it, and what else it may hit.

A module for each theme. This package is read on both sides: by the tests, and inside the images by start.py (so:
nothing but the standard library, and only relative imports).
Faults are switched on by LAB_FAULT=<name>,<name>. Each changes settings, adds lines to configuration files, or both.
"""

from __future__ import annotations

from . import accounts, administration, mailboxes, optional, ports, receiving, sending, services, ways_in, web_mail
from .fault import LISTS, Changes, Fault, changes

__all__ = ("FAULTS", "IN_BROWSER", "LISTS", "NOT_IN_THE_LAB", "Changes", "Fault", "changes")

_THEMES = (ports, accounts, sending, receiving, mailboxes, services, administration, ways_in, optional, web_mail)
FAULTS = {fault.name: fault for theme in _THEMES for fault in theme.FAULTS}
"""By name."""
IN_BROWSER = {fault.name: fault for fault in web_mail.IN_BROWSER}
"""The same of those that the matrix cannot see, and a browser does."""

NOT_IN_THE_LAB = (
    *("admin/api/pages", "admin/api/effect/manager-manages", "admin/form/*", "admin/role/*", "admin/site/*"),
    *("web/login/*", "web/session/*", "web/user/*", "web/page/*"),
    *("access/session/*", "access/web/*", "access/*/token*", "access/limits/*"),
    *("upgrade/login/token", "upgrade/login/password-asked-for", "upgrade/web/*", "upgrade/admin/login"),
    "upgrade/spam/*",
)
"""Globs over what the lab's `admin` does not have, or has only as far as its own faults need it: most of the web site,
tokens and limits."""
