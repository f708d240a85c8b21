"""POP3 when all goes well: what the server says becomes plain data."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from pytest_mailu.core.model import Reply
from pytest_mailu.wire.pop3.session import Pop3Session
from tests.wire.peer import Step, expect, say
from tests.wire.talk import talk


def pop3(then, *script: Step) -> Any:
    capa = (expect("CAPA"), say("+OK", "USER", "SASL PLAIN LOGIN", "."))
    return talk(Pop3Session, then, say("+OK <1.2@mail> ready"), *capa, *script)


def test_the_commands():
    assert pop3(lambda s: s.stat(), expect("STAT"), say("+OK 2 320")) == (2, 320)
    assert pop3(lambda s: s.list(), expect("LIST"), say("+OK", "1 120", "2 200", ".")) == {1: 120, 2: 200}
    assert pop3(lambda s: s.uidl(), expect("UIDL"), say("+OK", "1 abc", ".")) == {1: "abc"}
    assert (
        pop3(lambda s: s.retr(1), expect("RETR 1"), say("+OK", "A: b", "", "..", "..x", "."))
        == b"A: b\r\n\r\n.\r\n.x\r\n"
    )
    assert pop3(lambda s: s.top(1), expect("TOP 1 0"), say("+OK", "A: b", "", ".")) == b"A: b\r\n\r\n"
    assert pop3(lambda s: s.dele(1), expect("DELE 1"), say("+OK gone")) == Reply("+OK", "", "gone")
    assert pop3(lambda s: s.rset(), expect("RSET"), say("+OK")) == Reply("+OK")


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_auth(mechanism, initial):
    answers = [b"\0al\0secret-1"] if mechanism == "PLAIN" else [b"al", b"secret-1"]
    coded = [b64encode(answer) for answer in answers]
    script: list[Step] = [expect(f"AUTH {mechanism} ".encode() + coded.pop(0) if initial else f"AUTH {mechanism}")]
    for answer in coded:
        script += [say("+ "), expect(answer)]
    reply = pop3(
        lambda s: s.authenticate("al", "secret-1", mechanism, initial_response=initial), *script, say("+OK in")
    )
    assert reply == Reply("+OK", "", "in")
