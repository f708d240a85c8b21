"""`python3 world.pyz plan.json`: start the world, report that it is ready, and run until SIGTERM.

`python3 world.pyz --addresses plan.json`: add the vantages' client addresses, and exit. It needs CAP_NET_ADMIN, so
a container of its own does it, which shares the world's network; the world itself needs no capability.

`python3 world.pyz --ingress SOCKET PORT`: the other process, by which clients come (`ingress.py`).

Once everything listens, one line of JSON goes to standard output: `{"ready": true, "ports": {…}}`. Errors and notes go
to standard error. Exit status: 0 after SIGTERM or SIGINT, 2 when the plan cannot be used.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import warnings
from typing import Any, Dict, List

from . import ingress, load_balancer, mailbox_server, policies
from .control import Control
from .dns import Dns
from .dns_rules import DnsRules
from .imap import ImapSession
from .interfaces import add_addresses
from .journal import Journal
from .mail import listen, tls_context
from .mailboxes import Mailboxes
from .plan import Plan, PlanError, read_plan
from .pop3 import Pop3Session
from .scripts import ScriptError, Scripts
from .socks_proxy import SocksProxy
from .zones import Zones

log = logging.getLogger("world")
_ADDRESSES, _INGRESS = "--addresses", "--ingress"
_MAILBOX_SESSIONS: Dict[str, mailbox_server.MakeSession] = {"imap": ImapSession, "pop3": Pop3Session}


async def serve(plan: Plan) -> None:
    """Serve everything in the plan until a signal says to end."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.set_exception_handler(_log_exception)
    journal, scripts = Journal(), Scripts(plan.scripts)
    dns = Dns(Zones(plan.zones, plan.records), DnsRules(plan.dns_rules))
    mailboxes = Mailboxes()
    control = Control(journal, scripts, dns, mailboxes)
    ports = control.ports
    ports["dns"] = await dns.start(plan.dns_addresses, plan.dns_port)
    context = tls_context(plan)
    for listener in plan.listeners:
        make = _MAILBOX_SESSIONS.get(listener.protocol)
        if make is None:
            ports[listener.name] = await listen(listener, plan, context, scripts, journal)
        else:
            ports[listener.name] = await mailbox_server.serve(listener, context, mailboxes, make)
    if plan.policies is not None and context is not None:
        ports["https"] = await policies.listen(plan.policies, context)
    for balancer in plan.balancers:
        ports[f"balancer-{balancer.port}"] = await load_balancer.listen(balancer)
    proxy = SocksProxy(plan, control.serve)
    proxy.start()
    print(json.dumps({"ready": True, "ports": ports}), flush=True)
    await end.wait()
    proxy.stop()


def _log_exception(loop: asyncio.AbstractEventLoop, context: Dict[str, Any]) -> None:
    """Log asyncio's exceptions in one line: sessions with invalid input are common here."""
    log.warning("%s: %r", context.get("message"), context.get("exception"))


def main(arguments: List[str]) -> int:
    """Run with the command line's arguments; the exit status."""
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("WORLD_LOG", "WARNING"), format="%(name)s: %(message)s")
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd: warns of every unknown verb
    warnings.simplefilter("ignore")  # aiosmtpd: AUTH without TLS is what some listeners are for
    mode = arguments[0] if len(arguments) > 1 else ""
    if (mode, len(arguments)) not in (("", 1), (_ADDRESSES, 2), (_INGRESS, 3)):
        print("usage: python3 world.pyz [--addresses] plan.json | --ingress socket port", file=sys.stderr)
        return 2
    try:
        if mode == _INGRESS:
            ingress.serve(arguments[1], int(arguments[2]))
        elif mode == _ADDRESSES:
            add_addresses(read_plan(arguments[1]).added_addresses)
        else:
            asyncio.run(serve(read_plan(arguments[0])))
    except (PlanError, ScriptError) as error:
        print(f"world: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"world: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
