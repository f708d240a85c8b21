"""A Docker engine that has every image and makes volumes, and nothing else: for runs that end before a container."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class ScriptedEngine:
    """Listens on a socket at `path` while it is entered. `volumes` are those that it has, by name, and `networks` what
    it says of its networks. Where it has a `complaint`, it describes no image, and says that instead.
    """

    def __init__(self, path: Path, version: str = "20.10.24") -> None:
        self.address = f"unix://{path}"
        self.version = version
        self.volumes: dict[str, dict[str, Any]] = {}
        self.networks: list[dict[str, Any]] = []
        self.complaint = ""
        self.made: list[str] = []
        """The names of all volumes that were made, removed or not."""
        self._ended = threading.Event()
        self._server = _Server(str(path), self)

    def __enter__(self) -> ScriptedEngine:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self) -> None:
        """Waits for the end, as the stream of events does."""
        self._ended.wait()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Status and JSON for a request (Docker Engine API 1.41)."""
        match [method, *path.split("/")]:
            case ["GET", "version"]:
                return 200, {"Version": self.version, "ApiVersion": "1.41", "MinAPIVersion": "1.12"}
            case ["GET", "info"]:
                return 200, {"ServerVersion": self.version, "Name": "another-host", "MemTotal": 64 << 30}
            case ["GET", "containers", "json"]:
                return 200, []
            case ["GET", "networks"]:
                return 200, self.networks
            case ["GET", "volumes"]:
                wanted = json.loads(query.get("filters", ["{}"])[0]).get("label", [])
                pairs = [label.partition("=") for label in wanted]
                found = [
                    volume
                    for volume in self.volumes.values()
                    if all(
                        key in volume["Labels"] and (not equals or volume["Labels"][key] == value)
                        for key, equals, value in pairs
                    )
                ]
                return 200, {"Volumes": found}
            case ["POST", "volumes", "create"]:
                self.made.append(body["Name"])
                self.volumes[body["Name"]] = {"Driver": "local", "Labels": {}, "Mountpoint": "/nowhere", **body}
                return 201, self.volumes[body["Name"]]
            case ["DELETE", "volumes", name]:
                return (204, None) if self.volumes.pop(name, None) is not None else (404, {"message": "no such volume"})
            case ["GET", "images", *_] if self.complaint:
                return 500, {"message": self.complaint}
            case ["GET", "images", *_]:
                return 200, {"Id": f"sha256:{'0' * 64}", "RepoDigests": [], "Config": {}}
        return 404, {"message": f"{method} {path}: a scripted engine has no such thing"}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, engine: ScriptedEngine) -> None:
        self.engine = engine
        super().__init__(path, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        url = urlsplit(self.path)
        parts = unquote(url.path).strip("/").split("/")
        path = "/".join(parts[1:] if parts[0].startswith("v1.") else parts)
        if path == "events":
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            self.server.engine.wait()
            self.close_connection = True
            return
        status, answer = self.server.engine.answer(self.command, path, parse_qs(url.query), body)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _serve

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        return None
