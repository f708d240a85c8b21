"""`python3 world.pyz plan.json`: start the world, report that it is ready, and run until SIGTERM.

`python3 world.pyz --addresses plan.json`: add the vantages' client addresses, and exit. It needs CAP_NET_ADMIN, so
a container of its own does it, which shares the world's network; the world itself needs no capability.

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

from .control import Control
from .dns import Dns
from .interfaces import add_addresses
from .journal import Journal
from .mail import listen, tls_context
from .plan import Plan, PlanError, read_plan
from .scripts import ScriptError, Scripts
from .socks_proxy import SocksProxy
from .zones import Zones

log = logging.getLogger("world")
_ADDRESSES = "--addresses"


async def serve(plan: Plan) -> None:
    """Serve everything in the plan until a signal says to end."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.set_exception_handler(_log_exception)
    journal, scripts, dns = Journal(), Scripts(plan.scripts), Dns(Zones(plan.zones, plan.records))
    control = Control(journal, scripts, dns)
    ports = control.ports
    ports["dns"] = await dns.start(plan.dns_addresses, plan.dns_port)
    context = tls_context(plan)
    for listener in plan.listeners:
        ports[listener.name] = await listen(listener, plan, context, scripts, journal)
    ports["proxy"] = await SocksProxy(plan, control.serve).start()
    print(json.dumps({"ready": True, "ports": ports}), flush=True)
    await end.wait()


def _log_exception(loop: asyncio.AbstractEventLoop, context: Dict[str, Any]) -> None:
    """Log asyncio's exceptions in one line: sessions with invalid input are common here."""
    log.warning("%s: %r", context.get("message"), context.get("exception"))


def main(arguments: List[str]) -> int:
    """Run with the command line's arguments; the exit status."""
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("WORLD_LOG", "WARNING"), format="%(name)s: %(message)s")
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd: warns of every unknown verb
    warnings.simplefilter("ignore")  # aiosmtpd: AUTH without TLS is what some listeners are for
    if len(arguments) not in (1, 2) or (len(arguments) == 2 and arguments[0] != _ADDRESSES):
        print("usage: python3 world.pyz [--addresses] plan.json", file=sys.stderr)
        return 2
    try:
        plan = read_plan(arguments[-1])
        if arguments[0] == _ADDRESSES:
            add_addresses(plan.places.values())
        else:
            asyncio.run(serve(plan))
    except (PlanError, ScriptError) as error:
        print(f"world: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"world: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
