"""The page that says what is compared, made from the behaviours: `python -m pytest_mailu.behaviours.handbook`."""

from __future__ import annotations

from itertools import groupby

from pytest_mailu.behaviours import Behaviour, Matrix, built_in
from pytest_mailu.behaviours.declaration import ANY_VARIANT, BASE_VARIANT

HEAD = """\
# What is checked

Made by `python -m pytest_mailu.behaviours.handbook` from the behaviours themselves; a test sees that it is up to date.

Each entry has the id to name it by (`pytest 'mailu::ID' --mailu-from … --mailu-to …`), what it is, which outcome is
wanted (with "facts" nothing is wanted, differences are told), how much it hurts, who loses what when it breaks, and
what that rests on. Where `--mailu-deep` stands, only runs with that option ask it of releases: it takes long, or is a
variation of what is asked anyway. What is not asked, and why, stands in [not-asked.md](not-asked.md).
"""


def page(matrix: Matrix) -> str:
    """The whole page as Markdown."""
    ordered = sorted(matrix, key=lambda behaviour: behaviour.question.family)
    usual = sum(not behaviour.deep for behaviour in matrix)
    parts = [f"{HEAD}\n{len(matrix)} behaviours in all, {usual} of them in every run.\n"]
    for family, members in groupby(ordered, key=lambda behaviour: behaviour.question.family):
        entries = list(members)
        parts.append(f"\n## {family} ({len(entries)})\n\n" + "\n".join(map(_entry, entries)) + "\n")
    return "".join(parts)


def _entry(behaviour: Behaviour) -> str:
    question = behaviour.question
    wanted = f"wanted {question.wanted}" if question.wanted else "facts"
    manner = f"; variant {behaviour.variant}" if behaviour.variant not in {BASE_VARIANT, ANY_VARIANT} else ""
    if behaviour.deep:
        manner += "; with --mailu-deep"
    return (
        f"* `{question.id}`: {question.title} ({wanted}; {question.severity}{manner})  \n"
        f"  {question.breaks}  \n"
        f"  Rests on: {question.source}"
    )


if __name__ == "__main__":
    print(page(built_in()), end="")
