"""An SMTP client for questions that mail programs do not ask (RFC 5321, 4954, 3030)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.smtp.connection import SmtpConnection
from pytest_mailu.wire.smtp.reply import expect_positive, positive
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed
from pytest_mailu.wire.transport.sasl import Mechanism, responses
from pytest_mailu.wire.transport.transcript import MASK


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message: the final reply, and the reply to each recipient."""

    reply: Reply
    recipients: dict[str, Reply]


class SmtpSession(SmtpConnection):
    """`SmtpConnection` with the verbs of a message. Refusals raise `NotServed` except where a method says otherwise."""

    async def login(
        self,
        user: str,
        password: str,
        mechanism: Mechanism = "PLAIN",
        *,
        initial_response: bool = True,
        force: bool = False,
    ) -> Reply:
        """AUTH (RFC 4954). Not offered: `NotServed(NOT_OFFERED, AUTH)`, unless `force` asks all the same.

        A 4xx is DEFERRED, a 5xx AUTH_FAILED, or REFUSED where it is the command and not the password that will not do
        (500, 502, 503, 504, 530, 538).
        """
        if not force and mechanism not in self.offered.get("AUTH", "").upper().split():
            raise NotServed(Outcome.NOT_OFFERED, Stage.AUTH)
        answers = responses(mechanism, user, password)
        self.transcript.hide(password, *(answer.decode() for answer in answers))
        initial = initial_response and len(answers[0]) > 0
        first = b" " + answers[0] if initial else b""
        reply = await self.command(
            b"AUTH " + mechanism.encode() + first, Stage.AUTH, shown=f"AUTH {mechanism}" + f" {MASK}" * initial
        )
        for answer in answers[initial:]:
            if reply.code != "334":
                break
            reply = await self.command(answer, Stage.AUTH, shown=MASK)
        expect_positive(reply, Stage.AUTH)
        if reply.code == "334":
            raise CannotAsk("the server went on asking after the last answer to AUTH")
        self._phase = "login"
        return reply

    async def mail(self, sender: str, *parameters: str) -> Reply:
        """MAIL FROM; `sender` without angle brackets, empty for the null sender."""
        line = " ".join((f"MAIL FROM:<{sender}>", *parameters))
        return expect_positive(await self.command(line, Stage.MAIL), Stage.MAIL)

    async def rcpt(self, recipient: str, *parameters: str) -> Reply:
        """RCPT TO; `recipient` without angle brackets."""
        line = " ".join((f"RCPT TO:<{recipient}>", *parameters))
        return expect_positive(await self.command(line, Stage.RCPT), Stage.RCPT)

    async def data(self, message: bytes, *, dot_stuff: bool = True) -> Reply:
        """DATA with `message`, whose lines must end in CRLF; dots are doubled (RFC 5321 section 4.5.2)."""
        if dot_stuff:
            message = re.sub(rb"(?m)^\.", b"..", message)
        end = b".\r\n" if message.endswith(b"\r\n") or not message else b"\r\n.\r\n"
        return expect_positive(await self.data_exact(message + end), Stage.DATA)

    async def data_exact(self, payload: bytes) -> Reply:
        """DATA, then exactly these bytes: nothing is doubled, mended or added. Gives the reply, whatever it says.

        A refusal of DATA itself raises. See `rest` for what else the server may have understood (smuggling).
        """
        go_ahead = expect_positive(await self.command("DATA", Stage.DATA), Stage.DATA)
        if go_ahead.code != "354":
            raise CannotAsk(f"an answer to DATA that means nothing: {go_ahead.code}")
        return await self.payload(payload)

    async def bdat(self, chunk: bytes, *, last: bool = True) -> Reply:
        """BDAT (RFC 3030) with one chunk."""
        line = f"BDAT {len(chunk)}{' LAST' if last else ''}"
        await self.stream.send(line.encode() + b"\r\n" + chunk, f"{line} ({len(chunk)} bytes)")
        return expect_positive(await self._reply(Stage.DATA), Stage.DATA)

    async def send(
        self,
        sender: str,
        recipients: Sequence[str] | str,
        message: bytes,
        *,
        mail_parameters: Sequence[str] = (),
        rcpt_parameters: Sequence[str] = (),
    ) -> Sent:
        """MAIL, RCPT for each, DATA. With all recipients refused, raises as the first of them was.

        A message that some recipients get and others not is `Sent`; look at its `recipients`.
        """
        await self.mail(sender, *mail_parameters)
        answers: dict[str, Reply] = {}
        for recipient in (recipients,) if isinstance(recipients, str) else recipients:
            line = " ".join((f"RCPT TO:<{recipient}>", *rcpt_parameters))
            answers[recipient] = await self.command(line, Stage.RCPT)
        if not any(positive(reply) for reply in answers.values()):
            expect_positive(next(iter(answers.values())), Stage.RCPT)
        return Sent(await self.data(message), answers)
