"""Files for /var/lib/rspamd that Rspamd would write in its first minute, so that a new stack is ready sooner.

*The list of domains.* Rspamd's milter reads it from `admin` up to 40 s after its start, and does nothing against
spoofing until then. It loads a stored list at once (`rspamd_map_preload`), so the list is stored beforehand.

*Compiled tables*, cached from one run to the next. With Hyperscan, Rspamd compiles its tables of top-level domains and
the like whenever /var/lib/rspamd is empty: ten seconds of one core for each stack (`rspamd_url_init`), as long as
everything else together. The files carry a hash of their source, and Hyperscan checks the processor: Rspamd ignores
stale files, so the cache changes nothing but the time.
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
_DOMAINS_URL = "http://{admin}/internal/rspamd/local_domains"
"""2.0 to master: core/rspamd/conf/multimap.conf (to 2.0.21 without a port)."""
_MAGIC = b"rmcd2000"
_CHECK_AGAIN = 300
"""Seconds until Rspamd asks `admin` again: what it chooses itself when `admin` has answered."""
_LARGEST = 200_000_000
"""Bytes of the folder with all tables, several times of what was seen."""
_KEPT = 8
"""For how many images tables are kept; each takes about 40 MB."""


def cached_domain_list(domains: Iterable[str], admin_port: int, now: float | None = None) -> dict[str, bytes]:
    """Path → content of Rspamd's own store of the list of domains (src/libserver/maps/map.c, `rspamd_http_file_data`).

    It is stored under the address that the list was read from: `admin` at its port, which 80 is where none stands.
    A Rspamd with another format ignores the file and reads the list from `admin`.
    """
    moment = int(time.time() if now is None else now)
    head = struct.pack("<8sqQQQ", _MAGIC, 40, moment, moment + _CHECK_AGAIN, 0)
    url = _DOMAINS_URL.format(admin="admin" if admin_port == 80 else f"admin:{admin_port}")
    name = hashlib.blake2b(url.encode()).hexdigest()[:40]
    return {f"{_FOLDER}/{name}.map": head + "\n".join(domains).encode()}


def cache_folder() -> Path:
    """Where the tables are cached (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pytest-mailu" / "rspamd"


def cached_tables(image: Image, folder: Path | None = None) -> bytes | None:
    """The cached tables of this image as a tar archive for `/`, or None."""
    try:
        return _path(image, folder).read_bytes()
    except OSError:
        return None


def cache_tables(image: Image, container: Container, folder: Path | None = None) -> bool:
    """Caches the tables that a running container has compiled. Returns whether it did. Never raises."""
    path = _path(image, folder)
    if path.exists():
        return False
    try:
        chunks, _ = container.get_archive(_FOLDER)
        kept = _filtered(_all_of(chunks))
        if kept:
            _write(path, kept)
    except (OSError, DockerException, tarfile.TarError):
        return False
    return bool(kept)


def _all_of(chunks: Iterable[bytes]) -> bytes:
    """All chunks. Raises OSError for more than the tables of any Rspamd."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > _LARGEST:
            raise OSError("the folder is too large")
    return bytes(data)


def _path(image: Image, folder: Path | None) -> Path:
    return (folder or cache_folder()) / f"{image.id.removeprefix('sha256:')[:24]}.tar"


def _filtered(raw: bytes) -> bytes:
    """Only the compiled tables from an archive of the folder; empty where there are none."""
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
    """Writes atomically, since several runs share the folder, and removes the oldest files."""
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
