"""Counts the hostile cases in the tests: `python -m tests.hostile_cases` prints the table of docs/hostile-input.md.

A test counts once for each set of parameters, and a test that Hypothesis drives as often as it has examples in CI. What
runs again on an older Python, where the machine has one, does not count again.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

SUITES: Mapping[str, tuple[str, ...]] = {
    "descriptions of containers, networks and volumes": ("tests/stack/docker/test_isolation.py",),
    "compose files, overrides and mounts": (
        "tests/stack/compose/test_user_file.py",
        "tests/stack/compose/test_user_folder.py",
        "tests/stack/compose/test_process.py",
    ),
    "words of Docker Compose and of the engine": (
        "tests/face/test_hostile_compose.py",
        "tests/face/test_hostile_engine.py",
        "tests/stack/compose/test_quotes.py",
    ),
    "data of an upgrade in place": ("tests/stack/data/test_hostile_trees.py",),
    "deployments, garbled": ("tests/deployment/test_hostile.py",),
    "servers and pages": ("tests/wire/hostile",),
    "clients of the world, DNS and control": (
        "tests/worldapp/test_socks_proxy.py",
        "tests/worldapp/test_control.py",
        "tests/worldapp/test_dns.py",
        "tests/worldapp/test_dns_rules.py",
        "tests/worldapp/test_policies.py",
        "tests/worldapp/test_limits.py",
    ),
    "texts for which a careless reader takes long": ("tests/judging/test_long_texts.py", "tests/core/test_globs.py"),
    "recordings and reports": (
        "tests/core/test_serialization.py",
        "tests/face/test_promises.py",
        "tests/reports/test_promises.py",
    ),
    "decisions and waivers": ("tests/judging/test_decision.py", "tests/judging/test_waivers.py"),
    "labels and clean-up": ("tests/stack/docker/test_labels.py", "tests/stack/docker/test_sweep.py"),
    "secrets": (
        "tests/core/test_secrets.py",
        "tests/sides/test_planted_secrets.py",
        "tests/deployment/test_masking.py",
    ),
}
"""What is hostile, and the files with its cases."""
AGAIN = "[oldest"
"""How the parameters of a test begin that runs on an older Python as well (tests/worldapp/conftest.py)."""
ROOT = Path(__file__).parents[1]


class _Collected:
    """pytest's hook that sees what was collected."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if AGAIN in item.nodeid:
                continue
            file = item.path.relative_to(ROOT).as_posix()
            settings = getattr(getattr(item, "function", None), "_hypothesis_internal_use_settings", None)
            self.counts[file] = self.counts.get(file, 0) + (settings.max_examples if settings is not None else 1)


def counted() -> dict[str, int]:
    """Suite → how many cases it has."""
    collected = _Collected()
    files = [file for suite in SUITES.values() for file in suite]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            ["--collect-only", "-q", "-p", "no:cacheprovider", *(str(ROOT / file) for file in files)], [collected]
        )
    return {
        name: sum(count for file, count in collected.counts.items() if file.startswith(suite))
        for name, suite in SUITES.items()
    }


def table(counts: Mapping[str, int]) -> str:
    """The table of the page."""
    rows = [f"| {name} | {count:,} |" for name, count in counts.items()]
    return (
        "\n".join(["| hostile are | cases |", "|---|---|", *rows, f"| **all** | **{sum(counts.values()):,}** |"]) + "\n"
    )


if __name__ == "__main__":
    sys.stdout.write(table(counted()))
