"""Rspamd from inside: its effective configuration, and the symbols that it finds in standard messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.inside import settled
from pytest_mailu.core.endpoints import Tls
from pytest_mailu.core.json_text import read_json
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage, Vantage
from pytest_mailu.core.text import show_line
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.standard_messages import STANDARD, StandardMessage
from pytest_mailu.wire.http.client import HttpSession
from pytest_mailu.wire.transport.errors import CannotAsk

CONTROLLER = 11334
SCAN_SECONDS = 30.0
MOST = 2500
"""Settings and symbols that are kept of one part."""
LONGEST = 200
"""Characters of one value that are kept."""
PARTS = {
    "actions": ("actions",),
    "weights": ("group", "metric"),
    "composites": ("composites",),
    "force-actions": ("force_actions",),
    "milter-headers": ("milter_headers",),
    "workers": ("worker", "options", "redis"),
    "modules": (),
}
"""Sections of the configuration by id. `modules` has every section that no other part has."""
LEFT_OUT = frozenset({"regexp", "logging", "lua", "classifier"})
"""Sections that are code, or about this machine."""


@behaviour(
    "inside/antispam/configuration/{part}",
    severity=Severity.INFO,
    each={"part": PARTS},
    deep={"part": ("weights", "workers")},
)
async def configuration(probe: Probe, part: str) -> Observation:
    """Effective configuration of Rspamd: {part}

    Overrides in overrides/rspamd meet other settings than before, and other mail is taken for spam.

    rspamadm(1), `configdump`; Mailu core/rspamd/conf
    """

    async def ask(own: Probe) -> Any:
        ran = await own.services.exec("antispam", "rspamadm", "configdump", "--json")
        try:
            return own.with_common_names(read_json(settled(_document(ran.output))))
        except ValueError:
            raise CannotAsk(f"rspamadm configdump gives no JSON: {show_line(ran.errors or ran.output, 200)}") from None

    dumped = await probe.shared("inside: the configuration of Rspamd", ask)
    return probe.seen(Outcome.ACCEPTED, Stage.SETTINGS, **part_of(dumped, part))


def _document(output: str) -> str:
    """The JSON in what rspamadm wrote: scripts of Rspamd may complain before it (1.9.50 with the antivirus does)."""
    at = re.search(r"(?m)^\{", output)
    return output[at.start() :] if at else output


def part_of(dumped: Any, part: str) -> dict[str, Any]:
    """The settings of one of `PARTS` by their path, and how many were left out; a configuration may be anything."""
    sections = dumped if isinstance(dumped, dict) else {}
    if part == "weights":
        return _bounded(dict(_weights(sections.get("group"))))
    taken = {name for names in PARTS.values() for name in names} | LEFT_OUT
    names = PARTS[part] or tuple(name for name in sorted(sections) if name not in taken)
    found = {path: value for name in names for path, value in flat(name, sections.get(name))}
    return _bounded(found)


def _weights(groups: Any) -> Iterator[tuple[str, Any]]:
    """Symbol → weight over all groups."""
    for group in groups.values() if isinstance(groups, dict) else ():
        symbols = group.get("symbols") if isinstance(group, dict) else None
        for name, symbol in symbols.items() if isinstance(symbols, dict) else ():
            if isinstance(symbol, dict) and isinstance(symbol.get("weight"), int | float):
                yield str(name), symbol["weight"]


def flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Path → value of everything below."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(f"{path}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value):
            yield from flat(f"{path}.{number}", inner)
    elif isinstance(value, list):
        yield path, [show_line(str(inner), LONGEST) for inner in value[:MOST]]
    elif isinstance(value, str):
        # Expressions are written over several lines.
        yield path, show_line(" ".join(value.split()), LONGEST)
    elif value is not None:
        yield path, value


def _bounded(found: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(sorted(found.items())[:MOST])
    return {"settings": kept} | ({"left_out": len(found) - len(kept)} if len(found) > len(kept) else {})


_PASSING = re.compile(r"GREYLIST|BAYES_|NEURAL_|RATELIMIT|REPLY|FUZZY_|ASN|DBL_|URIBL|_BLOCKED|_FAIL$|FORCE_ACTION")
"""Symbols that depend on what was seen before, or on lists in the internet."""


@behaviour(
    "inside/antispam/message/{kind}",
    severity=Severity.MINOR,
    better={"action": Direction.FIXED},
    each={"kind": STANDARD},
    timeout=90.0,
)
async def symbols(probe: Probe, kind: str) -> Observation:
    """What Rspamd finds in a standard message: {kind}

    Other mail than before is refused, greylisted or sorted into Junk.

    Rspamd, "Protocol" (/checkv2); Mailu core/rspamd/conf
    """

    async def ask(own: Probe) -> Any:
        return own.with_common_names({name: await scan(own, message) for name, message in STANDARD.items()})

    found = (await probe.shared("inside: what Rspamd finds in standard messages", ask))[kind]
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, **found)


async def scan(probe: Probe, standard: StandardMessage) -> dict[str, Any]:
    """Rspamd's action and its symbols with their scores for one message of a stranger. Raises CannotAsk."""
    message = standard.message()
    probe.hide_token(message.token)
    headers = {
        "IP": probe.address_of(Vantage.STRANGER),
        "Helo": standard.helo,
        "Hostname": standard.helo,
        "From": message.sender,
        "Rcpt": message.recipients[0],
        "Pass": "all",
    }
    async with HttpSession.open(
        probe.connector,
        "antispam",
        CONTROLLER,
        tls=Tls.NONE,
        vantage=Vantage.INSIDE,
        transcript=probe.transcript,
        timeout=SCAN_SECONDS,
        name="localhost",
    ) as http:
        reply = await http.post("/checkv2", content=message.content, headers=headers, follow=False)
    document = reply.json()
    found = document.get("symbols") if isinstance(document, dict) else None
    if reply.status != 200 or not isinstance(found, dict):
        raise CannotAsk(f"Rspamd answers /checkv2 with status {reply.status}")
    return read_scan(document)


def read_scan(document: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of Rspamd's answer: `action`, and `symbols` with their scores."""
    scores = {
        show_line(str(name), LONGEST): round(float(symbol.get("score", 0)), 2)
        for name, symbol in list(document["symbols"].items())[:MOST]
        if isinstance(symbol, dict) and not _PASSING.search(str(name))
    }
    return {"action": show_line(str(document.get("action", "")), LONGEST), "symbols": dict(sorted(scores.items()))}
