"""Puts recordings into recordings/, without the transcripts that no report can show.

A transcript is shown with a finding. Where no two of the recordings, nor one with itself, have a finding for a
behaviour, its transcripts are left out: four fifths of a recording, and as much of the time that reading it takes.

Several recordings of one release, made with the same images, become one: what the first of them does not have is taken
from the next one, such as what needs services that did not run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path

from pytest_mailu.behaviours import Behaviour, built_in
from pytest_mailu.core.errors import MailuError, UsageError
from pytest_mailu.core.model import Recording
from pytest_mailu.core.optional_services import OPTIONAL_SERVICES
from pytest_mailu.core.releases import Release
from pytest_mailu.core.serialization import dumps, read_recording
from pytest_mailu.judging.judge import QUIET, judge

FOLDER = Path(__file__).parents[1] / "recordings"


def shown(recordings: Sequence[Recording], behaviour: Behaviour) -> bool:
    """Whether a comparison of two of them, the older one first, has a finding for a behaviour."""
    attempts = [recording.observations.get(behaviour.id, ()) for recording in recordings]
    return any(
        judge(behaviour.question, old, new, behaviour.volatile).verdict not in QUIET
        for old, new in combinations_with_replacement(attempts, 2)
    )


def trimmed(recordings: Sequence[Recording], matrix: Mapping[str, Behaviour]) -> Iterator[Recording]:
    """Each of them without the transcripts that no report over two of them shows. The oldest comes first."""
    silent = {id_ for id_, behaviour in matrix.items() if not shown(recordings, behaviour)}
    for recording in recordings:
        observations = {
            id_: tuple(replace(one, transcript=()) for one in attempts) if id_ in silent else attempts
            for id_, attempts in recording.observations.items()
        }
        yield replace(recording, observations=observations)


def together(recordings: Sequence[Recording]) -> Recording:
    """Recordings of one release as one. Raises UsageError where a service of two of them is another image."""
    first, *others = recordings
    for other in others:
        images = {**other.side.images, **first.side.images}
        if changed := sorted(name for name in other.side.images if other.side.images[name] != images[name]):
            raise UsageError(
                f"two recordings of {first.side.release} have different images of {', '.join(changed)}",
                "Make them with the same images.",
            )
        first = replace(
            first,
            side=replace(
                first.side,
                images=images,
                settings={**first.side.settings, **_of_services(other, other.side.images.keys() - first.side.images)},
                provenance=_both(first.side.provenance, other.side.provenance),
            ),
            behaviours=tuple(sorted({*first.behaviours, *other.behaviours})),
            observations={**other.observations, **first.observations},
        )
    return first


def _of_services(recording: Recording, services: Iterable[str]) -> dict[str, str]:
    """The settings in a recording that bring these services into use."""
    names = {name for service in services if service in OPTIONAL_SERVICES for name in OPTIONAL_SERVICES[service].on}
    return {name: value for name, value in recording.side.settings.items() if name in names}


def _both(one: str, other: str) -> str:
    """Two provenances as one, each of their parts once."""
    return "; ".join(dict.fromkeys(part for text in (one, other) for part in text.split("; ") if part))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write each recording under the name of its release; exit status 2 where one cannot be read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "recording", nargs="+", type=Path, help="all that are to be shipped, the first of each release first"
    )
    try:
        given = [read_recording(path) for path in parser.parse_args(arguments).recording]
        releases = sorted({one.side.release for one in given}, key=Release.parse)
        in_order = [together([one for one in given if one.side.release == release]) for release in releases]
    except MailuError as error:
        print(error, file=sys.stderr)
        return 2
    for recording in trimmed(in_order, {behaviour.id: behaviour for behaviour in built_in()}):
        written = FOLDER / f"{recording.side.release}.json"
        written.write_text(dumps(recording), "utf-8")
        print(f"recordings/{written.name}: {written.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
