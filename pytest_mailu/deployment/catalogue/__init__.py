"""Facts about Mailu's releases: settings, compose file, overrides, DNS records, log lines; each with its source.

The facts are TOML files in `data/`. `scripts/catalogue.py` makes some of them from Mailu's sources; people wrote the
others. docs/settings-catalogue.md says which and how a release is added.
"""

from __future__ import annotations

from pytest_mailu.deployment.catalogue.schema import (
    Advice,
    ChangeKind,
    ComposeFact,
    Connection,
    Difference,
    Directive,
    DnsRecord,
    Effect,
    HostRequirement,
    Kind,
    KnownSeries,
    Legacy,
    ListeningPort,
    LogFormat,
    Mount,
    Network,
    Notice,
    Override,
    Period,
    ProgramVersion,
    PublishedPort,
    RequiredStop,
    Service,
    ServiceState,
    Setting,
    SettingChange,
    SettingState,
    Source,
)
from pytest_mailu.deployment.catalogue.store import Catalogue, assemble, load

__all__ = [
    "Advice",
    "Catalogue",
    "ChangeKind",
    "ComposeFact",
    "Connection",
    "Difference",
    "Directive",
    "DnsRecord",
    "Effect",
    "HostRequirement",
    "Kind",
    "KnownSeries",
    "Legacy",
    "ListeningPort",
    "LogFormat",
    "Mount",
    "Network",
    "Notice",
    "Override",
    "Period",
    "ProgramVersion",
    "PublishedPort",
    "RequiredStop",
    "Service",
    "ServiceState",
    "Setting",
    "SettingChange",
    "SettingState",
    "Source",
    "assemble",
    "load",
]
