"""The decision as properties of the whole test suite in JUnit files (`--junitxml`)."""

from __future__ import annotations

import pytest
from _pytest.junitxml import xml_key

from pytest_mailu.core.model import Report


def add_suite_properties(config: pytest.Config, report: Report, of: str = "") -> None:
    """Add decision and coverage to the JUnit file, if one is written; to be called before pytest writes it.

    `of` is the set-up that the names end with, where there are several.
    """
    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    properties = {
        "mailu_decision": str(report.decision),
        "mailu_old": report.old.release,
        "mailu_new": report.new.release,
        "mailu_setup": report.setup,
        "mailu_selected": str(report.selected),
        "mailu_matrix": str(report.matrix),
        **{f"mailu_left_out_{reason}": str(len(ids)) for reason, ids in report.left_out.items()},
    }
    for name, value in properties.items():
        xml.add_global_property(f"{name}_{of}" if of else name, value)
