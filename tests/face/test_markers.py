"""Names in `-m "mailu(…)"` that there are not."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.face.markers import check_expression

KNOWN = {"family": {"submission"}, "severity": {"critical", "major"}, "variant": {"base"}}


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("mailu(severity='criticl')", "-m: there is no severity 'criticl', did you mean 'critical'?"),
        ('slow or not mailu(family="submision")', "-m: there is no family 'submision', did you mean 'submission'?"),
        ("mailu(severity='major', variant='other')", "-m: there is no variant 'other'"),
        ("mailu(sevrity='major')", "-m: mailu() has no sevrity, did you mean 'severity'?"),
    ],
)
def test_what_there_is_not_is_a_usage_error(expression: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_expression(expression, KNOWN)
    assert caught.value.cause == cause
    assert caught.value.remedy


@pytest.mark.parametrize(
    "expression", ["", "mailu", "mailu(severity='major') and other(severity='x')", "notmailu(a='b')"]
)
def test_what_there_is_and_what_is_not_ours_passes(expression: str) -> None:
    check_expression(expression, KNOWN)


def test_a_run_says_so_instead_of_selecting_nothing(folder: Any) -> None:
    done = folder.run("-m", "mailu(severity='criticl')")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'critical'?" in done.out + done.errors
