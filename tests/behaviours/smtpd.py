"""A small SMTP server for scripts of `tests.wire.peer`: it answers by the verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.wire.peer import Step, Talk

USUAL = {"EHLO": ["250-here", "250 AUTH PLAIN"], "AUTH": ["235 in"], "DATA": ["354 go"], "QUIT": ["221 bye"]}


def smtpd(
    answers: Mapping[str, list[str]] | None = None,
    *,
    ends: tuple[bytes, ...] = (b"\r\n.\r\n",),
    taken: str = "250 taken",
    rcpt: Callable[[int], str] = lambda number: "250 ok",
) -> Step:
    """Serve one connection. `ends` is what ends DATA here; `taken` the reply to it (521 hangs up); `rcpt` by number."""
    said = {**USUAL, **(answers or {})}

    async def step(talk: Talk) -> None:
        def say(*lines: str) -> None:
            talk.writer.write("".join(f"{line}\r\n" for line in lines).encode())

        say("220 hi")
        recipients = 0
        pending = b""

        async def until(*marks: bytes) -> bytes:
            nonlocal pending
            while not (found := [(pending.find(mark), mark) for mark in marks if mark in pending]):
                more = await talk.reader.read(65536)
                if not more:
                    raise ConnectionResetError
                pending += more
            place, mark = min(found)
            head, pending = pending[:place], pending[place + len(mark) :]
            return head

        while True:
            verb = (await until(b"\n")).split(b" ")[0].strip().decode().upper()
            if verb == "RCPT":
                say(rcpt(recipients))
                recipients += 1
                continue
            say(*said.get(verb, ["250 ok"]))
            if verb == "QUIT":
                return
            if verb == "DATA":
                await until(*ends)
                say(taken)
                if taken.startswith("521"):
                    return

    return step
