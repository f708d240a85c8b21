"""docs/behaviours.md, made from the behaviours."""

from __future__ import annotations

from itertools import groupby

from pytest_mailu.behaviours import Behaviour, Matrix
from pytest_mailu.behaviours.declaration import ANY_VARIANT, BASE_VARIANT
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.setups import DEFAULT

HEAD = """\
# What is compared

Made by `python -m tests.pages` from the behaviours themselves. A test keeps it up to date.

Each entry has the id (`pytest 'mailu::ID' --mailu-from … --mailu-to …`), the title, the wanted outcome, the severity,
who loses what when it breaks, and the source. "facts" means: no outcome is wanted, and differences are reported.
`--mailu-deep` means: only runs with that option ask it of releases, since it takes long or varies another behaviour.
`--mailu-in-place` means: it looks at what has to survive an upgrade, before and after it ([in-place.md](in-place.md)).
[not-asked.md](not-asked.md) says what is not compared, and why.
"""


def page(matrix: Matrix) -> str:
    """The whole page as Markdown."""
    ordered = sorted(matrix, key=lambda behaviour: behaviour.question.family)
    parts = [f"{HEAD}\n{_numbers(matrix)}\n"]
    for family, members in groupby(ordered, key=lambda behaviour: behaviour.question.family):
        entries = list(members)
        parts.append(f"\n## {family} ({len(entries)})\n\n" + "\n".join(map(_entry, entries)) + "\n")
    return "".join(parts)


def _numbers(matrix: Matrix) -> str:
    """How many there are, and how many a run compares that is given two releases and no files."""
    asked = [made for made in in_setup(matrix, DEFAULT).answered if not (made.in_place or made.option)]
    usual = sum(made.usual for made in asked)
    return (
        f"{len(matrix)} behaviours. A run of two releases with the default set-up compares {usual} of them, "
        f"{len(asked)} with `--mailu-deep`."
    )


def _entry(behaviour: Behaviour) -> str:
    question = behaviour.question
    wanted = f"wanted {question.wanted}" if question.wanted else "facts"
    manner = f"; variant {behaviour.variant}" if behaviour.variant not in {BASE_VARIANT, ANY_VARIANT} else ""
    if behaviour.deep:
        manner += "; with --mailu-deep"
    if behaviour.in_place:
        manner += "; with --mailu-in-place"
    if behaviour.option:
        manner += f"; with --mailu-{behaviour.option}"
    return (
        f"* `{question.id}`: {question.title} ({wanted}; {question.severity}{manner})  \n"
        f"  {question.breaks}  \n"
        f"  Source: {question.source}"
    )
