"""Pages of the administration by what they say: what is listed, DNS records, and how to set up a mail program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from pytest_mailu.behaviours.admin_site import PAGES
from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.common import site_as
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB
from pytest_mailu.core.endpoints import HTTPS_443, Tls
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, ALICE, ALTERNATIVE, DOMAIN, RELAYED, SALES
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.markup import Page, page
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed

LISTED = {
    "domains": DOMAIN,
    "users": ALICE.address,
    "aliases": SALES.address,
    "alternatives": ALTERNATIVE,
    "relays": RELAYED,
    "administrators": ADMIN.address,
}
ZONE_FILE = f"/domain/details/{DOMAIN}/zonefile"
OWN_DOMAINS = {DOMAIN, ALTERNATIVE}
"""Whose records are looked at: those of alternatives that other behaviours make meanwhile stand beside them."""
_DOMAIN = re.compile(r"[\w-]+\.example\b")
LINES = 100


@shared
async def seen_by_administrator(probe: Probe, path: str) -> HttpReply:
    """A page of the administration. Raises NotServed where there is none."""
    async with site_as(probe, ADMIN) as site:
        try:
            return await site.inner_page(path)
        except NotServed as end:
            if end.reply is not None and end.reply.code == "404":
                raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, end.reply) from end
            raise


async def read_page(probe: Probe, name: str) -> Page:
    """What a page of the administration says, by its name in `PAGES`."""
    return page((await seen_by_administrator(probe, PAGES[name])).text)


@behaviour(
    "admin/site/lists-{name}",
    needs=WEB,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"columns": Direction.KEPT, "actions": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"name": LISTED},
    timeout=SECONDS,
)
async def lists(probe: Probe, name: str) -> Observation:
    """Administration page "{name}" lists what is there, with its columns and actions

    Administrators do not find what they want to change, or cannot change it any more.

    core/admin/mailu/ui/templates/*/list.html, 1.9 to master
    """
    seen = await read_page(probe, name)
    word = LISTED[name]
    rows = [row for table in seen.tables for row in table if word in row]
    # `@` stands in a link as it is, or escaped.
    links = sorted({_general(link, word) for link in map(unquote, seen.links) if word in link})
    # Counts, sizes and dates differ from one moment to the next; who is listed does not.
    return probe.seen(
        Outcome.ACCEPTED if rows else Outcome.REFUSED,
        Stage.COMMAND,
        Reply(text="" if rows else f"{word} is not listed"),
        columns=seen.columns(),
        actions=links,
    )


def _general(link: str, word: str) -> str:
    return link.partition("?")[0].replace(word, "<name>")


def records(lines: str) -> dict[str, list[str]]:
    """DNS records in the form of a zone file, by name and type: `_imaps._tcp.post.example SRV` → `10 1 993 mail…`.

    Without those of the domains of other behaviours, see `OWN_DOMAINS`.
    """
    found: dict[str, list[str]] = {}
    for line in lines.splitlines()[:LINES]:
        words = line.split()
        if "IN" in words[1:3] and len(words) > 3:
            at = words.index("IN")
            name = f"{words[0].rstrip('.')} {words[at + 1]}" if len(words) > at + 1 else words[0]
            if set(_DOMAIN.findall(words[0])) - OWN_DOMAINS:
                continue
            found.setdefault(name, []).append(show_line(" ".join(words[at + 2 :]), TEXT_LIMIT))
    return found


@shared
async def recommended(probe: Probe) -> Mapping[str, list[str]]:
    """The DNS records that the administration tells people to publish for the main domain."""
    return records("\n".join((await read_page(probe, "domain-dns")).texts.values()))


@behaviour(
    "admin/site/dns-records",
    needs=WEB,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={"kinds": Direction.KEPT},
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def dns_records(probe: Probe) -> Observation:
    """DNS records that the administration tells people to publish

    Records that people publish are missing, or other ones are recommended now: mail is not trusted, or programs do not
    find the server.

    core/admin/mailu/ui/templates/domain/details.html, core/admin/mailu/models.py (Domain.dns_*), 1.9 to master
    """
    found = await recommended(probe)
    needed = {f"{DOMAIN} MX", f"{DOMAIN} TXT", f"dkim._domainkey.{DOMAIN} TXT", f"_dmarc.{DOMAIN} TXT"}
    missing = sorted(needed - found.keys())
    return probe.seen(
        Outcome.REFUSED if missing else Outcome.ACCEPTED,
        Stage.COMMAND,
        Reply(text=f"not shown: {', '.join(missing)}" if missing else ""),
        kinds=sorted(found),
        records=found,
    )


@behaviour(
    "admin/site/zone-file",
    needs=WEB,
    endpoint=HTTPS_443,
    better={**FUNCTION, "kinds": Direction.KEPT},
    severity=Severity.MINOR,
    timeout=SECONDS,
)
async def zone_file(probe: Probe) -> Observation:
    """Zone file that the administration gives out

    Who imports it into the DNS server publishes fewer records, or other ones.

    core/admin/mailu/ui/views/domains.py (domain_download_zonefile), since 2024.06
    """
    reply = await seen_by_administrator(probe, ZONE_FILE)
    found = records(reply.text)
    kind = reply.header("content-type").partition(";")[0]
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply("200"), type=kind, kinds=sorted(found), records=found)


@behaviour(
    "admin/site/client-setup",
    needs=WEB,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    timeout=SECONDS,
)
async def client_setup(probe: Probe) -> Observation:
    """Page for setting up a mail program: protocols, ports, server and user name

    Users set up their programs by it, with other values than before.

    core/admin/mailu/ui/templates/client.html, 1.9 to master
    """
    said = setup_tables(await read_page(probe, "client-setup"))
    good = len(said) >= 2 and all(ports_in(" ".join(each.values())) for each in said)
    return probe.seen(Outcome.ACCEPTED if good else Outcome.REFUSED, Stage.COMMAND, says=said)


def setup_tables(seen: Page) -> list[dict[str, str]]:
    """The tables of the page for programs: what each line is called, and what it says."""
    return [each for each in seen.pairs() if any("port" in name.lower() for name in each)]


def ports_in(text: str) -> list[tuple[int, Tls]]:
    """The ports in a text such as "993 (TLS) or 143 (STARTTLS)"."""
    return list(_found(text[:TEXT_LIMIT]))


def _found(text: str) -> Iterator[tuple[int, Tls]]:
    for match in re.finditer(r"\b(\d{2,5})(?: \(([A-Z]+)\))?(?![.\d])", text):
        kind = {"TLS": Tls.IMPLICIT, "SSL": Tls.IMPLICIT, "STARTTLS": Tls.STARTTLS}.get(match[2] or "", Tls.NONE)
        yield int(match[1]), kind
