"""Messages to servers that pin their certificates in DNS (DANE), and to domains with a policy for TLS (MTA-STS)."""

from __future__ import annotations

import secrets

from pytest_mailu.behaviours.better import GOES_OUT
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.outgoing import exchangers_address, sent_to, with_verification
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.next_hops import DANE_HOSTS, POLICY_DOMAINS
from pytest_mailu.stack.world.zones import DnsRecord

WRITER = own_mailbox("secure-hops-writer")
VERIFIED = {**GOES_OUT, "verified": Direction.TRUE}
RIGHT = {"key": "its key", "issuer": "the authority's key", "two-keys": "an older and its present key"}
WRONG = {"another-key": "another key", "another-issuer": "another authority's key"}
"""Label of a host → what its TLSA records name."""
KEPT = {"kept": "the server's name", "wildcard": "a wildcard"}
BROKEN = {"another-server": "whose policy does not name its server", "wrong-certificate": "with a wrong certificate"}
"""Label of a domain → how its policy is kept or not."""


@behaviour(
    "relay/dane/{record}",
    wanted=Outcome.DELIVERED,
    deep={"record": ("issuer", "two-keys")},
    better=VERIFIED,
    severity=Severity.MAJOR,
    each={"record": RIGHT},
)
async def matching(probe: Probe, record: str) -> Observation:
    """Message to a server whose TLSA record fits its certificate is delivered ({record})

    Mail to all servers with DANE waits and is returned after days.

    RFC 7672 section 3.1; Mailu core/postfix/conf/main.cf (smtp_tls_security_level = dane)
    """
    return await with_verification(probe, await _to_dane_host(probe, record), DANE_HOSTS[record].name)


@behaviour(
    "relay/dane/{record}",
    wanted=Outcome.DEFERRED,
    deep={"record": ("another-issuer",)},
    severity=Severity.MAJOR,
    each={"record": WRONG},
)
async def mismatching(probe: Probe, record: str) -> Observation:
    """Message to a server whose TLSA record does not fit its certificate waits ({record})

    Mail goes to whoever stands between this server and the right one, and can be read there.

    RFC 7672 section 2.2; Mailu docs, "Configuration reference" (OUTBOUND_TLS_LEVEL, DEFER_ON_TLS_ERROR)
    """
    return await _to_dane_host(probe, record)


@behaviour("relay/dane/unsigned", wanted=Outcome.DELIVERED, better=GOES_OUT, severity=Severity.MAJOR)
async def unsigned(probe: Probe) -> Observation:
    """Message to a server with a TLSA record in a zone without DNSSEC is delivered: that is no DANE

    Mail to such servers waits, though anybody could have forged that record.

    RFC 7672 section 2.1.1
    """
    return await _to_dane_host(probe, "unsigned")


@behaviour("relay/dane/without-mx", wanted=Outcome.DEFERRED, deep=True, severity=Severity.MINOR)
async def without_mx(probe: Probe) -> Observation:
    """Message to a domain without MX whose own TLSA record does not fit its certificate waits

    Mail goes to whoever stands between this server and the right one.

    RFC 7672 section 2.2.2; Mailu core/admin/mailu/internal/views/postfix.py (postfix_dane_map)
    """
    domain = f"{probe.unique_word()}.{ELSEWHERE}"
    address = await exchangers_address(probe)
    tlsa = DnsRecord(f"_25._tcp.{domain}", "TLSA", f"3 1 1 {secrets.token_hex(32)}")
    await probe.world.records([DnsRecord(domain, "A", address), tlsa])
    return await sent_to(probe, f"someone@{domain}", WRITER)


@behaviour(
    "relay/mta-sts/{policy}",
    wanted=Outcome.DELIVERED,
    deep={"policy": ("wildcard",)},
    better=VERIFIED,
    severity=Severity.MAJOR,
    each={"policy": KEPT},
)
async def policy_kept(probe: Probe, policy: str) -> Observation:
    """Message to a domain whose MTA-STS policy its server keeps is delivered ({policy})

    Mail to large providers waits, or goes out without a check of the certificate.

    RFC 8461 section 5; Mailu core/postfix/conf/main.cf (smtp_tls_policy_maps)
    """
    domain = POLICY_DOMAINS[policy]
    seen = await sent_to(probe, f"someone@{domain.name}", WRITER)
    return await with_verification(probe, seen, domain.exchanger)


@behaviour(
    "relay/mta-sts/{policy}",
    wanted=Outcome.DEFERRED,
    deep={"policy": ("wrong-certificate",)},
    severity=Severity.MAJOR,
    each={"policy": BROKEN},
)
async def policy_broken(probe: Probe, policy: str) -> Observation:
    """Message to a domain whose MTA-STS policy its server does not keep waits ({policy})

    Mail goes to whoever forges the domain's MX record or stands before its server.

    RFC 8461 section 5; Mailu core/postfix/conf/main.cf (smtp_tls_policy_maps)
    """
    return await sent_to(probe, f"someone@{POLICY_DOMAINS[policy].name}", WRITER)


@behaviour("relay/mta-sts/no-page", wanted=Outcome.DELIVERED, deep=True, better=GOES_OUT, severity=Severity.MAJOR)
async def without_page(probe: Probe) -> Observation:
    """Message to a domain that announces an MTA-STS policy and has none is delivered

    Mail to such domains waits and is returned after days.

    RFC 8461 section 5.1
    """
    return await sent_to(probe, f"someone@{POLICY_DOMAINS['no-page'].name}", WRITER)


@behaviour("relay/mta-sts/testing", deep=True, better={"waits": Direction.TRUE}, severity=Severity.MINOR)
async def testing(probe: Probe) -> Observation:
    """Message to a domain whose MTA-STS policy is in testing mode and is not kept

    Mail that waited goes out unchecked, or mail that went out waits.

    RFC 8461 section 5 has it delivered; Mailu core/postfix/conf/mta-sts-daemon.yml (strict_testing) has it wait
    """
    seen = await sent_to(probe, f"someone@{POLICY_DOMAINS['testing'].name}", WRITER)
    return probe.with_facts(seen, waits=seen.outcome is Outcome.DEFERRED)


async def _to_dane_host(probe: Probe, label: str) -> Observation:
    """What becomes of a message to a domain of its own with this mail exchanger."""
    domain = f"{probe.unique_word()}.{ELSEWHERE}"
    await probe.world.records([DnsRecord(domain, "MX", f"10 {DANE_HOSTS[label].name}")])
    return await sent_to(probe, f"someone@{domain}", WRITER)
