"""Entries that contradict each other are refused, whichever files they stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.catalogue import Catalogue, Period, assemble, load
from pytest_mailu.deployment.catalogue.reader import TABLES, read

SETTING = '[[setting]]\nname = "A"\n'
STATE = '[[setting.history]]\nsince = "{}"\nservices = ["admin"]\nsource = "x@{}"\n'
KNOWLEDGE = '[[knowledge]]\nname = "A"\nreading = [{}]\n'
READING = '{{ since = "{}", kind = "int", meaning = "m" }}'


def catalogue(text: str) -> Catalogue:
    return assemble(dict.fromkeys(TABLES, ()) | read(text, "f.toml"))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            SETTING + STATE.format("1.9.0", "1.9.0") + STATE.format("2.0.0", "2.0.0"),
            "the periods of A overlap at 2.0.0",
        ),
        (2 * (SETTING + STATE.format("1.9.0", "1.9.0")), "the setting A stands in the files twice"),
        (KNOWLEDGE.format(READING.format("1.9.0")), "there is knowledge of A, which no release reads"),
        (2 * KNOWLEDGE.format(READING.format("1.9.0")), "the setting A has knowledge twice"),
        (
            SETTING
            + STATE.format("1.9.0", "1.9.0")
            + KNOWLEDGE.format(f"{READING.format('1.9.0')}, {READING.format('2.0.0')}"),
            "the periods of A overlap at 2.0.0",
        ),
        (
            SETTING
            + STATE.format("1.9.0", "1.9.0")
            + '[[legacy]]\nname = "A"\nlast = "1.8"\ncause = "c"\nremedy = "r"\nsource = "x"\n',
            "the name A stands in the files twice",
        ),
        (2 * '[[notice]]\nid = "a/b"\nsince = "1.9.0"\ncause = "c"\nremedy = "r"\nsource = "x"\n', "the notice a/b"),
    ],
)
def test_entries_that_contradict_each_other_are_refused(text: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalogue(text)
    assert caught.value.cause.startswith(cause)


def overlaps(entries: Iterable[Period], key: Callable[[Period], object]) -> list[tuple[Period, Period]]:
    return [
        (one, other)
        for one, other in combinations(entries, 2)
        if key(one) == key(other) and (one.since in other or other.since in one)
    ]


def test_no_two_entries_hold_for_the_same_thing_at_the_same_time() -> None:
    found = load()
    assert overlaps(found.mounts, lambda entry: (entry.service, entry.container)) == []
    assert overlaps(found.published_ports, lambda entry: entry.port) == []
    assert overlaps(found.listening_ports, lambda entry: (entry.service, entry.port)) == []
    assert overlaps(found.networks, lambda entry: entry.name) == []
    assert overlaps(found.overrides, lambda entry: (entry.service, entry.path)) == []
    assert overlaps(found.programs, lambda entry: (entry.service, entry.program)) == []
    assert overlaps(found.dns_records, lambda entry: (entry.type, entry.name, entry.value)) == []
    assert overlaps(found.log_formats, lambda entry: (entry.service, entry.event)) == []


def test_each_service_of_a_table_is_one_of_the_compose_file() -> None:
    found = load()
    services = {service.name for service in found.services} | {"every", "certdumper", "compose", ""}
    named = {
        *(entry.service for entry in (*found.mounts, *found.overrides, *found.programs, *found.log_formats)),
        *(entry.service for entry in (*found.listening_ports, *found.published_ports, *found.hosts)),
        *(service for setting in found.settings for state in setting.history for service in state.services),
    }
    assert named <= services
