"""One line that asks a behaviour's question by hand: swaks, openssl or curl, with placeholders and without secrets.

The line follows what was said on the wire where a transcript tells it, and the id where there is none. It is as close
as these tools come: malformed or pipelined commands are not theirs to send. All three ask for the password themselves.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from pytest_mailu.core.model import Comparison, Tls
from pytest_mailu.core.places import IMPLICIT, Place, place
from pytest_mailu.core.population import ALICE, DOMAIN, ELSEWHERE

HOST = "mail.example.org"
YOU = "you@example.org"
SOMEONE = f"someone@{ELSEWHERE}"

SMTP = frozenset({25, 465, 587})
OPENSSL = {25: "smtp", 587: "smtp", 110: "pop3", 143: "imap", 4190: "sieve"}
"""What `openssl s_client -starttls` calls the protocol of a port (openssl-s_client(1))."""
CURL = {110: "pop3", 143: "imap", 993: "imaps", 995: "pop3s"}
"""Port → scheme of the addresses curl takes."""
USUAL = {"inbound": 25, "web": 443, "api": 443}
"""Where families ask when neither an id nor a transcript names the port."""

_CONNECTED = re.compile(r"-- connecting to \S+:(\d+) as ")
_STARTTLS = re.compile(r"C: (?:\S+ )?(?:STARTTLS|STLS)$", re.IGNORECASE)
_MAIL = re.compile(r"C: MAIL FROM:\s*<([^>]*)>", re.IGNORECASE)
_RCPT = re.compile(r"C: RCPT TO:\s*<([^>]*)>", re.IGNORECASE)
_SMTP_AUTH = re.compile(r"C: AUTH ([A-Z0-9-]+)", re.IGNORECASE)
_LOGIN = re.compile(r"C: (?:\S+ )?(?:LOGIN|AUTHENTICATE|AUTH|USER|PASS)\b", re.IGNORECASE)
_REQUEST = re.compile(r"C: (GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S+)")


def reproduce(comparison: Comparison) -> str:
    """The line for a comparison, or "" where no mail or web client could ask (what testinfra sees, for one)."""
    talks = [attempt.transcript for attempt in (*comparison.old, *comparison.new)]
    return by_hand(comparison.question.id, max(talks, key=len, default=()))


def by_hand(behaviour: str, talk: Sequence[str] = ()) -> str:
    """The line for a behaviour id and what was said (`C: …`, `S: …`)."""
    family = behaviour.partition("/")[0]
    port, tls = _way(place(behaviour), family, talk)
    commands = [line for line in talk if line.startswith("C: ")]
    if family == "tls" and tls != Tls.NONE and port:
        return _openssl(port, tls)
    if port in (80, 443):
        return _web(port, commands)
    if port in SMTP:
        return _swaks(port, tls, family, commands)
    if port in CURL and (any(map(_LOGIN.match, commands)) or (not commands and family != "surface")):
        return _curl(port, tls)
    if port == 0:
        return ""
    return _openssl(port, tls) if tls in (Tls.STARTTLS, Tls.IMPLICIT) else f"curl -v telnet://{HOST}:{port}"


def _way(asked: Place, family: str, talk: Sequence[str]) -> tuple[int, str]:
    """The port and the kind of TLS, from the id, else from what was done, else what is usual."""
    connected = next(iter(_all(_CONNECTED, talk)), "0")
    port = asked.port or int(connected) or USUAL.get(family, 0)
    if asked.tls:
        return port, asked.tls
    if port in IMPLICIT:
        return port, Tls.IMPLICIT
    # ManageSieve takes no login before STARTTLS (RFC 5804 section 2.1).
    return port, Tls.STARTTLS if port == 4190 or any(map(_STARTTLS.match, talk)) else ""


def _swaks(port: int, tls: str, family: str, commands: Sequence[str]) -> str:
    words = ["swaks", "--server", HOST, "--port", str(port)]
    if tls == Tls.STARTTLS:
        words.append("--tls")
    elif tls == Tls.IMPLICIT:
        words.append("--tls-on-connect")
    mechanisms = _all(_SMTP_AUTH, commands)
    if not commands and family in ("submission", "access"):
        mechanisms = ["LOGIN"]
    senders, recipients = _all(_MAIL, commands), _all(_RCPT, commands)
    if mechanisms:
        words += ["--auth", mechanisms[0].upper(), "--auth-user", YOU]
    letter = bool(senders or recipients) if commands else family not in ("access", "surface")
    if not letter:
        return shlex.join([*words, "--quit-after", "AUTH" if mechanisms else "EHLO"])
    inbound = family == "inbound"
    sender = senders[0] if senders else (SOMEONE if inbound or not mechanisms else YOU)
    to = recipients or [YOU if inbound else SOMEONE]
    words += ["--from", _public(sender) or "<>", "--to", ",".join(map(_public, to[:3]))]
    if commands and not any(command.startswith(("C: DATA", "C: BDAT")) for command in commands):
        words += ["--quit-after", "RCPT" if recipients else "MAIL"]
    return shlex.join(words)


def _all(pattern: re.Pattern[str], commands: Sequence[str]) -> list[str]:
    return [found[1] for command in commands if (found := pattern.match(command))]


def _public(address: str) -> str:
    """An address of the test population as the reader's own."""
    return YOU if address == ALICE.address else address.replace(f"@{DOMAIN}", "@example.org")


def _openssl(port: int, tls: str) -> str:
    starttls = ["-starttls", OPENSSL[port]] if tls == Tls.STARTTLS and port in OPENSSL else []
    return shlex.join(["openssl", "s_client", "-crlf", "-connect", f"{HOST}:{port}", "-servername", HOST, *starttls])


def _curl(port: int, tls: str) -> str:
    required = ["--ssl-reqd"] if tls == Tls.STARTTLS else []
    return shlex.join(["curl", "-v", *required, "--user", YOU, f"{CURL[port]}://{HOST}:{port}/"])


def _web(port: int, commands: Sequence[str]) -> str:
    found = next((match for command in commands if (match := _REQUEST.match(command))), None)
    method, target = (found[1], found[2]) if found else ("GET", "/")
    path = re.sub(r"^https?://[^/]*", "", target) or "/"
    words = ["curl", "-v"]
    if method == "HEAD":
        words.append("--head")
    elif method != "GET":
        words += ["--request", method]
    line = shlex.join([*words, f"{'https' if port == 443 else 'http'}://{HOST}{path}"])
    # The shell puts the token in; it never stands in a report.
    return f'{line} --header "Authorization: Bearer $API_TOKEN"' if path.startswith("/api/") else line
