"""Fingerprints of copied and of measured data follow one rule, so that they can be compared."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.stack.data import copier
from pytest_mailu.stack.data.copier import Sources


class FakeHelper:
    """Answers as the script does for data of `size` bytes; a fingerprint tells whether contents are part of it."""

    def __init__(self, size: int) -> None:
        self._size = size

    def run(self, script: bytes, order: Any, mounts: Any, seconds: float) -> dict[str, Any]:
        digests = dict.fromkeys(order["folders"], str(order["contents"]))
        return {"files": 1, "bytes": self._size, "shared": 0, "left_out": 0, "digests": digests}


@pytest.mark.parametrize(
    ("size", "with_contents"), [(copier.CONTENTS_UP_TO, "True"), (copier.CONTENTS_UP_TO + 1, "False")]
)
def test_a_copy_and_a_later_look_take_the_same_fingerprint(size: int, with_contents: str) -> None:
    helper: Any = FakeHelper(size)
    sources = Sources({"mail": "old_mail"})
    copied = copier.copy(helper, sources, {"mail": "new_mail"}, 1.0)
    assert copied.digests == copier.measured(helper, sources, 1.0).digests == {"mail": with_contents}
