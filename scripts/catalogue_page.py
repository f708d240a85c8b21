"""docs/settings-catalogue.md, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from pytest_mailu.core.releases import SERIES, Release
from pytest_mailu.deployment.catalogue import Catalogue, ChangeKind, Period, Setting

HEAD = """\
<!-- Made by `python -m tests.pages` from pytest_mailu/deployment/catalogue/data: do not edit. -->

# Catalogue of Mailu's settings, files and changes

What the check of a deployment knows of each release of Mailu, with the source of each fact. A source is a file at a
tag of [Mailu's repository](https://github.com/Mailu/Mailu), such as `core/nginx/config.py (2024.06.0)`, or a document.
A range such as 2.0.0 – 2024.06.4 goes from the first release to the last one; "on" means up to the latest.

{known}

Contents: [Changes from series to series](#changes-from-series-to-series) · [Settings](#settings) ·
[Compose file](#compose-file) · [Overrides](#overrides) · [Directives](#directives-that-programs-forgot) ·
[DNS records](#dns-records) · [Log lines](#log-lines) · [Programs](#programs) · [Host](#host) ·
[Stops on the way](#stops-on-the-way) · [Known by id](#known-by-id) · [Adding a release](#adding-a-release)
"""
ADDING = """\
## Adding a release

1. Get Mailu's repository with all its tags (`git clone https://github.com/Mailu/Mailu`), or `git fetch --tags` there.
2. Run `python scripts/catalogue.py PATH-OF-THE-CLONE` with Python 3.12 or later. It reads the sources of each tag
   (nothing of Mailu is executed), writes `settings.toml`, `compose.toml`, `programs.toml` and `releases.toml`, and this
   page. The same tags always give the same files: a diff shows what the release changed.
3. It prints what a person has to write: a new setting without a meaning, a setting that is gone or has another default
   without advice, an entry whose source is not there. Write it into the hand-written files and run it again, until it
   says "Nothing to review."
4. Read the release's change log (`CHANGELOG.md`, `towncrier/newsfragments/`) and `docs/releases.rst` for what no script
   can tell: a value that means something else, DNS records, log lines, advice. A new series needs an entry in
   `SERIES` of `pytest_mailu/core/releases.py` first, and a `[[stop]]`: what to do on the way to it.
5. Run `pytest tests/deployment/catalogue`.

### How an entry is written

The files are TOML, in `pytest_mailu/deployment/catalogue/data/`. Wrong entries are refused with file, line and key.
`pytest_mailu/deployment/catalogue/schema.py` says what each key means.

| file | made by | tables |
|---|---|---|
| `settings.toml`, `compose.toml`, `programs.toml`, `releases.toml` | the script | `[[setting]]`, `[[service]]`, … |
| `knowledge.toml` | people | `[[knowledge]]`: how values are read, what a change means |
| `legacy.toml` | people | `[[legacy]]`: names of releases before 1.9 |
| `notices.toml` | people | `[[notice]]`: advice by id |
| `overrides.toml`, `directives.toml` | people | `[[override]]`, `[[directive]]` |
| `dns.toml`, `logs.toml`, `ports.toml` | people | `[[dns_record]]`, `[[log_format]]`, `[[listening_port]]` |
| `connections.toml` | people | `[[connection]]`: who connects to whom |
| `alpine.toml` | people | `[[program]]`: versions that Alpine Linux decides |
| `hosts.toml`, `stops.toml` | people | `[[host]]`, `[[stop]]` |

* `since` is the first release, `until` the first one for which the entry no longer holds; both name a patch release or
  `master`.
* `source` is `FILE@TAG`, or an address. No entry without one.
* A `[[knowledge.change]]` has `at` (the first release with it), `change` (`added`, `removed`, `renamed`, `redefined`,
  `default`; `same` where files name another default with the same effect), `values` (globs over the values concerned),
  `unset` (whether a deployment without the line is concerned), `cause`, `remedy`, and `write`: the line to write.
"""


def page(catalogue: Catalogue) -> str:
    """The text of the page."""
    known = ", ".join(
        f"{entry.first} to {entry.last}" if entry.first != entry.last else f"{entry.last} ({entry.note})"
        for entry in catalogue.series
    )
    parts = [
        HEAD.format(known=f"Made from {known}: {len(catalogue.settings)} settings."),
        "\n".join(_changes(catalogue)),
        "\n".join(_settings(catalogue)),
        "\n".join(_legacies(catalogue)),
        "\n".join(_compose(catalogue)),
        "\n".join(_files(catalogue)),
        "\n".join(_outside(catalogue)),
        "\n".join(_known(catalogue)),
        ADDING,
    ]
    return "\n".join(parts)


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _code(text: object) -> str:
    return f"`{_cell(text)}`" if str(text) else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _span(period: Period) -> str:
    """`2.0.0 – 2024.06.4`, `2.0.0 on`, `2.0 series`; the last release is named, not the first one after it."""
    if period.until is None:
        return f"{period.since} on"
    if not period.until.patch:
        last = SERIES[SERIES.index(period.until.series) - 1]
        first = f"{period.since.series}.0" == str(period.since)
        return f"{last} series" if first and period.since.series == last else f"{period.since} – {last}.x"
    last = f"{period.until.series}.{period.until.patch - 1}"
    return last if last == str(period.since) else f"{period.since} – {last}"


def _changes(catalogue: Catalogue) -> Iterator[str]:
    yield "## Changes from series to series\n"
    yield "What happens to a deployment that goes from the last release of a series to the last one of the next.\n"
    for old, new in pairwise(Release(series) for series in SERIES):
        differences = [entry for entry in catalogue.changes(old, new) if entry.advice]
        yield f"### {old} → {new}\n"
        rows = []
        for entry in differences:
            advice = entry.advice
            assert advice is not None  # noqa: S101 chosen above
            what = f"{entry.change} → `{entry.to}`" if entry.to else str(entry.change)
            if entry.change is ChangeKind.DEFAULT and entry.old and entry.new:
                what += f" {_code(entry.old.default or 'none')} → {_code(entry.new.default or 'none')}"
            if entry.values:
                what += " for " + ", ".join(_code(value) for value in entry.values[:4])
            write = f" {_code(advice.write)}" if advice.write else ""
            rows.append(
                (_code(entry.setting), what, f"{_cell(advice.cause)} {_cell(advice.remedy)}{write}", str(advice.source))
            )
        yield from _table(("setting", "change", "what it means, what to do", "source"), rows)
        fresh = [entry.setting for entry in catalogue.changes(old, new) if not entry.advice]
        if fresh:
            yield f"New and without effect unless set: {', '.join(map(_code, fresh))}.\n"


def _settings(catalogue: Catalogue) -> Iterator[str]:
    yield "## Settings\n"
    yield "Names in brackets are read by Docker Compose alone or by no service. \\* means that a value has to be set.\n"
    yield from _table(
        ("setting", "releases", "default", "kind", "read by", "meaning"),
        (row for setting in catalogue.settings for row in _setting(setting)),
    )


def _legacies(catalogue: Catalogue) -> Iterator[str]:
    yield "### Names of older releases\n"
    yield from _table(
        ("name", "last in", "what to do", "source"),
        (
            (
                _code(entry.name),
                entry.last,
                f"{_cell(entry.advice.cause)} {_cell(entry.advice.remedy)}",
                str(entry.advice.source),
            )
            for entry in catalogue.legacies
        ),
    )


def _setting(setting: Setting) -> Iterator[Sequence[str]]:
    shown = _code(setting.name)
    for state in setting.history:
        yield (
            shown + (" \\*" if state.required and shown else ""),
            _span(state),
            "" if state.default is None else _code(state.default or '""'),
            str(state.kind or "") + (f": {', '.join(state.allowed)}" if state.allowed else ""),
            ", ".join(state.services) or "(none)",
            _cell(state.meaning) + ("" if state.documented else " (undocumented)"),
        )
        shown = ""


def _compose(catalogue: Catalogue) -> Iterator[str]:
    yield "## Compose file\n"
    yield "What Mailu's set-up page writes with every option chosen.\n"
    yield from _table(
        ("service", "releases", "image", "comes with", "networks", "other"),
        (
            (
                _code(service.name),
                _span(state),
                _code(f"{state.image}:{state.tag}" if state.tag else state.image),
                state.profile or "always",
                ", ".join(state.networks),
                ", ".join(
                    word
                    for word, holds in (
                        (f"host name {state.hostname}", state.hostname),
                        ("resolver's DNS", state.uses_resolver),
                        ("gets mailu.env", state.settings),
                        ("health check", state.healthcheck),
                        (f"logs to {state.logging}", state.logging),
                    )
                    if holds
                ),
            )
            for service in catalogue.services
            for state in service.history
        ),
    )
    yield from _table(
        ("mount", "service", "in the container", "releases"),
        (
            (
                _code(mount.host),
                mount.service,
                _code(mount.container + (":ro" if mount.read_only else "")),
                _span(mount),
            )
            for mount in catalogue.mounts
        ),
    )
    yield from _table(
        ("port inside", "service", "for", "releases", "source"),
        (
            (str(entry.port), entry.service, entry.purpose, _span(entry), str(entry.source))
            for entry in catalogue.listening_ports
        ),
    )
    yield from _table(
        ("service", "connects to", "for", "releases", "source"),
        ((entry.service, entry.to, entry.purpose, _span(entry), str(entry.source)) for entry in catalogue.connections),
    )
    yield from _table(
        ("published", "service", "releases"),
        ((str(entry.port), entry.service, _span(entry)) for entry in catalogue.published_ports),
    )
    yield from _table(
        ("network", "comes with", "internal", "releases"),
        (
            (entry.name, entry.profile or "always", "yes" if entry.internal else "", _span(entry))
            for entry in catalogue.networks
        ),
    )


def _files(catalogue: Catalogue) -> Iterator[str]:
    yield "## Overrides\n"
    yield from _table(
        ("below overrides/", "read by", "how", "releases", "note", "source"),
        (
            (
                _code(entry.path),
                f"{entry.program} in {entry.service}",
                str(entry.effect),
                _span(entry),
                _cell(entry.note),
                str(entry.source),
            )
            for entry in catalogue.overrides
        ),
    )
    yield "## Directives that programs forgot\n"
    yield from _table(
        ("directive", "gone with", "instead", "what happens", "source"),
        (
            (
                _code(entry.name),
                f"{entry.program} {entry.removed}" if entry.removed else f"Mailu {entry.release}",
                _code(entry.replaced_by),
                _cell(entry.advice.cause),
                str(entry.advice.source),
            )
            for entry in catalogue.directives
        ),
    )


def _outside(catalogue: Catalogue) -> Iterator[str]:
    yield "## DNS records\n"
    yield from _table(
        ("name", "type", "value", "for", "releases", "source"),
        (
            (
                _code(entry.name),
                entry.type,
                _code(entry.value),
                _cell(entry.meaning + (f" ({entry.when})" if entry.when else "")),
                _span(entry),
                str(entry.source),
            )
            for entry in catalogue.dns_records
        ),
    )
    yield "## Log lines\n"
    yield "The part of the line that a filter can rely on, by an invented example.\n"
    yield from _table(
        ("event", "logged by", "example", "releases", "source"),
        (
            (entry.event, entry.service, _code(entry.example), _span(entry), str(entry.source))
            for entry in catalogue.log_formats
        ),
    )
    yield "## Programs\n"
    yield "Exact versions stand in Mailu's Dockerfiles; two-part ones come with the release of Alpine Linux.\n"
    yield from _table(
        ("program", "in", "version", "releases", "source"),
        (
            (entry.program, entry.service, entry.version, _span(entry), str(entry.source))
            for entry in sorted(catalogue.programs, key=lambda entry: (entry.program, entry.service, entry.since))
        ),
    )
    yield "## Host\n"
    yield from _table(
        ("need", "for", "releases", "why, what to do", "source"),
        (
            (
                f"{entry.need} {_code(entry.value)}",
                (entry.service or "every service") + (f" ({_code(entry.when)})" if entry.when else ""),
                _span(entry),
                f"{_cell(entry.advice.cause)} {_cell(entry.advice.remedy)}",
                str(entry.advice.source),
            )
            for entry in catalogue.hosts
        ),
    )


def _known(catalogue: Catalogue) -> Iterator[str]:
    yield "## Stops on the way\n"
    for stop in catalogue.stops:
        yield f"### {stop.series} ({'required' if stop.required else 'advised'})\n"
        yield f"{stop.reason} Way back: {stop.way_back} Source: {stop.source}.\n"
        for title, steps in (("before", stop.before), ("during", stop.during), ("after", stop.after)):
            yield from (f"* {title}: {step}" for step in steps)
        yield ""
    yield "## Known by id\n"
    yield from _table(
        ("id", "releases", "concerns", "cause, what to do", "source"),
        (
            (
                _code(entry.id),
                _span(entry),
                "who crosses" if entry.crossing else "everybody",
                f"{_cell(entry.advice.cause)} {_cell(entry.advice.remedy)}"
                + (f" {_code(entry.advice.write)}" if entry.advice.write else ""),
                str(entry.advice.source),
            )
            for entry in catalogue.notices
        ),
    )
