"""Checks of the sender of messages from outside: SPF, DKIM, DMARC, and what Mailu makes of them."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION
from pytest_mailu.behaviours.common import from_outside
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25, SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity
from pytest_mailu.core.population import ALICE, ALTERNATIVE, BOB, DOMAIN, ELSEWHERE, MX_HOST, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.zones import DnsRecord

READER = own_mailbox("inbound-checks-reader")
POLICIES = {
    "no-records": {},
    "spf-softfail": {"": "v=spf1 ~all"},
    "spf-fail": {"": "v=spf1 -all"},
    "dmarc-none": {"": "v=spf1 -all", "_dmarc.": "v=DMARC1; p=none"},
    "dmarc-quarantine": {"": "v=spf1 -all", "_dmarc.": "v=DMARC1; p=quarantine"},
    "dmarc-reject": {"": "v=spf1 -all", "_dmarc.": "v=DMARC1; p=reject"},
}
"""Policies of sender domains that do not authorise the sending host."""
OURS = {"bob": BOB.address, "nobody": f"nobody@{DOMAIN}", "alternative-domain": f"bob@{ALTERNATIVE}"}


@behaviour(
    "inbound/25/sender-with-{policy}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep={"policy": ("spf-softfail", "spf-fail")},
    severity=Severity.MAJOR,
    each={"policy": POLICIES},
)
async def sender_with(probe: Probe, policy: str) -> Observation:
    """Message in the name of a domain with the policy "{policy}", from a host that the domain does not authorise

    Forged mail that was refused arrives, or honest mail that arrived is refused.

    RFC 7208 section 8; RFC 7489 section 6.3; Rspamd's spf and dmarc modules
    """
    domain = f"{probe.unique_word()}.example"
    texts = [DnsRecord(f"{prefix}{domain}", "TXT", text) for prefix, text in POLICIES[policy].items()]
    await probe.world.records([DnsRecord(domain, "MX", f"10 {MX_HOST}"), *texts])
    message = probe.mail.compose(to=READER.address, sender=f"president@{domain}")
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message))


@behaviour("inbound/25/broken-signature", endpoint=SMTP_25_OPPORTUNISTIC, better=FUNCTION, severity=Severity.MAJOR)
async def broken_signature(probe: Probe) -> Observation:
    """Message with a broken DKIM signature, from a host that its domain authorises

    Mail that a mailing list or a virus scanner changed is treated differently.

    RFC 6376 section 6.3: as if there were none
    """
    message = probe.mail.compose(to=READER.address)
    message = replace(message, content=message.content + b"-- \r\nadded on the way\r\n")
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message))


@behaviour(
    "inbound/25/authentication-results",
    endpoint=SMTP_25_OPPORTUNISTIC,
    deep=True,
    better={"results.*": Direction.FIXED},
    severity=Severity.MINOR,
)
async def authentication_results(probe: Probe) -> Observation:
    """Authentication-Results header of a good message in the mailbox

    Mail programs and filters that read this header see something else.

    RFC 8601; Mailu core/rspamd/conf/milter_headers.conf
    """
    sent = await from_outside(probe, ALICE.address, SMTP_25)
    seen = await probe.mail.in_mailbox(sent.message, ALICE, sent.reply)
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    async with probe.mailbox(ALICE) as mailbox:
        (message, *_) = await mailbox.wait_for_message(sent.message.message_id, 5.0)
    lines = email.message_from_bytes(message.content, policy=email.policy.compat32).get_all("Authentication-Results")
    text = " ".join(" ".join(str(line).split()) for line in lines or [])
    results = dict(re.findall(r"\b(spf|dkim|dmarc|arc)=(\w+)", text))
    return probe.seen(Outcome.DELIVERED, seen.stage, sent.reply, server=text.partition(";")[0], results=results)


@behaviour(
    "inbound/25/claims-to-be-{whose}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.REFUSED,
    affected="Own devices and newsletter services that use From addresses of the domain without a login are refused.",
    severity=Severity.CRITICAL,
    each={"whose": OURS},
)
async def claims(probe: Probe, whose: str) -> Observation:
    """Message from a stranger with a local address ({whose}) in the From header is refused

    Strangers can write to users in the name of their colleagues; people do not see the envelope.

    RFC 7489 section 3.1; Mailu core/rspamd/conf/force_actions.conf (ANTISPOOF_*), since 2.0
    """
    message = probe.mail.compose(to=READER.address, header_from=OURS[whose])
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message), wait=6.0)


@behaviour("inbound/25/brings-spam-headers", endpoint=SMTP_25_OPPORTUNISTIC, deep=True, severity=Severity.MINOR)
async def brings_headers(probe: Probe) -> Observation:
    """Good message that already has spam headers

    Strangers can decide in which folder their messages arrive.

    Mailu core/admin/mailu/internal/templates/default.sieve (spamtest on X-Spam-Level)
    """
    headers = {"X-Spam-Level": "*" * 15, "X-Spamd-Bar": "+" * 15, "X-Spam": "Yes"}
    message = probe.mail.compose(to=READER.address, headers=headers)
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message), headers=True)


@behaviour(
    "inbound/25/list-mail",
    endpoint=SMTP_25_OPPORTUNISTIC,
    wanted=Outcome.DELIVERED,
    deep=True,
    better=ARRIVES,
    severity=Severity.MAJOR,
)
async def list_mail(probe: Probe) -> Observation:
    """Message that a mailing list forwards in the name of its author

    Mail from mailing lists does not arrive.

    RFC 2919; RFC 2369
    """
    headers = {
        "List-Id": f"<talk.{ELSEWHERE}>",
        "List-Unsubscribe": f"<mailto:talk-leave@{ELSEWHERE}>",
        "Precedence": "list",
    }
    message = probe.mail.compose(to=READER.address, sender=f"talk-bounces@{ELSEWHERE}", headers=headers)
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message))
