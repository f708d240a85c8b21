"""The user's own addresses (`--mailu-export`): whether mail to them is taken. Only RCPT is said, no mail is sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.transport.errors import CannotAsk

EXPORTED = "exported"
"""In the memory of a side: place and address of each user and alias in the export, as JSON."""
ASKED = 1000
"""Addresses that are asked, spread over all of them."""
AT_A_TIME = 100
ERRORS = 8
"""Refusals in one session: after more, Postfix answers slower and slower (smtpd_soft_error_limit)."""
SHOWN = 50


@behaviour(
    "inbound/own-addresses",
    endpoint=SMTP_25_OPPORTUNISTIC,
    better={**FUNCTION, "accepted": Direction.MORE, "takes_unknown": Direction.FIXED},
    severity=Severity.CRITICAL,
    option="export",
    timeout=600.0,
)
async def own_addresses(probe: Probe) -> Observation:
    """Your own addresses: mail to each of your users and aliases is taken, and to unknown ones as before

    Mail to some of your people is refused.

    Mailu core/admin/mailu/internal/views/postfix.py; RFC 5321 section 3.3
    """
    known: list[list[str]] = json.loads(probe.memory.get(EXPORTED, "[]"))
    if not known:
        raise CannotAsk("there are no addresses of yours")
    chosen = known[:: max(1, -(-len(known) // ASKED))]
    answers = await _answers(probe, [address for _, address in chosen])
    refused = [(place, code) for (place, _), code in zip(chosen, answers, strict=True) if not code.startswith("2")]
    domains = sorted({address.rpartition("@")[2].lower() for _, address in chosen})
    word = probe.unique_word()
    unknown = await _answers(probe, [f"nobody-{word}@{domain}" for domain in domains[:SHOWN]])
    return probe.seen(
        Outcome.ACCEPTED,
        Stage.RCPT,
        addresses=len(known),
        asked=len(chosen),
        accepted=len(chosen) - len(refused),
        refused=dict(sorted(Counter(code for _, code in refused).items())),
        who=[place for place, _ in refused[:SHOWN]],
        takes_unknown=sum(code.startswith("2") for code in unknown),
    )


async def _answers(probe: Probe, addresses: Sequence[str]) -> list[str]:
    """The code of the reply to RCPT for each address."""
    codes: list[str] = []
    while len(codes) < len(addresses):
        codes += await _some(probe, addresses[len(codes) : len(codes) + AT_A_TIME])
    return codes


async def _some(probe: Probe, addresses: Iterable[str]) -> list[str]:
    """As many codes as one session has; at least one."""
    codes: list[str] = []
    async with probe.smtp(SMTP_25_OPPORTUNISTIC) as smtp:
        await smtp.mail(f"someone@{ELSEWHERE}")
        for address in addresses:
            reply = await smtp.command(f"RCPT TO:<{address}>", Stage.RCPT)
            codes.append(reply.code)
            if reply.code == "421" or sum(not code.startswith("2") for code in codes) >= ERRORS:
                break
    return codes
