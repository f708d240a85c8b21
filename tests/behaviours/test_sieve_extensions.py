"""The scripts for extensions are well-formed, and what is not offered is told from what is refused."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import sieve_extensions
from pytest_mailu.core.model import Outcome, Reply
from tests.behaviours.local_stack import local_probe


@pytest.mark.parametrize("name", sieve_extensions.SCRIPTS)
def test_a_script_asks_for_what_it_uses_and_is_closed(name: str) -> None:
    text = sieve_extensions.script(name)
    assert "\n" not in text.replace("\r\n", "")
    assert f'"{name}"' in text.splitlines()[1]
    code = re.sub(r'"(?:[^"\\]|\\.)*"|text:.*?\r\n\.\r\n', "", text.partition("\r\n")[2], flags=re.DOTALL)
    assert '"' not in code
    assert code.count("{") == code.count("}")
    assert code.count("[") == code.count("]")


def asked(offered: str, answer: Reply) -> tuple[dict[str, Any], int]:
    checked = 0

    @asynccontextmanager
    async def filters(_: Any) -> Any:
        async def capability() -> dict[str, str]:
            return {"SIEVE": offered}

        async def command(*_: Any) -> Any:
            nonlocal checked
            checked += 1
            return SimpleNamespace(reply=answer)

        yield SimpleNamespace(capability=capability, command=command)

    async def run() -> dict[str, Any]:
        found = {}
        probe: Any = local_probe({})
        for name in ("fileinto", "regex"):

            async def shared(_: str, ask: Any) -> Any:
                return await ask(SimpleNamespace(filters=filters))

            probe.shared = shared
            found[name] = (await sieve_extensions.extension(probe, name)).outcome
        return found

    return asyncio.run(run()), checked


def test_an_extension_is_accepted_refused_or_not_offered() -> None:
    assert asked("fileinto vacation", Reply("OK"))[0] == {"fileinto": Outcome.ACCEPTED, "regex": Outcome.NOT_OFFERED}
    found, checked = asked("fileinto regex", Reply("NO", "", "line 2: unknown"))
    assert found == {"fileinto": Outcome.REFUSED, "regex": Outcome.REFUSED}
    assert checked == 4
