"""Stands in for Apache Tika's server: PUT of a document, and its text comes back. It knows the kinds of our tests.

What is no document of these kinds has no text (204), as an empty document has none for Tika.
"""

from __future__ import annotations

import http.server
import io
import re
import zipfile

MOST = 1 << 20
"""Bytes of a document."""


class Documents(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply(b"Please PUT\n")

    def do_PUT(self) -> None:
        self.reply(text_of(self.body()).encode())

    def body(self) -> bytes:
        """Dovecot sends chunks (RFC 9112 section 7.1): it does not know the size before it has read the message."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(min(int(self.headers.get("content-length") or 0), MOST))
        content = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content[:MOST]

    def reply(self, content: bytes) -> None:
        self.send_response(200 if content else 204)
        if content:
            self.send_header("Content-Type", "text/plain; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def text_of(content: bytes) -> str:
    """The text of a Word document, or of a PDF that is not compressed."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return re.sub("<[^>]*>", " ", archive.read("word/document.xml").decode())
    if content.startswith(b"%PDF"):
        return " ".join(re.findall(r"\(([^)]*)\) Tj", content.decode("latin-1")))
    return ""


if __name__ == "__main__":
    with http.server.ThreadingHTTPServer(("0.0.0.0", 9998), Documents) as server:
        server.serve_forever()
