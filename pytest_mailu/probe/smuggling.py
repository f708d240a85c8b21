"""A second message hidden in the first, behind a line end that some servers take for the end of DATA.

Postfix, "SMTP Smuggling" (CVE-2023-51764); RFC 5321 section 4.1.1.4: only CRLF.CRLF ends a message.
"""

from __future__ import annotations

from types import MappingProxyType

from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.smtp.session import SmtpSession
from pytest_mailu.wire.transport.errors import NotServed

ENDS = MappingProxyType(
    {
        "lf-dot-lf": b"\n.\n",
        "lf-dot-crlf": b"\n.\r\n",
        "crlf-dot-lf": b"\r\n.\n",
        "cr-dot-cr": b"\r.\r",
    }
)
"""Line ends around a dot that do not end a message."""


async def smuggle(probe: Probe, smtp: SmtpSession, outer: Message, inner: Message, end: bytes) -> Observation:
    """Send `outer` with `inner` and its whole envelope hidden behind `end`, in one DATA, on a session ready for MAIL.

    ACCEPTED where the server took the hidden message for one; REFUSED is wanted. Facts: how the server answered.
    """
    await smtp.mail(outer.sender)
    await smtp.rcpt(outer.recipients[0])
    hidden = (
        f"MAIL FROM:<{inner.sender}>\r\nRCPT TO:<{inner.recipients[0]}>\r\nDATA\r\n".encode()
        + inner.content
        + b"\r\n.\r\n"
    )
    reply, others, hung_up = await exchange(smtp, outer.content.removesuffix(b"\r\n") + end + hidden)
    understood = sum(extra.code.startswith(("2", "3")) for extra in others)
    facts = {"hung_up": hung_up, "more_replies": [extra.code for extra in others]}
    outcome = Outcome.ACCEPTED if understood else Outcome.REFUSED
    return probe.seen(outcome, Stage.DATA, reply, **facts)


async def exchange(smtp: SmtpSession, payload: bytes) -> tuple[Reply, tuple[Reply, ...], bool]:
    """Send DATA and exactly these bytes. Gives the reply, every further reply, and whether the server closed the
    connection instead of answering QUIT."""
    reply = await smtp.data_exact(payload)
    if reply.code in ("421", "521"):
        return reply, (), await smtp.hung_up()
    try:
        return reply, await smtp.rest(), False
    except NotServed as end:
        if not end.hung_up:
            raise
        return reply, (), True
