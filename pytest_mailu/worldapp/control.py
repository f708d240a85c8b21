"""The control channel: one JSON request a line, one JSON answer a line; `ok` says whether the request was carried out.

| `do` | takes | gives |
|---|---|---|
| `ping` | | `last` (a mark for `since`), `ports` |
| `arrivals` | conditions (below), `count`, `wait` in seconds | `arrivals`, `complete`, `dropped` (too many to keep) |
| `script` | a rule (see `scripts.Rule`) | `id` |
| `unscript` | `id` | `found` |
| `records` | `replace`: records, `remove`: `[name, type]` pairs | `records`: all of them afterwards |
| `dns_rule` | a rule (see `dns_rules.DnsRule`) | `id` |
| `dns_unrule` | `id` | `uses`: how many answers it has made, by `udp` and `tcp` |
| `deposit` | `account`, `password`, `folder`, `messages` in base64 | |
| `account` | `account`, `ended`: sessions to wait for, `wait` | `folders`, `visits`, `ended` (see `mailboxes`) |

Conditions on arrivals: `message_id`, `recipient` and `sender` (globs), `token`, `listener`, `accepted`, `since`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import Any, Dict, Mapping

from .dns import Dns, resource
from .journal import Journal
from .mailboxes import INBOX, Mailboxes
from .plan import PlanError, plain_name, read_record
from .scripts import Scripts

log = logging.getLogger("world.control")
_LINE_LIMIT = 16 * 1024 * 1024
_MAX_WAIT = 600.0
_LONGEST_ERROR = 300


class Control:
    """Carries out requests. `ports` maps each listener to its bound port; the starter fills it in."""

    def __init__(self, journal: Journal, scripts: Scripts, dns: Dns, mailboxes: Mailboxes) -> None:
        self._journal = journal
        self._scripts = scripts
        self._dns = dns
        self._mailboxes = mailboxes
        self.ports: Dict[str, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the client is done."""
        while True:
            line = await _read_line(reader)
            if not line:
                return
            writer.write(json.dumps(await self.answer(line)).encode() + b"\n")
            await writer.drain()

    async def answer(self, line: bytes) -> Dict[str, Any]:
        """The answer to one request; never raises for what the request says."""
        try:
            request = json.loads(line)
            verb = getattr(self, f"_do_{request['do']}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return {"ok": False, "error": f"not a request: {type(error).__name__}: {str(error)[:_LONGEST_ERROR]}"}
        try:
            return {"ok": True, **await verb(request)}
        except (PlanError, ValueError, KeyError, TypeError, AttributeError) as error:
            return {"ok": False, "error": f"{request['do']}: {type(error).__name__}: {str(error)[:_LONGEST_ERROR]}"}
        except Exception as error:
            log.exception("a request failed")
            return {"ok": False, "error": f"{request['do']}: {type(error).__name__}: {str(error)[:_LONGEST_ERROR]}"}

    async def _do_ping(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        return {"last": self._journal.last, "ports": self.ports}

    async def _do_arrivals(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        count = int(request.get("count", 1))
        arrivals = await self._journal.wait(request, count, min(float(request.get("wait") or 0), _MAX_WAIT))
        return {"arrivals": arrivals, "complete": len(arrivals) >= count, "dropped": self._journal.dropped}

    async def _do_script(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        return {"id": self._scripts.add({name: value for name, value in request.items() if name != "do"})}

    async def _do_unscript(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        return {"found": self._scripts.remove(int(request["id"]))}

    async def _do_records(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        fresh = [read_record(record) for record in request.get("replace", ())]
        gone = [(plain_name(str(name)), str(kind).upper()) for name, kind in request.get("remove", ())]
        for record in fresh:
            resource(record)  # a record that cannot be sent must not get in
        self._dns.zones.remove(gone)
        self._dns.zones.replace(fresh)
        return {"records": self._dns.records()}

    async def _do_dns_rule(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        return {"id": self._dns.rules.add({name: value for name, value in request.items() if name != "do"})}

    async def _do_dns_unrule(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        return {"uses": self._dns.rules.remove(int(request["id"]))}

    async def _do_deposit(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        contents = [base64.b64decode(content) for content in request["messages"]]
        folder = str(request.get("folder") or INBOX)
        self._mailboxes.deposit(str(request["account"]), str(request["password"]), folder, contents)
        return {}

    async def _do_account(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        wait = min(float(request.get("wait") or 0), _MAX_WAIT)
        return await self._mailboxes.wait(str(request["account"]), int(request.get("ended", 0)), wait)


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """One line of any length up to a limit (StreamReader's own limit is too small for some); empty at the end."""
    line = b""
    while True:
        try:
            return line + await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            return line + end.partial if (line + end.partial).strip() else b""
        except asyncio.LimitOverrunError as more:
            line += await reader.readexactly(more.consumed)
            if len(line) > _LINE_LIMIT:
                raise ConnectionError("a request without end") from None
