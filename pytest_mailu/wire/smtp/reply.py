"""Replies of SMTP (RFC 5321 section 4.2) with enhanced status codes (RFC 2034, RFC 3463)."""

from __future__ import annotations

import re

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.core.text import TEXT_LIMIT, show, show_line
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.stream import LineStream

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?= |$)")
_QUEUED = re.compile(rb"^250[ -].{0,200}\bqueued as ([0-9A-Za-z]{6,40})")
"""Postfix's answer to the end of DATA (its src/smtpd/smtpd.c)."""
_NOT_THE_CREDENTIALS = {"500", "502", "503", "504", "530", "538"}
"""Answers to AUTH that say the command will not do here, rather than the password (RFC 4954 sections 4 and 6)."""


async def read_reply(stream: LineStream) -> Reply:
    """One reply, of one line or several; inside `stream.reply()`. Anything else is `CannotAsk`."""
    code = ""
    texts: list[bytes] = []
    while True:
        line = await stream.line(noted=False)
        queued = _QUEUED.search(line)
        stream.transcript.server(line, queue_id=queued[1].decode() if queued else "")
        match = _LINE.fullmatch(line)
        if match is None or code not in ("", match[1].decode()):
            raise CannotAsk(f"not an SMTP reply: {show_line(line, 80)!r}")
        code = match[1].decode()
        texts.append(match[3] or b"")
        if match[2] != b"-":
            return _reply(code, texts)


def positive(reply: Reply) -> bool:
    """Whether the reply is positive: 2xx or 3xx."""
    return reply.code[:1] in ("2", "3")


def expect_positive(reply: Reply, stage: Stage) -> Reply:
    """The reply itself when it means yes; otherwise raise `NotServed` with the outcome that it means."""
    if positive(reply):
        return reply
    raise NotServed(_refusal(reply, stage), stage, reply)


def keywords(reply: Reply) -> dict[str, str]:
    """EHLO's keywords in upper case, each with its parameters (RFC 5321 section 4.1.1.1)."""
    found: dict[str, str] = {}
    for line in reply.text.split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword.upper().startswith("AUTH="):
            # The older spelling, which some servers send beside the newer: it adds nothing.
            found.setdefault("AUTH", f"{keyword[5:]} {parameters}".strip())
        elif keyword:
            found[keyword.upper()] = parameters.strip()
    return found


def _refusal(reply: Reply, stage: Stage) -> Outcome:
    if reply.code.startswith("4"):
        return Outcome.DEFERRED
    if stage is Stage.AUTH and reply.code not in _NOT_THE_CREDENTIALS:
        return Outcome.AUTH_FAILED
    return Outcome.REFUSED


def _reply(code: str, texts: list[bytes]) -> Reply:
    lines = [show_line(text, TEXT_LIMIT) for text in texts]
    match = _ENHANCED.match(lines[0])
    enhanced = match[0] if match is not None and match[1] == code[0] else ""
    if enhanced:
        lines = [line.removeprefix(enhanced).lstrip(" ") for line in lines]
    return Reply(code, enhanced, show("\n".join(lines), TEXT_LIMIT))
