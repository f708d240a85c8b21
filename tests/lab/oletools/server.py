"""Stands in for olefy and olevba: says, in their words, which macros a file has. It knows those of the tests alone.

A connection has lines of a header, an empty line and the file, up to its end; or PING, which is answered with PONG.
"""

from __future__ import annotations

import io
import json
import socketserver
import zipfile

AUTOMATIC = ("AutoOpen", "Auto_Open")
OTHER = ("Function Total",)


class Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        said = self.rfile.read()
        if said.startswith(b"PING"):
            self.wfile.write(b"PONG")
            return
        text = unpacked(said.partition(b"\n\n")[2])
        automatic = [word for word in AUTOMATIC if word in text]
        macros = [{"vba_filename": "Module1"}] if automatic or any(word in text for word in OTHER) else []
        found = [{"type": "AutoExec", "keyword": word, "description": ""} for word in automatic]
        about = {"type": "MetaInformation", "script_name": "olevba", "version": "lab"}
        answer = [about, {"type": "OpenXML", "file": "file", "macros": macros, "analysis": found if macros else None}]
        self.wfile.write(json.dumps(answer).encode() + b"\t\n\n\t")


def unpacked(content: bytes) -> str:
    """A file and what is in it, without the zeros that stand between the letters of a macro (MS-OVBA 2.4.1)."""
    parts = [content]
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts += [archive.read(name) for name in archive.namelist()]
    return b"".join(parts).replace(b"\0", b"").decode("latin-1")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


if __name__ == "__main__":
    with Server(("0.0.0.0", 11343), Connection) as server:
        server.serve_forever()
