"""Whether the database has the tables of the release that runs on it: Alembic's own word (`flask db current`)."""

from __future__ import annotations

import re

CURRENT_SCHEMA = ("flask", "db", "current")
"""Run in `admin`, it prints the revision of the database, and `(head)` behind it where there is no later one.

(Flask-Migrate, "API Reference", `current`; core/admin/migrations/versions of 1.9 to master.)
"""


def is_newest_schema(output: str) -> bool:
    """Whether the migrations of the release are finished, by what `CURRENT_SCHEMA` printed."""
    return re.search(r"(?m)^[0-9a-f]{6,40} \(head\)\s*$", output) is not None
