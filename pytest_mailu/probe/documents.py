"""Documents and archives that scanners look into: with macros, with a test virus, with text to be found. All harmless.

An automatic macro shows a message, in an office program that lets it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from pytest_mailu.probe.compound_file import compound_file, macros

_TYPES = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PROJECT = "http://schemas.microsoft.com/office/2006/relationships/vbaProject"
_DATE = (2024, 1, 1, 0, 0, 0)

AUTOMATIC = 'Sub AutoOpen()\r\n    MsgBox "A test of pytest-mailu"\r\nEnd Sub\r\n'
"""A macro that runs when the document is opened (Word's `AutoOpen`)."""
CALLED = "Function Total(a, b)\r\n    Total = a + b\r\nEnd Function\r\n"
"""A macro that runs when it is called, and only reckons."""


def archive(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive, always the same for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def word(text: str, source: str = "") -> bytes:
    """A document of Word 2007 and later; with the macros of `source`, one for a name that ends in .docm."""
    main = "application/vnd.ms-word.document.macroEnabled" if source else f"{_TYPES}.document"
    project = '<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/>' if source else ""
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{project}'
        f'<Override PartName="/word/document.xml" ContentType="{main}.main+xml"/></Types>'
    )
    link = '<Relationship Id="rId1" Type="{}" Target="{}"/>'
    start = link.format(f"{_OFFICE}/officeDocument", "word/document.xml")
    parts = {
        "[Content_Types].xml": types,
        "_rels/.rels": f'<Relationships xmlns="{_LINKS}">{start}</Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body>'
        "</w:document>",
    }
    if source:
        to_project = link.format(_PROJECT, "vbaProject.bin")
        parts["word/_rels/document.xml.rels"] = f'<Relationships xmlns="{_LINKS}">{to_project}</Relationships>'
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    files = {name: f"{head}{part}".encode() for name, part in parts.items()}
    if source:
        files["word/vbaProject.bin"] = compound_file(macros(source))
    return archive(files)


def word_97(source: str) -> bytes:
    """As much of a document of Word 97 to 2003 (.doc) as the macros of `source` need; its text is empty."""
    return compound_file({"WordDocument": b"\xec\xa5\xc1\x00".ljust(1024, b"\0"), "Macros": macros(source)})


def sheet(*, automatic: bool) -> bytes:
    """A symbolic link file (.slk) of Excel; `automatic` has a macro of Excel 4.0 that runs when it is opened."""
    formats = "".join(f"P;P{kind}\n" for kind in ("General", "0", "0.00", "#,##0", "0%", "0.00%") * 8)
    cells = "C;Y1;X1;K42\n"
    if automatic:
        cells = (
            "O;L;E;D;V0;K47;G100 0.001\nNN;NAuto_Open;ER1C1\n"
            'C;Y1;X1;KFALSE;EALERT("A test of pytest-mailu")\nC;Y2;KTRUE;EHALT()\n'
        )
    return f"ID;PWXL;N;E\n{formats}{cells}E\n".encode()


def pdf(text: str) -> bytes:
    """A PDF of one page with a line of text in ASCII."""
    line = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(line), line),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(out))
    )
