"""Keep in `seen.json` what real releases did that an entry explains.

Run `python -m tests.judging.advice.gather REPORT_DIR …`.

Each argument is a folder that `--mailu-report` has filled, or `OLD.json:NEW.json`, two recordings to compare. What is
already kept stays, as long as its entry fits it; of each entry one comparison is kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.globs import any_of
from pytest_mailu.core.model import Comparison, Observation, Recording
from pytest_mailu.core.serialization import plain, read_recording, structured
from pytest_mailu.judging.advice import Advisor, Entry
from pytest_mailu.judging.judge import judge

SEEN = Path(__file__).with_name("seen.json")


def kept() -> list[dict[str, Any]]:
    """What is kept: `entry`, `from`, `to`, and the comparison."""
    found: list[dict[str, Any]] = json.loads(SEEN.read_text("utf-8")) if SEEN.exists() else []
    return found


def comparison(one: dict[str, Any]) -> Comparison:
    """The comparison of one that is kept, judged anew."""
    before = structured(one["comparison"], Comparison)
    return judge(before.question, before.old, before.new)


def _pair(argument: str) -> tuple[Recording, Recording]:
    old, colon, new = argument.partition(":")
    paths = (Path(old), Path(new)) if colon else (Path(old) / "old.json", Path(old) / "new.json")
    return read_recording(paths[0]), read_recording(paths[1])


def _short(made: Comparison, entry: Entry) -> Comparison:
    """The comparison with the last attempt of each side, and of its facts only those that the entry looks at."""
    globs = [glob for when in entry.when for glob in (*when.paths, *when.old, *when.new)]

    def bare(attempts: tuple[Observation, ...], *, whole: bool) -> tuple[Observation, ...]:
        facts = attempts[-1].facts if whole else _looked_at(attempts[-1].facts, "facts", globs)
        return (replace(attempts[-1], facts=facts, transcript=(), logs=(), started=0.0, seconds=0.0),)

    for whole in (False, True):
        short = replace(made, old=bare(made.old, whole=whole), new=bare(made.new, whole=whole), differences=())
        again = judge(made.question, short.old, short.new)
        if again.verdict is made.verdict and any(when.fits(again) for when in entry.when):
            break
    return short


def _looked_at(value: Any, path: str, globs: list[str]) -> Any:
    """The part of facts at whose paths somebody looks; empty where there is none."""
    if isinstance(value, Mapping):
        inside = {key: _looked_at(inner, f"{path}.{key}", globs) for key, inner in value.items()}
        return {key: inner for key, inner in inside.items() if inner not in ({}, [], None)}
    if isinstance(value, list | tuple):
        return [member for member in value if any_of(globs, f"{path}[{member}]")]
    return value if any_of(globs, path) else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Look through the recordings and write the file anew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "pair", nargs="*", help="a folder written by --mailu-report, or OLD.json:NEW.json, two recordings to compare"
    )
    given = parser.parse_args(arguments).pair
    entries = {entry.advice.id: entry for entry in Advisor.load().entries}
    found = {
        one["entry"]: one
        for one in kept()
        if one["entry"] in entries and entries[one["entry"]].fits(comparison(one), one["from"], one["to"])
    }
    for old, new in map(_pair, given):
        from_, to = old.side.release, new.side.release
        for behaviour in built_in():
            attempts = [side.observations.get(behaviour.id, ()) for side in (old, new)]
            made = judge(behaviour.question, *attempts, behaviour.volatile)
            for id_ in set(entries) - set(found):
                if entries[id_].fits(made, from_, to):
                    short = _short(made, entries[id_])
                    found[id_] = {"entry": id_, "from": from_, "to": to, "comparison": plain(short)}
    SEEN.write_text(json.dumps([found[id_] for id_ in sorted(found)], indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{len(found)} of {len(entries)} entries are proven; not yet: {', '.join(sorted(set(entries) - set(found)))}")


if __name__ == "__main__":
    main()
