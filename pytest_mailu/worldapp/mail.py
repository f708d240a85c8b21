"""The other mail servers: an MX, and a relay host with several TLS and AUTH settings, on aiosmtpd.

What aiosmtpd leaves out is added here: DSN parameters (RFC 3461) are taken and kept, AUTH is offered under implicit
TLS, and long lines are recorded as they came instead of being refused.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import ssl
import tempfile
from dataclasses import dataclass, replace
from typing import Any, DefaultDict, List, Mapping, Optional, Tuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from .journal import Entry, Journal
from .plan import Listener, Plan
from .scripts import USUAL_REPLY, ScriptedReply, Scripts

log = logging.getLogger("world.mail")
_MOST_RECIPIENTS = 1000
"""Of one message (RFC 5321 section 4.5.3.1.10)."""
_OWN_PARAMETERS = ("RET", "ENVID", "AUTH", "NOTIFY", "ORCPT")
"""Parameters of MAIL and RCPT (RFC 3461, RFC 4954 section 5) that aiosmtpd would answer with 555."""


class Server(SMTP):
    """One SMTP session. `parameters` are those of the MAIL or RCPT command at hand, as the client wrote them."""

    line_length_limit = 1024 * 1024
    # A table of its own: aiosmtpd shares one between all sessions, and each new one empties it for the others.
    command_size_limits: DefaultDict[str, int] = collections.defaultdict(lambda: 8192)  # noqa: RUF012

    parameters: Tuple[str, ...] = ()

    async def smtp_MAIL(self, arg: Optional[str]) -> None:
        """MAIL, with more parameters than aiosmtpd knows."""
        await super().smtp_MAIL(self._keep_parameters(arg))

    async def smtp_RCPT(self, arg: Optional[str]) -> None:
        """RCPT, with more parameters than aiosmtpd knows."""
        await super().smtp_RCPT(self._keep_parameters(arg))

    def _keep_parameters(self, arg: Optional[str]) -> Optional[str]:
        command, bracket, rest = (arg or "").rpartition(">")
        self.parameters = tuple(rest.split())
        if not bracket:
            return arg
        known = [word for word in self.parameters if word.partition("=")[0].upper() not in _OWN_PARAMETERS]
        return " ".join([command + bracket, *known])


@dataclass(frozen=True)
class _Transaction:
    """What is known of a message so far."""

    sender: str = ""
    sender_params: Tuple[str, ...] = ()
    recipients: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()
    content: Optional[bytes] = None

    def to(self, address: str, params: Tuple[str, ...]) -> _Transaction:
        return replace(self, recipients=(*self.recipients, (address, params)))


class Handler:
    """Answers one listener's sessions by the scripts, and records everything in the journal."""

    def __init__(self, listener: Listener, users: Mapping[str, str], scripts: Scripts, journal: Journal) -> None:
        self._name = listener.name
        self._offers_auth = listener.auth != "none"
        self._users = users
        self._scripts = scripts
        self._journal = journal
        self._background: List[asyncio.Task[None]] = []

    async def handle_EHLO(
        self, server: Server, session: Session, envelope: Envelope, hostname: str, responses: List[str]
    ) -> List[str]:
        """The keywords, with ours."""
        session.host_name = hostname
        *keywords, last = responses
        if not self._offers_auth:
            keywords = [line for line in keywords if not line.startswith("250-AUTH")]
        return [*keywords, "250-PIPELINING", "250-DSN", last]

    async def handle_MAIL(
        self, server: Server, session: Session, envelope: Envelope, address: str, options: List[str]
    ) -> str:
        """Stage `mail`."""
        transaction = _Transaction("" if address == "<>" else address, server.parameters)
        verdict = await _delayed(self._scripts.verdict("mail", self._name, transaction.sender))
        if _is_refusal(verdict):
            return await self._refuse(server, session, transaction, "mail", verdict)
        # aiosmtpd takes an empty sender for "no MAIL yet", so here the null one stays "<>".
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        envelope.transaction = transaction  # type: ignore[attr-defined]
        return verdict.reply or "250 2.1.0 sender ok"

    async def handle_RCPT(
        self, server: Server, session: Session, envelope: Envelope, address: str, options: List[str]
    ) -> str:
        """Stage `rcpt`."""
        transaction: _Transaction = envelope.transaction  # type: ignore[attr-defined]
        if len(transaction.recipients) >= _MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        transaction = transaction.to(address, server.parameters)
        verdict = await _delayed(self._scripts.verdict("rcpt", self._name, transaction.sender, address))
        if _is_refusal(verdict):
            return await self._refuse(server, session, transaction, "rcpt", verdict)
        envelope.rcpt_tos.append(address)
        envelope.transaction = transaction  # type: ignore[attr-defined]
        return verdict.reply or "250 2.1.5 recipient ok"

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        """Stage `data`: where rules differ between recipients, the first one applies to all (there is one reply)."""
        transaction: _Transaction = replace(
            envelope.transaction,  # type: ignore[attr-defined]
            content=envelope.original_content or b"",
        )
        verdicts = [
            self._scripts.verdict("data", self._name, transaction.sender, to) for to, _ in transaction.recipients
        ]
        verdict = await _delayed(next((reply for reply in verdicts if reply != USUAL_REPLY), USUAL_REPLY))
        if _is_refusal(verdict):
            return await self._refuse(server, session, transaction, "data", verdict)
        reply = verdict.reply or "250 2.0.0 taken by the world"
        await self._journal.add(self._entry(server, session, transaction, stage="data", reply=reply, accepted=True))
        return reply

    async def handle_exception(self, error: Exception) -> str:
        """An error of the world must not look like a policy: 451, and a line in the log."""
        log.error("session on %s: %s: %s", self._name, type(error).__name__, error)
        return "451 4.3.0 internal error of the test world, see its log"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """aiosmtpd's authenticator: compares with the plan's users and records failures."""
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        login, password = (part.decode("utf-8", "replace") for part in data)
        if login in self._users and self._users[login] == password:
            return AuthResult(success=True, auth_data=LoginPassword(login.encode(), b""))
        reply = "535 5.7.8 wrong login for the world's relay host"
        entry = self._entry(server, session, _Transaction(), stage="auth", reply=reply, accepted=False)
        task = asyncio.get_running_loop().create_task(self._journal.add(replace(entry, user=login)))
        self._background = [running for running in self._background if not running.done()] + [task]
        return AuthResult(success=False, handled=False, message=reply)

    async def _refuse(
        self, server: Server, session: Session, transaction: _Transaction, stage: str, verdict: ScriptedReply
    ) -> str:
        entry = self._entry(server, session, transaction, stage=stage, reply=verdict.reply, accepted=False)
        await self._journal.add(entry)
        if verdict.reply.startswith("421") and server.transport is not None:
            # RFC 5321 section 3.8: 421 is followed by closing the connection.
            asyncio.get_running_loop().call_soon(server.transport.close)
        return verdict.reply

    def _entry(
        self, server: SMTP, session: Session, transaction: _Transaction, *, stage: str, reply: str, accepted: bool
    ) -> Entry:
        tls = server.transport.get_extra_info("ssl_object") if server.transport is not None else None
        cipher = tls.cipher() if tls is not None else None
        login = session.auth_data.login if isinstance(session.auth_data, LoginPassword) else b""
        return Entry(
            listener=self._name,
            peer=session.peer[0] if session.peer else "",
            helo=session.host_name or "",
            tls=(tls.version() or "") if tls is not None else "",
            cipher=cipher[0] if cipher else "",
            user=login.decode("utf-8", "replace"),
            sender=transaction.sender,
            sender_params=transaction.sender_params,
            recipients=transaction.recipients,
            stage=stage,
            reply=reply,
            accepted=accepted,
            content=transaction.content,
        )


def _is_refusal(verdict: ScriptedReply) -> bool:
    return verdict.reply[:1] in ("3", "4", "5")


async def _delayed(verdict: ScriptedReply) -> ScriptedReply:
    """The reply, after its delay."""
    if verdict.delay:
        await asyncio.sleep(verdict.delay)
    return verdict


def tls_context(plan: Plan) -> Optional[ssl.SSLContext]:
    """The TLS side of all listeners, or None where the plan has no certificate."""
    if not plan.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
        both.write(plan.key + "\n" + plan.certificate)
        both.flush()
        context.load_cert_chain(both.name)
    return context


async def listen(
    listener: Listener, plan: Plan, context: Optional[ssl.SSLContext], scripts: Scripts, journal: Journal
) -> int:
    """Serve one listener on all its addresses; the port that was bound."""
    loop = asyncio.get_running_loop()
    handler = Handler(listener, plan.users, scripts, journal)

    def session() -> Server:
        return Server(
            handler,
            data_size_limit=listener.size,
            enable_SMTPUTF8=True,
            hostname=listener.hostname,
            ident="ESMTP world",
            tls_context=context if listener.tls == "starttls" else None,
            auth_required=listener.auth == "required",
            auth_require_tls=listener.tls == "starttls",
            auth_exclude_mechanism=("PLAIN", "LOGIN") if listener.auth == "none" else (),
            authenticator=handler.authenticate,
            loop=loop,
        )

    port = listener.port
    for address in listener.addresses:
        server = await loop.create_server(
            session, address, port, ssl=context if listener.tls == "tls" else None, reuse_address=True
        )
        port = server.sockets[0].getsockname()[1]
    return port
