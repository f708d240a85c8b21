"""One line that asks a behaviour's question by hand: swaks, openssl or curl, with placeholders and without secrets.

The line follows what was said on the wire where a transcript tells it, and the question where there is none. It is as
close as these tools come: they send no malformed or pipelined commands. All three ask for the password themselves.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from pytest_mailu.core.client_commands import (
    ClientCommand,
    Content,
    Login,
    Recipient,
    Request,
    Sender,
    StartTls,
    client_commands,
)
from pytest_mailu.core.endpoints import Endpoint, Protocol, Tls, by_port
from pytest_mailu.core.model import Comparison, Question
from pytest_mailu.core.population import ALICE, DOMAIN, ELSEWHERE, hide_own_mailboxes
from pytest_mailu.core.transcript import Event, Kind, Speaker, connections, texts

HOST = "mail.example.org"
YOU = "you@example.org"
SOMEONE = f"someone@{ELSEWHERE}"

SMTP = frozenset({Protocol.SMTP, Protocol.SUBMISSION})
OPENSSL = {
    Protocol.SMTP: "smtp",
    Protocol.SUBMISSION: "smtp",
    Protocol.POP3: "pop3",
    Protocol.IMAP: "imap",
    Protocol.MANAGESIEVE: "sieve",
}
"""What `openssl s_client -starttls` calls a protocol (openssl-s_client(1))."""
NOISE = "/noise"
"""The end of the ids of what no client sends."""
TOKENS = {"/without-token": "", "/wrong-token": "Bearer wrong"}
"""Ends of ids that ask without the right token → what they send in its place."""
AUTHORIZED = '--header "Authorization: Bearer $API_TOKEN"'
"""The shell puts the token in; it never stands in a report."""
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
CURL = {Protocol.POP3: "pop3", Protocol.IMAP: "imap"}
"""The schemes of the addresses that curl takes, without the `s` for TLS from the start."""


def reproduce(comparison: Comparison) -> str:
    """The line for a comparison, or "" where no mail or web client could ask (what testinfra sees, for one)."""
    # What the new side was asked shows the finding; where it was closed, only the old side was asked anything.
    transcripts = [_at(comparison.question.endpoint, each.transcript) for each in (*comparison.old, *comparison.new)]
    latest = transcripts[-1] if comparison.new else ()
    shown = latest if texts(latest, Speaker.CLIENT) else max(transcripts, key=len, default=())
    return by_hand(comparison.question, shown, _let_through(comparison))


def _let_through(comparison: Comparison) -> str:
    """The request that was answered although it had no right token, such as `PATCH /token/{token_id}`; else ""."""
    past = comparison.new[-1].facts.get("past") if comparison.new else None
    return str(past[0]) if isinstance(past, list | tuple) and past else ""


def by_hand(question: Question, transcript: Sequence[Event] = (), let_through: str = "") -> str:
    """The line for a question and what was said; `let_through` is the request that decided, where one did."""
    if question.endpoint is None:
        # A client that tried several ports ended at the last one.
        transcript = _last_conversation(transcript)
    endpoint = question.endpoint or _connected(transcript)
    if endpoint is None or question.id.endswith(NOISE):
        return ""
    family = question.family
    commands = client_commands(transcript)
    if endpoint.tls is Tls.OPPORTUNISTIC:
        secured = family == "tls" or StartTls() in commands
        endpoint = replace(endpoint, tls=Tls.STARTTLS if secured else Tls.NONE)
    if family == "tls":
        return _openssl(endpoint)
    if endpoint.protocol is Protocol.HTTP:
        return _web(endpoint, commands, question, let_through)
    if endpoint.protocol in SMTP:
        return _swaks(endpoint, family, commands)
    if endpoint.protocol in CURL and (_logs_in(commands) or (not commands and family != "surface")):
        return _curl(endpoint)
    return _openssl(endpoint) if endpoint.tls is not Tls.NONE else f"curl -v telnet://{HOST}:{endpoint.port}"


def _logs_in(commands: Sequence[ClientCommand]) -> bool:
    return any(isinstance(command, Login) for command in commands)


def _at(endpoint: Endpoint | None, transcript: Sequence[Event]) -> Sequence[Event]:
    """What was said at an endpoint, without what came before it elsewhere: a token that was made at the web site."""
    if endpoint is None or endpoint.protocol is Protocol.HTTP:
        return transcript
    parts = _conversations(transcript)
    elsewhere = [part for part in parts if connections(part) and connections(part)[0].port != endpoint.port]
    if not elsewhere:
        return transcript
    return [event for part in parts if part not in elsewhere for event in part]


def _last_conversation(transcript: Sequence[Event]) -> Sequence[Event]:
    """The events from the last connection on which a client said something."""
    return next((part for part in reversed(_conversations(transcript)) if texts(part, Speaker.CLIENT)), transcript)


def _conversations(transcript: Sequence[Event]) -> list[Sequence[Event]]:
    """The events of each connection."""
    starts = [index for index, event in enumerate(transcript) if event.kind is Kind.CONNECT]
    return [transcript[start:stop] for start, stop in zip(starts, [*starts[1:], len(transcript)], strict=False)]


def _connected(transcript: Sequence[Event]) -> Endpoint | None:
    """Where a transcript says that the first connection went."""
    opened = connections(transcript)
    try:
        endpoint = by_port(opened[0].port)
    except LookupError:
        return None
    # ManageSieve takes no login before STARTTLS (RFC 5804 section 2.1).
    certain = endpoint.tls is not Tls.STARTTLS or endpoint.protocol is Protocol.MANAGESIEVE
    return endpoint if certain else replace(endpoint, tls=Tls.OPPORTUNISTIC)


def _swaks(endpoint: Endpoint, family: str, commands: Sequence[ClientCommand]) -> str:
    words = ["swaks", "--server", HOST, "--port", str(endpoint.port)]
    if endpoint.tls is Tls.STARTTLS:
        words.append("--tls")
    elif endpoint.tls is Tls.IMPLICIT:
        words.append("--tls-on-connect")
    mechanisms = [command.mechanism for command in commands if isinstance(command, Login) and command.mechanism]
    if not commands and family in ("submission", "access"):
        mechanisms = ["LOGIN"]
    senders = [command.address for command in commands if isinstance(command, Sender)]
    recipients = [command.address for command in commands if isinstance(command, Recipient)]
    if mechanisms:
        words += ["--auth", mechanisms[0], "--auth-user", YOU]
    sends_message = bool(senders or recipients) if commands else family not in ("access", "surface")
    if not sends_message:
        return shlex.join([*words, "--quit-after", "AUTH" if mechanisms else "EHLO"])
    inbound = family == "inbound"
    sender = senders[0] if senders else (SOMEONE if inbound or not mechanisms else YOU)
    to = list(dict.fromkeys(map(_public, recipients or [YOU if inbound else SOMEONE])))
    words += ["--from", _public(sender) or "<>", "--to", ",".join(to[:3])]
    if commands and Content() not in commands:
        words += ["--quit-after", "RCPT" if recipients else "MAIL"]
    return shlex.join(words)


def _public(address: str) -> str:
    """An address of the test population as the reader's own."""
    own = hide_own_mailboxes(address).replace("<mailbox>", YOU.partition("@")[0])
    return YOU if address == ALICE.address else own.replace(f"@{DOMAIN}", "@example.org")


def _openssl(endpoint: Endpoint) -> str:
    address = f"{HOST}:{endpoint.port}"
    starttls = ["-starttls", OPENSSL[endpoint.protocol]] if endpoint.tls is Tls.STARTTLS else []
    return shlex.join(["openssl", "s_client", "-crlf", "-connect", address, "-servername", HOST, *starttls])


def _curl(endpoint: Endpoint) -> str:
    required = ["--ssl-reqd"] if endpoint.tls is Tls.STARTTLS else []
    scheme = CURL[endpoint.protocol] + ("s" if endpoint.tls is Tls.IMPLICIT else "")
    return shlex.join(["curl", "-v", *required, "--user", YOU, f"{scheme}://{HOST}:{endpoint.port}/"])


def _web(endpoint: Endpoint, commands: Sequence[ClientCommand], question: Question, let_through: str) -> str:
    requests = [command for command in commands if isinstance(command, Request)] or [Request("GET", "/")]
    wrong = next((token for end, token in TOKENS.items() if question.id.endswith(end)), None)
    decisive = next((request for request in requests if _is(request, let_through)), None)
    asked = decisive or requests[0]
    if asked.method in WITH_BODY and not decisive:
        return ""  # what the body was, no transcript says
    url = urlsplit(asked.target)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    words = ["curl", "-v"]
    if asked.method == "HEAD":
        words.append("--head")
    elif asked.method != "GET":
        words += ["--request", asked.method]
    if asked.method in WITH_BODY:
        words += ["--json", "{}"]
    if wrong:
        words += ["--header", f"Authorization: {wrong}"]
    line = shlex.join([*words, f"{'http' if endpoint.tls is Tls.NONE else 'https'}://{HOST}{path}"])
    return f"{line} {AUTHORIZED}" if path.startswith("/api/") and wrong is None else line


def _is(request: Request, let_through: str) -> bool:
    """Whether a request is of the kind that was let through: `PATCH /token/{token_id}`."""
    method, _, path = let_through.partition(" ")
    pattern = "[^/?]+".join(re.escape(part) for part in re.split(r"\{\w+\}", path))
    return bool(path) and request.method == method and bool(re.search(f"{pattern}$", urlsplit(request.target).path))
