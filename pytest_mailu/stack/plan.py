"""What one stack is to be: its release, the user's settings and files, and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mailu.core.export_file import Export
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.command import CONFIGURED, Model
from pytest_mailu.stack.data.copier import Sources
from pytest_mailu.stack.data.own import OwnData
from pytest_mailu.stack.docker.images import Pull


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a stack takes over from the one before it: its data, and the key that its sessions and hashes rest on.

    `add_accounts` imports the accounts of the test beside what is there. With `own`, it is the user's own data that is
    taken over, for an upgrade through `releases`, and `data` is empty. `keeps_database` tells whether the user's own
    database is among the data.
    """

    data: Sources
    secret_key: str
    add_accounts: bool = False
    own: OwnData | None = None
    releases: tuple[Release, ...] = ()
    keeps_database: bool = False


@dataclass(frozen=True, slots=True)
class StackPlan:
    """`side` is `old`, `new` or the name of another stack of the run; `user` are the user's settings.

    `seconds` is how long any one step may take; drawn values come from `seed`; `inherited` is None for a stack that
    starts with nothing; `export` are accounts that come beside those of the test.

    `core`, `configured` and `files` come from `read_user_compose`: the model, the services that read mailu.env, and
    what is copied into each container. `added` are optional services that come beside those of `core`, `removed` those
    of it that are left out. `aliases` are other names of its services, `sources` the user's folders by
    the name of the volume in their place. With `brings_database`, the database is the
    run's own whatever `user` says of one. With `brings_authorities`, certificate authorities with ACME are beside it.
    """

    side: str
    release: Release
    user: Mapping[str, str] = field(default_factory=dict)
    overrides: Path | None = None
    core: Model | None = None
    configured: tuple[str, ...] = CONFIGURED
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    pull: Pull = Pull.MISSING
    seconds: float = 120.0
    seed: int = 0
    inherited: Inherited | None = None
    export: Export | None = None
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    brings_database: bool = False
    brings_authorities: bool = False
