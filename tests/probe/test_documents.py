"""Documents for scanners: read by independent readers, and by oletools where it is installed."""

from __future__ import annotations

import email
import email.policy
import io
import re
import struct
import zipfile

import pytest

from pytest_mailu.probe.compound_file import compound_file, compressed, macros
from pytest_mailu.probe.documents import AUTOMATIC, CALLED, archive, pdf, sheet, word, word_97
from pytest_mailu.probe.messages import compose_message


class Reader:
    """Reads a small compound file by MS-CFB, as far as streams of the mini stream go."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        assert content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        fields = struct.unpack_from("<5H6x10I", content, 24)
        assert fields[:5] == (0x3E, 3, 0xFFFE, 9, 6)
        assert (fields[6], fields[9]) == (1, 4096)
        self.fat = struct.unpack_from("<128I", self._sector(struct.unpack_from("<I", content, 76)[0]))
        directory, table = self._chain(fields[7]), self._chain(fields[10])
        self.mini = struct.unpack(f"<{len(table) // 4}I", table)
        self.entries = [directory[start : start + 128] for start in range(0, len(directory), 128)]
        self.stream = self._chain(struct.unpack_from("<I", self.entries[0], 116)[0])

    def _sector(self, number: int) -> bytes:
        return self.content[512 * (number + 1) : 512 * (number + 2)]

    def _chain(self, number: int) -> bytes:
        out = b""
        while number != 0xFFFFFFFE:
            out += self._sector(number)
            number = self.fat[number]
        return out

    def tree(self, number: int = 0) -> dict[str, object]:
        """The streams and storages below a storage."""
        found: dict[str, object] = {}
        child = struct.unpack_from("<I", self.entries[number], 76)[0]
        while child != 0xFFFFFFFF:
            entry = self.entries[child]
            length, kind = struct.unpack_from("<HB", entry, 64)
            name = entry[: length - 2].decode("utf-16-le")
            found[name] = self._stream(entry) if kind == 2 else self.tree(child)
            child = struct.unpack_from("<I", entry, 72)[0]
        return found

    def _stream(self, entry: bytes) -> bytes:
        sector, size = struct.unpack_from("<IQ", entry, 116)
        out = b""
        while sector != 0xFFFFFFFE:
            out += self.stream[64 * sector : 64 * (sector + 1)]
            sector = self.mini[sector]
        return out[:size]


def decompressed(content: bytes) -> bytes:
    """One chunk of literal bytes (MS-OVBA section 2.4.1)."""
    (head,) = struct.unpack_from("<H", content, 1)
    assert content[0] == 1
    assert (head & 0xF000, (head & 0xFFF) + 3) == (0xB000, len(content) - 1)
    tokens = content[3:]
    groups = [tokens[start : start + 9] for start in range(0, len(tokens), 9)]
    assert all(group[0] == 0 for group in groups)
    return b"".join(group[1:] for group in groups)


def test_a_compound_file_has_its_streams() -> None:
    given = {"b": b"x" * 700, "Storage": {"deep": b"yes", "Empty": b""}, "a": b""}
    assert Reader(compound_file(given)).tree() == given
    for content in (b"x" * 4096, {str(number): b"x" * 4000 for number in range(20)}):
        with pytest.raises(ValueError, match="stream"):
            compound_file({"large": content})


def test_a_project_has_the_macro_as_it_was_written() -> None:
    project = Reader(compound_file(macros(AUTOMATIC))).tree()["VBA"]
    assert isinstance(project, dict)
    assert AUTOMATIC.encode() in decompressed(project["Module1"])
    records = decompressed(project["dir"])
    assert records[:6] == struct.pack("<HI", 1, 4)
    assert records.endswith(struct.pack("<HI", 0x10, 0))
    with pytest.raises(ValueError, match="chunk"):
        compressed(b"x" * 4000)


def test_a_document_of_word_is_an_archive_with_its_parts() -> None:
    plain, with_macro = (zipfile.ZipFile(io.BytesIO(made)) for made in (word("Hello"), word("Hello", AUTOMATIC)))
    assert b"<w:t>Hello</w:t>" in plain.read("word/document.xml")
    assert "word/vbaProject.bin" not in plain.namelist()
    assert "VBA" in Reader(with_macro.read("word/vbaProject.bin")).tree()
    assert b"macroEnabled" in with_macro.read("[Content_Types].xml")
    assert set(Reader(word_97(AUTOMATIC)).tree()) == {"WordDocument", "Macros"}
    assert archive({"a": b"1"}) == archive({"a": b"1"})


def test_the_places_in_a_pdf_are_right() -> None:
    made = pdf("where is the needle")
    assert b"(where is the needle) Tj" in made
    (start,) = re.findall(rb"startxref\n(\d+)\n", made)
    assert made[int(start) :].startswith(b"xref\n")
    for number, place in enumerate(re.findall(rb"(?m)^(\d{10}) 00000 n ", made), 1):
        assert made[int(place) :].startswith(b"%d 0 obj" % number)


def test_files_are_large_enough_for_olefy() -> None:
    """It looks at nothing below 300 bytes (OLEFY_MINLENGTH in core/oletools/Dockerfile, 2.0 to master)."""
    made = (word("a"), word("a", CALLED), word_97(AUTOMATIC), sheet(automatic=True), sheet(automatic=False))
    assert min(map(len, made)) > 300


def test_oletools_finds_the_macro_that_runs_by_itself_and_no_other() -> None:
    olevba = pytest.importorskip("oletools.olevba")

    def keywords(name: str, content: bytes) -> set[str]:
        parser = olevba.VBA_Parser(name, data=content)
        return {keyword for kind, keyword, _ in parser.analyze_macros() or () if kind == "AutoExec"}

    assert keywords("a.docm", word("Hello", AUTOMATIC)) == {"AutoOpen"}
    assert keywords("a.doc", word_97(AUTOMATIC)) == {"AutoOpen"}
    assert keywords("a.slk", sheet(automatic=True)) == {"Auto_Open"}
    for name, content in (
        ("b.docm", word("Hello", CALLED)),
        ("b.docx", word("Hello")),
        ("b.slk", sheet(automatic=False)),
    ):
        assert keywords(name, content) == set()


@pytest.mark.parametrize("forwarded", [False, True])
def test_an_attachment_is_a_part_of_the_same_message(forwarded: bool) -> None:
    message = compose_message(to="reader@post.example")
    inner = compose_message(to="other@post.example").with_attachment("inner.bin", b"content")
    content = email.message_from_bytes(inner.content, policy=email.policy.SMTP) if forwarded else b"content"
    made = message.with_attachment("file.bin", content)  # type: ignore[arg-type]
    read = email.message_from_bytes(made.content, policy=email.policy.default)
    assert read["Message-ID"] == message.message_id
    assert (message.token in made.body.decode(), made.sender) == (True, message.sender)
    parts = [part for part in read.walk() if part.get_filename()]
    assert [part.get_filename() for part in parts] == ["inner.bin" if forwarded else "file.bin"]
    assert parts[0].get_content() == b"content"
    assert ("message/rfc822" in [part.get_content_type() for part in read.walk()]) is forwarded
