"""ManageSieve when all goes well: what the server says becomes plain data."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from pytest_mailu.core.model import Outcome, Reply, Stage
from pytest_mailu.wire.sieve.session import SieveSession
from pytest_mailu.wire.transport.errors import NotServed
from tests.wire.peer import Step, expect, say, take
from tests.wire.talk import talk


def sieve(then, *script: Step) -> Any:
    greeting = say('"IMPLEMENTATION" "x \\"y\\""', '"SASL" "PLAIN LOGIN"', 'OK (TAG "z") "ready"')
    return talk(SieveSession, then, greeting, *script)


def test_the_commands():
    async def offered(session):
        return session.offered

    assert sieve(offered) == {"IMPLEMENTATION": 'x "y"', "SASL": "PLAIN LOGIN"}
    scripts = say('"one" ACTIVE', "{3}", 't"o', "OK")
    assert sieve(lambda s: s.listscripts(), expect("LISTSCRIPTS"), scripts) == {"one": True, 't"o': False}
    text = 'keep; # "x" \\\r\n'
    assert sieve(lambda s: s.getscript("one"), expect('GETSCRIPT "one"'), say(f"{{{len(text)}}}", text, "OK")) == text
    put = (expect('PUTSCRIPT "one" {5+}'), take(5), expect(), say("OK (WARNINGS) {4}", "hmm!"))
    assert sieve(lambda s: s.putscript("one", "keep;"), *put) == Reply("OK", "WARNINGS", "hmm!")
    assert sieve(lambda s: s.setactive(""), expect('SETACTIVE ""'), say("OK")) == Reply("OK")
    assert sieve(lambda s: s.deletescript("a"), expect('DELETESCRIPT "a"'), say("OK")) == Reply("OK")
    check = (expect("CHECKSCRIPT {1+}"), take(1), expect(), say('NO "line 1: error"'))
    with pytest.raises(NotServed) as caught:
        sieve(lambda s: s.checkscript("x"), *check)
    assert caught.value.reply == Reply("NO", "", "line 1: error")


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_authenticate(mechanism, initial):
    answers = [b"\0al\0secret-1"] if mechanism == "PLAIN" else [b"al", b"secret-1"]
    coded = [b'"' + b64encode(answer) + b'"' for answer in answers]
    first = f'AUTHENTICATE "{mechanism}"'.encode()
    script: list[Step] = [expect(first + b" " + coded.pop(0) if initial else first)]
    for answer in coded:
        script += [say("{0}", ""), expect(answer)]
    script += [say('OK "in"'), expect("CAPABILITY"), say('"SIEVE" "fileinto"', "OK")]
    reply = sieve(lambda s: s.authenticate("al", "secret-1", mechanism, initial_response=initial), *script)
    assert reply == Reply("OK", "", "in")


def test_encrypt_needed_is_not_about_the_password():
    with pytest.raises(NotServed) as caught:
        sieve(
            lambda s: s.authenticate("al", "secret-1"),
            expect("AUTHENTICATE"),
            say('NO (ENCRYPT-NEEDED) "TLS first"'),
        )
    assert (caught.value.outcome, caught.value.stage) == (Outcome.REFUSED, Stage.AUTH)
