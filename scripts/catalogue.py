"""Makes the catalogue's data from Mailu's sources, and its page in the documentation from the data.

    python scripts/catalogue.py PATH-OF-A-CLONE-OF-MAILU    # every tag of the known series has to be there
    python scripts/catalogue.py                             # only the page

What people wrote (`knowledge.toml` and the other files) is left alone. What it has to say about new facts is printed;
docs/settings-catalogue.md says what to do then.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields, is_dataclass
from pathlib import Path

from catalogue_compose import compose_tables
from catalogue_page import page
from catalogue_programs import program_tables
from catalogue_settings import Finder, settings_tables
from mailu_sources import Repository

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import MASTER, SERIES, Release
from pytest_mailu.deployment.catalogue import Catalogue, Source, assemble, reader
from pytest_mailu.deployment.catalogue.review import review

TOP = Path(__file__).parents[1]
DATA = TOP / "pytest_mailu" / "deployment" / "catalogue" / "data"
PAGE = TOP / "docs" / "settings-catalogue.md"
HEADER = "# Made by scripts/catalogue.py from the tags of github.com/Mailu/Mailu: do not edit.\n"


def main(arguments: Sequence[str]) -> int:
    """Write the files; 1 where something has to be reviewed, 2 for a wrong call."""
    if len(arguments) > 1 or (arguments and sys.version_info < (3, 12)):
        print(__doc__, "\nPython 3.12 or later reads all of Mailu's sources.", file=sys.stderr)
        return 2
    with Repository(Path(arguments[0])) if arguments else nullcontext() as repository:
        if repository:
            for name, text in files(repository).items():
                (DATA / name).write_text(text, "utf-8")
        try:
            catalogue = assemble(reader.read_all())
        except UsageError as error:
            print(error, file=sys.stderr)
            return 1
        PAGE.write_text(page(catalogue), "utf-8")
        missing = [*review(catalogue), *(lost_sources(catalogue, repository) if repository else ())]
    print("\n".join(missing) or "Nothing to review.")
    return 1 if missing else 0


def lost_sources(catalogue: Catalogue, repository: Repository) -> list[str]:
    """The sources of entries that name a file which the tag does not have, or a tag that the clone does not have."""
    named = {source for source in sources(catalogue) if source.tag}
    known = {release.tag for release in repository.releases()}
    tags = {source.tag for source in named}
    trees = {tag: repository.tree(Release.parse(tag)) for tag in tags & known}
    lost = sorted(str(source) for source in named if source.tag in known and source.file not in trees[source.tag])
    return [
        *(f"tag {tag}: the clone does not have it; run git fetch --tags there" for tag in sorted(tags - known)),
        *(f"source {source}: there is no such file at this tag" for source in lost),
    ]


def sources(value: object) -> Iterator[Source]:
    """Every source in the catalogue, at whatever depth."""
    if isinstance(value, Source):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from sources(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from sources(getattr(value, field.name))


def files(repository: Repository) -> dict[str, str]:
    """The generated data files: name → text. The same sources always make the same text."""
    releases = repository.releases()
    finder = Finder(repository)
    found = {release: finder.find(release) for release in releases}
    return {
        "settings.toml": HEADER + toml("setting", settings_tables(releases, found)),
        "compose.toml": HEADER
        + "".join(toml(table, rows) for table, rows in compose_tables(repository, releases).items()),
        "programs.toml": HEADER + toml("program", program_tables(repository, releases)),
        "releases.toml": HEADER + toml("release_series", series(repository, releases)),
    }


def series(repository: Repository, releases: Sequence[Release]) -> list[dict[str, object]]:
    """The entries of `[[release_series]]`."""
    entries: list[dict[str, object]] = []
    for name in SERIES:
        own = [release for release in releases if release.series == name]
        if not own:
            continue  # a series that has no release yet
        entry: dict[str, object] = {"series": name, "first": own[0].tag, "last": own[-1].tag}
        if name == MASTER:
            entry["note"] = "commit " + repository.git("log", "-1", "--format=%h of %cs", name).strip()
        entries.append(entry)
    return entries


def toml(table: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as an array of tables; a list of tables in a row becomes an array of tables below it."""
    return "".join(_toml(table, rows))


def _toml(table: str, rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    for row in rows:
        yield f"\n[[{table}]]\n"
        below = {key: value for key, value in row.items() if isinstance(value, list) and value and _is_table(value[0])}
        for key, value in row.items():
            if key not in below:
                yield f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in below.items():
            yield from _toml(f"{table}.{key}", value)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
