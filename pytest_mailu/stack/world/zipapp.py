"""Packs the world into one file that Python 3.9 and later can run.

It contains `pytest_mailu.worldapp`, and aiosmtpd, attrs and dnslib as they are installed beside the plugin. All are
pure Python. The same contents always give the same file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

_MAIN = b"import sys\n\nfrom worldapp.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"

# aiosmtpd needs `public` (atpublic) for one decorator that keeps `__all__`; atpublic itself has outgrown the Python 3.9
# of Mailu 1.9 (its 9.0 wants 3.11), so this stands in for it.
_PUBLIC = b'''"""Stand-in for atpublic as aiosmtpd uses it: returns the decorated object unchanged."""


def public(thing):
    return thing
'''
_PACKAGES = {
    "aiosmtpd": ("__init__", "proxy_protocol", "smtp"),
    "attr": (),
    "dnslib": ("__init__", "bimap", "bit", "buffer", "dns", "label", "lex", "ranges"),
}
"""Package → the modules that are needed; an empty tuple means all."""

_WHEN = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip file can carry."""


@cache
def build_zipapp() -> bytes:
    """The zipapp, for `python3 world.pyz plan.json`. Raises ModuleNotFoundError when a dependency is missing."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(_contents()):
            archive.writestr(zipfile.ZipInfo(name, _WHEN), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _contents() -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", _MAIN
    yield "public.py", _PUBLIC
    yield from _modules("pytest_mailu.worldapp", "worldapp")
    for package, names in _PACKAGES.items():
        yield from _modules(package, package, names)


def _modules(package: str, target: str, names: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
    for entry in files(package).iterdir():
        stem, dot, suffix = entry.name.rpartition(".")
        if dot and suffix == "py" and (not names or stem in names):
            yield f"{target}/{entry.name}", entry.read_bytes()
