"""Messages through a relay host, with each kind of TLS and login that a provider may require."""

from __future__ import annotations

from pytest_mailu.behaviours.better import ARRIVES, FUNCTION, GOES_OUT
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.outgoing import sent_to
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Severity
from pytest_mailu.core.population import BOB, ELSEWHERE, OUTSIDE, RELAYED, own_mailbox
from pytest_mailu.probe.probe import Probe

WRITER = own_mailbox("relay-hosts-writer")


@behaviour(
    "relay/relayhost/forward",
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.CRITICAL,
    variant="relayhost",
)
async def forwarded(probe: Probe) -> Observation:
    """Forwarded message to another domain goes through the relay host

    Forwarded mail does not go through the provider's relay, and is lost.

    Mailu docs, "Configuration reference" (RELAYHOST)
    """
    message = probe.mail.compose(to=OUTSIDE.address)
    return await probe.mail.at_world(message, await probe.mail.deliver(message))


@behaviour(
    "relay/relayhost/relayed-domain",
    wanted=Outcome.DELIVERED,
    better=GOES_OUT,
    severity=Severity.MAJOR,
    variant="relayhost",
)
async def relayed_domain(probe: Probe) -> Observation:
    """Message to a relayed domain goes to that domain's server, not to the relay host

    Mail for the domain behind this server loops.

    Postfix transport(5) before relayhost; Mailu core/admin/mailu/internal/views/postfix.py (postfix_transport)
    """
    message = probe.mail.compose(to=f"somebody@{RELAYED}")
    return await probe.mail.at_world(message, await probe.mail.deliver(message))


@behaviour(
    "relay/relayhost/local", wanted=Outcome.DELIVERED, better=ARRIVES, severity=Severity.CRITICAL, variant="relayhost"
)
async def local(probe: Probe) -> Observation:
    """Message between local users stays on this server where a relay host is set

    Mail between colleagues goes through the provider, or is lost.

    Mailu core/postfix/conf/main.cf (virtual_transport)
    """
    message = probe.mail.compose(to=BOB.address, sender=WRITER.address)
    return await probe.mail.in_mailbox(message, BOB, await probe.mail.submit(message, SUBMISSIONS_465, WRITER))


@behaviour(
    "relay/relayhost/plain", wanted=Outcome.DELIVERED, severity=Severity.MAJOR, variant="relayhost-plain", deep=True
)
async def plain(probe: Probe) -> Observation:
    """Message of a user through a relay host without TLS and login

    Servers that send through a host of their own network cannot send at all.

    Mailu docs, "Configuration reference" (RELAYHOST, OUTBOUND_TLS_LEVEL)
    """
    return await _through(probe)


@behaviour("relay/relayhost/login-without-tls", severity=Severity.MINOR, variant="relayhost-insecure", deep=True)
async def insecure(probe: Probe) -> Observation:
    """Message of a user through a relay host that requires a login and has no TLS

    The password crosses the network in plain text, or such servers cannot send any more.

    Mailu core/postfix/conf/main.cf (smtp_sasl_security_options = noanonymous, noplaintext)
    """
    return await _through(probe)


@behaviour("relay/relayhost/implicit-tls", better=FUNCTION, severity=Severity.MINOR, variant="relayhost-tls", deep=True)
async def implicit(probe: Probe) -> Observation:
    """Message of a user through a relay host with TLS on port 465

    Servers that send through such a host cannot send at all, or can now.

    Postfix smtp_tls_wrappermode, which Mailu leaves to overrides (docs, FAQ)
    """
    return await _through(probe)


@behaviour(
    "relay/relayhost/wrong-login",
    wanted=Outcome.DEFERRED,
    severity=Severity.MAJOR,
    variant="relayhost-wrong",
    deep=True,
)
async def wrong_login(probe: Probe) -> Observation:
    """Message of a user stays in the queue when the relay host refuses the login

    When a password expires, mail is returned or lost and does not wait for the administrator.

    Postfix smtp_sasl_auth_soft_bounce
    """
    return await _through(probe)


async def _through(probe: Probe) -> Observation:
    return await sent_to(probe, f"someone@{ELSEWHERE}", WRITER)
