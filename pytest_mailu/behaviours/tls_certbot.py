"""Whether a certificate authority reaches certbot, without which no certificate is issued or renewed."""

from __future__ import annotations

import asyncio

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import CONNECTION
from pytest_mailu.core.endpoints import HTTP_80
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.admin_site import browser
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.waiting import eventually
from pytest_mailu.wire.transport.errors import CannotAsk

FOLDER = "/.well-known/acme-challenge/"
SECONDS = 8.0
"""How long it may take until what listens in certbot's place is asked."""
LISTENER = """\
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write((sys.argv[1] + self.path).encode())
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 8008), Handler)
server.timeout = 10
server.handle_request()
"""
"""Listens where certbot does while it waits for the authority (core/nginx/letsencrypt.py: --http-01-port 8008)."""


@behaviour(
    "tls/certbot/challenge",
    needs=CONNECTION,
    of_setup=(Feature.CERTBOT,),
    endpoint=HTTP_80,
    wanted=Outcome.ACCEPTED,
    severity=Severity.CRITICAL,
)
async def challenge(probe: Probe) -> Observation:
    """Request of a certificate authority on port 80 reaches certbot

    Certificates are not renewed, and after three months nobody can connect without a warning.

    RFC 8555 section 8.3 (http-01); core/nginx/conf/nginx.conf and letsencrypt.py, 1.9 to master
    """
    word = probe.unique_word()
    listening = asyncio.create_task(probe.services.exec(FRONT, "python3", "-c", LISTENER, word))
    said: list[Reply] = []

    async def reached() -> bool:
        async with browser(probe, HTTP_80) as http:
            reply = await http.get(f"{FOLDER}{word}", follow=False)
        said.append(Reply(str(reply.status), "", reply.header("location")))
        return reply.text == f"{word}{FOLDER}{word}"

    found = await eventually(reached, SECONDS)
    ran = await listening
    if ran.code:
        raise CannotAsk(f"nothing could listen in certbot's place: {(ran.errors.strip().splitlines() or ['?'])[-1]}")
    return probe.seen(Outcome.ACCEPTED if found else Outcome.REFUSED, Stage.COMMAND, said[-1])
