"""Writes small compound files (MS-CFB), the container of Office's macros, with one module of macros in it (MS-OVBA)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

_SECTOR, _MINI = 512, 64
_FREE, _END, _FAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_CUTOFF = 4096
"""Streams shorter than that stand in the mini stream (MS-CFB section 2.2), which is all that is written here."""
_CHUNK = 3600
"""Bytes that fit into one chunk without being compressed: a flag byte for each eight (MS-OVBA section 2.4.1)."""

Storage = Mapping[str, "bytes | Storage"]
"""Name → the content of a stream, or a storage with its own."""


@dataclass(slots=True)
class _Entry:
    name: str
    kind: int
    content: bytes = b""
    child: int = _NONE
    sibling: int = _NONE


@dataclass(slots=True)
class _Directory:
    entries: list[_Entry] = field(default_factory=lambda: [_Entry("Root Entry", _ROOT)])

    def add(self, parent: int, storage: Storage) -> None:
        before: _Entry | None = None
        # Names are ordered by length, then by capitals (section 2.6.4).
        for name in sorted(storage, key=lambda name: (len(name), name.upper())):
            value, number = storage[name], len(self.entries)
            made = _Entry(name, _STREAM, value) if isinstance(value, bytes) else _Entry(name, _STORAGE)
            self.entries.append(made)
            if before is None:
                self.entries[parent].child = number
            else:
                before.sibling = number
            before = made
            if not isinstance(value, bytes):
                self.add(number, value)


def compound_file(root: Storage) -> bytes:
    """A compound file of version 3 with these streams. Raises ValueError for one of 4096 bytes or more, or too many."""
    directory = _Directory()
    directory.add(0, root)
    stream, table, starts = b"", list[int](), dict[int, int]()
    for number, entry in enumerate(directory.entries):
        if len(entry.content) >= _CUTOFF:
            raise ValueError(f"the stream {entry.name} has {len(entry.content)} bytes")
        if entry.content:
            starts[number] = len(table)
            length = -(-len(entry.content) // _MINI)
            table += [*range(len(table) + 1, len(table) + length), _END]
            stream += entry.content.ljust(length * _MINI, b"\0")
    described = b"".join(
        _described(entry, starts.get(number, _END), len(entry.content))
        for number, entry in enumerate(directory.entries)
    )
    parts = [_sectors(described), _sectors(_numbers(table), _numbers([_FREE])), _sectors(stream)]
    lengths = [len(part) // _SECTOR for part in parts]
    fat, first = [_FAT], []
    for length in lengths:
        first.append(len(fat))
        fat += [*range(len(fat) + 1, len(fat) + length), _END] if length else []
    if len(fat) > _SECTOR // 4:
        raise ValueError("the streams need more than one sector of the allocation table")
    root_entry = _described(directory.entries[0], first[2], len(stream))
    parts[0] = root_entry + parts[0][len(root_entry) :]
    header = struct.pack(
        "<8s16s5H6s10I",
        *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6)),
        *(0, 1, first[0], 0, _CUTOFF, first[1], lengths[1], _END, 0, 0),
    )
    return header.ljust(_SECTOR, b"\xff") + _sectors(_numbers(fat), _numbers([_FREE])) + b"".join(parts)


def _described(entry: _Entry, start: int, size: int) -> bytes:
    name = entry.name.encode("utf-16-le") + b"\0\0"
    kind = struct.pack("<HBBIII", len(name), entry.kind, 1, _NONE, entry.sibling, entry.child)
    return name.ljust(64, b"\0") + kind + bytes(36) + struct.pack("<IQ", start if size else _END, size)


def _numbers(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _sectors(content: bytes, filling: bytes = b"\0") -> bytes:
    missing = -len(content) % _SECTOR
    return content + filling * (missing // len(filling))


def macros(source: str) -> Storage:
    """The streams of a project with one module, as vbaProject.bin has them, and the storage `Macros` of a .doc."""
    name = "Module1"
    project = (
        f'ID="{{00000000-0000-0000-0000-000000000001}}"\r\nModule={name}\r\nName="Letter"\r\nHelpContextID="0"\r\n'
    )
    code = f'Attribute VB_Name = "{name}"\r\n{source}'.encode("cp1252")
    return {
        "PROJECT": project.encode("cp1252"),
        "VBA": {
            "_VBA_PROJECT": struct.pack("<HHBH", 0x61CC, 0xFFFF, 0, 0),
            "dir": compressed(_project(name)),
            name: compressed(code),
        },
    }


def _project(module: str) -> bytes:
    """The records of the stream `dir` (MS-OVBA section 2.3.4.2)."""
    plain, wide = module.encode("cp1252"), module.encode("utf-16-le")
    zero = bytes(4)
    records = (
        *((0x01, struct.pack("<I", 1)), (0x02, struct.pack("<I", 0x409)), (0x14, struct.pack("<I", 0x409))),
        *((0x03, struct.pack("<H", 1252)), (0x04, b"Letter"), (0x05, b""), (0x40, b""), (0x06, b""), (0x3D, b"")),
        *((0x07, zero), (0x08, zero)),
    )
    more = (
        *((0x0C, b""), (0x3C, b""), (0x0F, struct.pack("<H", 1)), (0x13, b"\xff\xff")),
        *((0x19, plain), (0x47, wide), (0x1A, plain), (0x32, wide), (0x1C, b""), (0x48, b"")),
        *((0x31, zero), (0x1E, zero), (0x2C, b"\xff\xff"), (0x21, b""), (0x2B, b""), (0x10, b"")),
    )
    version = struct.pack("<HIIH", 0x09, 4, 1, 1)
    return _records(records) + version + _records(more)


def _records(records: tuple[tuple[int, bytes], ...]) -> bytes:
    return b"".join(struct.pack("<HI", number, len(content)) + content for number, content in records)


def compressed(content: bytes) -> bytes:
    """A compressed container (MS-OVBA section 2.4.1) in which every byte stands for itself. Raises ValueError where it
    would need a second chunk."""
    if len(content) > _CHUNK:
        raise ValueError(f"{len(content)} bytes are too many for one chunk")
    tokens = b"".join(b"\0" + content[start : start + 8] for start in range(0, len(content), 8))
    return b"\x01" + struct.pack("<H", 0xB000 | (len(tokens) + 2 - 3)) + tokens
