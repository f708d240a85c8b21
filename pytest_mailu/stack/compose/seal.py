"""What a service beside the core ones gets of compose/world.yml, so that it is sealed in as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_mailu.stack.compose.command import template

_MEMORY = 4 << 30
"""Bytes of memory that such a service may have at most."""


def sealed_defaults(service: Mapping[str, Any]) -> dict[str, Any]:
    """For one of the optional services, or of the user's own: what world.yml has for the core services."""
    sealed = template("world")["x-sealed"]
    return {
        "cap_drop": sorted({*service.get("cap_drop", ()), *sealed["cap_drop"]}),
        "pids_limit": sealed["pids_limit"],
        "mem_limit": str(_memory(service)),
        "networks": {"default": {}},
        "dns": ["${MAILU_WORLD}"],
        "dns_search": ["."],
        "restart": "no",
        "logging": sealed["logging"],
        "healthcheck": {"disable": True},
    }


def _memory(service: Mapping[str, Any]) -> int:
    """Bytes of memory for such a service; 0 would be no limit."""
    asked = int(service.get("mem_limit") or 0)
    return min(asked, _MEMORY) if asked > 0 else _MEMORY
