"""Fuzzes a parser for as long as you like: `python -m tests.fuzz TARGET SECONDS`; without a target it names them all.

A target is a test of tests/wire/hostile/test_parsers.py. Atheris (`pip install atheris`) chooses the bytes by what they
reach in the package, and Hypothesis makes the test's arguments of them. A failure ends it with the arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

PACKAGE = "pytest_mailu"


def targets(module: ModuleType) -> dict[str, Callable[[bytes], object]]:
    """The tests of a module that Hypothesis drives, by name."""
    found = {name: getattr(test, "hypothesis", None) for name, test in vars(module).items() if name.startswith("test_")}
    return {name.removeprefix("test_"): handle.fuzz_one_input for name, handle in found.items() if handle is not None}


def main(arguments: list[str]) -> int:
    """Fuzz one target; the exit status."""
    if len(arguments) not in (0, 2) or (arguments and not arguments[1].isdigit()):
        print(__doc__, file=sys.stderr)
        return 2
    if not arguments:
        from tests.wire.hostile import test_parsers

        print("\n".join(targets(test_parsers)))
        return 0
    import atheris

    with atheris.instrument_imports(include=[PACKAGE]):
        from tests.wire.hostile import test_parsers
    known = targets(test_parsers)
    if arguments[0] not in known:
        print(f"no target is called {arguments[0]}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    one: Any = known[arguments[0]]

    def once(data: bytes) -> None:
        one(data)

    atheris.Setup(
        [sys.argv[0], f"-max_total_time={arguments[1]}", "-max_len=65536", "-verbosity=0", "-print_final_stats=1"], once
    )
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
