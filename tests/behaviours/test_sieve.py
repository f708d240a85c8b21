from __future__ import annotations

import pytest

from pytest_mailu.behaviours import sieve, sieve_effects


@pytest.mark.parametrize(
    "script",
    [sieve.SCRIPT, sieve.BROKEN, sieve.UNKNOWN, sieve_effects.RULES, sieve_effects.SENDING, sieve_effects.AWAY],
)
def test_scripts_have_crlf_line_ends_and_ask_for_what_they_use(script: str) -> None:
    assert "\n" not in script.replace("\r\n", "")
    assert script.startswith("require ")


def test_every_rule_that_is_asked_for_is_in_the_script() -> None:
    for rule, (folder, flags) in sieve_effects.SORTED.items():
        assert f"rule-{rule}" in sieve_effects.RULES
        assert folder == "INBOX" or f'"{folder}"' in sieve_effects.RULES
        assert not flags or flags == sorted(flags)


def test_a_broken_script_is_broken() -> None:
    assert sieve.BROKEN.count("{") > sieve.BROKEN.count("}")
