"""Messages from outside whose senders' DNS, or whose block lists, are large, slow or broken."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from pytest_mailu.behaviours.better import ARRIVES
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.outgoing import dns_ruled
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Observation, Outcome, Severity, Vantage
from pytest_mailu.core.population import ELSEWHERE, MX_HOST, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.zones import DnsRecord
from pytest_mailu.wire.transport.errors import CannotAsk

READER = own_mailbox("inbound-dns-reader")
LATE_SECONDS = 1.5
ODD: dict[str, dict[str, Any]] = {"over-tcp": {"tcp": True}, "late": {"delay": LATE_SECONDS}}
"""How a sender's DNS answers → the rule for it."""
LISTS: dict[str, dict[str, Any]] = {"slow": {"delay": LATE_SECONDS}, "silent": {"answer": "silence"}}


@behaviour(
    "inbound/25/sender-dns-{way}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep={"way": ("late",)},
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"way": ODD},
    timeout=90.0,
)
async def sender_dns(probe: Probe, way: str) -> Observation:
    """Good message from a domain whose DNS (SPF, DMARC) answers {way} is delivered

    Honest mail is refused: whoever cannot read the SPF record takes the sender for a forger.

    RFC 7208 section 4.6.4; RFC 7489 section 6.3; RFC 7766 section 5
    """
    domain = f"{probe.unique_word()}.{ELSEWHERE}"
    texts = {domain: await _spf(probe), f"_dmarc.{domain}": "v=DMARC1; p=reject"}
    records = [DnsRecord(name, "TXT", text) for name, text in texts.items()]
    await probe.world.records([DnsRecord(domain, "MX", f"10 {MX_HOST}"), *records])
    message = probe.mail.compose(to=READER.address, sender=f"someone@{domain}")
    async with dns_ruled(probe, f"*{domain}*", **ODD[way]):
        return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message))


@behaviour(
    "inbound/25/blocklists-{way}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
    each={"way": LISTS, "vantage": (Vantage.OTHER_STRANGER,)},
    timeout=90.0,
)
async def block_lists(probe: Probe, way: str, vantage: Vantage) -> Observation:
    """Good message is delivered while the block lists of addresses are {way}

    No mail comes in while a block list on the internet is down.

    RFC 5782 section 5; Rspamd's rbl module
    """
    address = next((address for address, name in probe.stack.addresses.items() if name == vantage), "")
    if not address:
        raise CannotAsk(f"the address of {vantage} is not known")
    reverse = ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa")
    message = probe.mail.compose(to=READER.address, sender="someone@other.example")
    async with dns_ruled(probe, f"{reverse}.*", "A", **LISTS[way]):
        reply = await probe.mail.deliver(message, vantage=vantage)
        return await probe.mail.in_mailbox(message, READER, reply)


async def _spf(probe: Probe) -> str:
    """The SPF record that allows the world's strangers."""
    for record in await probe.world.records():
        if (record.name, record.type) == (ELSEWHERE, "TXT"):
            return record.value
    raise CannotAsk("the world's own mail domain has no SPF record")
