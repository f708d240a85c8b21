"""What Rspamd would find in /var/lib/rspamd if it had run before, so that a new stack does not wait for it.

*The list of domains.* Rspamd's milter learns it from `admin` up to 40 s after its start, and until then does nothing
against spoofing. What it stored before, it knows at once (`rspamd_map_preload`): so the list is stored beforehand.

*Compiled tables*, kept from one run to the next. With Hyperscan, Rspamd compiles its tables of top-level domains and
the like whenever /var/lib/rspamd is empty: ten seconds of one core for each stack (`rspamd_url_init`), as long as all
else together. The files carry a hash of what was compiled, and Hyperscan checks the processor: stale ones are ignored,
so they change nothing but the time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
import tarfile
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from docker.errors import DockerException
from docker.models.containers import Container

from pytest_mailu.stack.docker.images import Image

_FOLDER = "/var/lib/rspamd"
_SUFFIX = ".hsmp"
_DOMAINS_URL = "http://admin:8080/internal/rspamd/local_domains"
"""2.0 to master: core/rspamd/conf/multimap.conf."""
_MAGIC = b"rmcd2000"
_CHECK_AGAIN = 300
"""Seconds until Rspamd asks `admin` again: what it chooses itself when `admin` has answered."""
_KEPT = 8
"""How many images' files are kept, each about 40 MB."""


def cached_domain_list(domains: Iterable[str], now: float | None = None) -> dict[str, bytes]:
    """Path → content of Rspamd's own store of the list of domains (src/libserver/maps/map.c, `rspamd_http_file_data`).

    A Rspamd that writes another format passes it over and learns the list in its own time.
    """
    moment = int(time.time() if now is None else now)
    head = struct.pack("<8sqQQQ", _MAGIC, 40, moment, moment + _CHECK_AGAIN, 0)
    name = hashlib.blake2b(_DOMAINS_URL.encode()).hexdigest()[:40]
    return {f"{_FOLDER}/{name}.map": head + "\n".join(domains).encode()}


def cache_folder() -> Path:
    """Where they are kept (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pytest-mailu" / "rspamd"


def cached_tables(image: Image, folder: Path | None = None) -> bytes | None:
    """The kept files of this very image as a tar archive for `/`, or None."""
    try:
        return _path(image, folder).read_bytes()
    except OSError:
        return None


def cache_tables(image: Image, container: Container, folder: Path | None = None) -> bool:
    """Keeps what the running container has compiled, unless it is kept already. Says whether it did. Never raises."""
    path = _path(image, folder)
    if path.exists():
        return False
    try:
        chunks, _ = container.get_archive(_FOLDER)
        kept = _filtered(b"".join(chunks))
        if kept:
            _write(path, kept)
    except (OSError, DockerException, tarfile.TarError):
        return False
    return bool(kept)


def _path(image: Image, folder: Path | None) -> Path:
    return (folder or cache_folder()) / f"{image.id.removeprefix('sha256:')[:24]}.tar"


def _filtered(raw: bytes) -> bytes:
    """The compiled tables alone, from an archive of the folder; empty where there are none."""
    out, count = io.BytesIO(), 0
    with tarfile.open(fileobj=io.BytesIO(raw)) as source, tarfile.open(fileobj=out, mode="w") as target:
        for member in source:
            if member.isfile() and member.name.endswith(_SUFFIX):
                content = source.extractfile(member)
                member.name = f"{_FOLDER.lstrip('/')}/{Path(member.name).name}"
                target.addfile(member, content)
                count += 1
    return out.getvalue() if count else b""


def _write(path: Path, content: bytes) -> None:
    """All or nothing, for runs side by side; the oldest files make room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for old in sorted(path.parent.glob("*.tar"), key=lambda p: p.stat().st_mtime, reverse=True)[_KEPT:]:
        with contextlib.suppress(OSError):
            old.unlink()
