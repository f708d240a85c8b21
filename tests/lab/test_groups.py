"""Faults that are tried together do not hide each other, and none is left out; computed, without an engine."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.endpoints import SMTP_25
from pytest_mailu.core.globs import any_of
from tests.lab.faults import FAULTS, LISTS, Fault, changes
from tests.lab.groups import grouped, in_the_matrix, names_in, together
from tests.lab.losses import LOSSES
from tests.lab.setups import setup_of
from tests.lab.test_in_place import TOGETHER

GROUPS = grouped(in_the_matrix(FAULTS.values()))
PAIRS = [pair for group in GROUPS for pair in itertools.permutations(group, 2)]
ALONE = ("lost", "stuck", "never-ready", "smtp-dies", "stale-pid", "notls-login-refused")
"""They hit everything, so nothing else can be told beside them."""


def fault(name: str, catch: str, **more: object) -> Fault:
    return replace(Fault(name, "something", (catch,)), **more)


def apart(one: Fault, other: Fault) -> bool:
    first, second = in_the_matrix([one, other])
    assert together(first, second) is together(second, first)
    return not together(first, second)


def test_every_fault_is_in_exactly_one_group() -> None:
    assert sorted(each.name for group in GROUPS for each in group) == sorted(FAULTS)


def test_far_fewer_stacks_are_started_than_there_are_faults() -> None:
    assert len(GROUPS) < len(FAULTS) / 2


def test_the_groups_are_the_same_however_often_they_are_computed() -> None:
    assert grouped(in_the_matrix(FAULTS.values())) == GROUPS


@pytest.mark.parametrize("name", ALONE)
def test_what_hits_everything_is_alone(name: str) -> None:
    assert (FAULTS[name],) in GROUPS


def test_nothing_in_a_group_breaks_or_hides_what_catches_another_one() -> None:
    """Said by the globs of the faults alone, over the ids of the matrix."""
    ids = {
        setup: [each.id for each in in_setup(built_in(), setup).answered]
        for setup in {setup_of(each) for each in FAULTS.values()}
    }
    assert len(PAIRS) > 100
    for one, other in PAIRS:
        setup = setup_of(one)
        assert setup == setup_of(other)
        asked = [id_ for id_ in ids[setup] if any_of((*one.caught_by, *one.beside), id_)]
        assert asked, one.name
        both = [id_ for id_ in asked if any_of((*other.caught_by, *other.radius, *other.hides), id_)]
        assert not both, (one.name, other.name)


@pytest.mark.parametrize("name", [name for name, each in FAULTS.items() if each.settings.get("LAB_CLOSED")])
def test_a_closed_port_hits_all_that_is_asked_there(name: str) -> None:
    (placed,) = in_the_matrix([FAULTS[name]])
    port = int(FAULTS[name].settings["LAB_CLOSED"])
    there = {each.id for each in placed.behaviours if (place := each.question.endpoint) and place.port == port}
    assert there
    assert there <= placed.hit


def test_without_starttls_all_is_hit_that_insists_on_it() -> None:
    (placed,) = in_the_matrix([FAULTS["no-starttls-25"]])
    there = {each.id for each in placed.behaviours if each.question.endpoint == SMTP_25}
    assert len(there) > 10
    assert there <= placed.hit


def test_nothing_in_a_group_sets_what_another_one_sets() -> None:
    for one, other in PAIRS:
        assert one.settings.keys() & other.settings.keys() <= set(LISTS), (one.name, other.name)
        for file in one.lines.keys() & other.lines.keys():
            assert not {*names_in(one.lines[file])} & {*names_in(other.lines[file])}, (one.name, other.name, file)


def test_each_changes_in_its_group_what_it_changes_alone() -> None:
    for group in GROUPS:
        whole = changes(group)
        for each in group:
            for name, value in each.settings.items():
                assert value == whole.settings[name] or (name in LISTS and value in whole.settings[name].split())
            for file, text in each.lines.items():
                assert text in whole.lines[file]


def test_a_change_that_is_no_regression_is_only_beside_what_mail_does_not_meet() -> None:
    for one, other in PAIRS:
        if one.verdict == "changed":
            assert not [file for file in other.lines if file.startswith(("smtp/", "imap/"))], (one.name, other.name)
            families = {glob.partition("/")[0] for glob in one.caught_by}
            assert not families & {glob.partition("/")[0] for glob in other.caught_by}, (one.name, other.name)


def test_every_loss_is_in_one_group_and_caught_by_what_catches_no_other_one_there() -> None:
    """But for those that end the service, and those of the user's own data, which have tests of their own."""
    others = [name for name, loss in LOSSES.items() if not loss.ends and not name.startswith("own-")]
    assert sorted(name for names in TOGETHER for name in names) == sorted(others)
    for names in TOGETHER:
        caught_by = [id_ for name in names for id_ in LOSSES[name].caught_by]
        assert len(caught_by) == len(set(caught_by)), names


ONE = fault("one", "access/993-tls/login")
OTHER = fault("other", "access/995-tls/login")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ONE, replace(OTHER, setup="mail")),
        (ONE, replace(OTHER, services=frozenset({"webdav"}))),
        (ONE, replace(OTHER, caught_by=("access/99*/login",))),
        (ONE, replace(OTHER, radius=("access/*",))),
        (ONE, replace(OTHER, hides=("access/*/login",))),
        (replace(ONE, beside=("access/465-tls/login",)), replace(OTHER, radius=("access/465-tls/*",))),
        (replace(ONE, settings={"RELAYNETS": ""}), replace(OTHER, settings={"RELAYNETS": "192.0.2.0/24"})),
        (replace(ONE, lines={"smtp/main.cf": "a = b\n"}), replace(OTHER, lines={"smtp/main.cf": "c = d\na =\n"})),
        (replace(ONE, verdict="changed"), OTHER),
        (
            replace(ONE, verdict="changed"),
            fault("mail", "tls/993-tls/handshake", lines={"imap/dovecot.conf": "ssl = no\n"}),
        ),
        (ONE, fault("restart", "services/imap/comes-back-after-stop")),
    ],
    ids=["set-up", "services", "same", "radius", "hides", "beside", "setting", "line", "family", "mail", "restart"],
)
def test_faults_are_apart_for_each_of_the_reasons(one: Fault, other: Fault) -> None:
    assert not apart(ONE, OTHER), "without a reason they are together"
    assert apart(one, other)


@pytest.mark.parametrize("name", LISTS)
def test_settings_of_several_words_keep_nobody_apart_and_are_added_up(name: str) -> None:
    one, other = replace(ONE, settings={name: "143"}), replace(OTHER, settings={name: "110"})
    assert not apart(one, other)
    assert changes([one, other]).settings == {name: "143 110"}


def test_lines_of_one_file_are_put_one_after_the_other() -> None:
    one, other = replace(ONE, lines={"a": "b = c\n"}), replace(OTHER, lines={"a": "d = e\n", "f": "g\n"})
    assert changes([one, other]).lines == {"a": "b = c\nd = e\n", "f": "g\n"}


def test_two_values_of_one_setting_are_an_error() -> None:
    one, other = replace(ONE, settings={"PORTS": "25"}), replace(OTHER, settings={"PORTS": "80"})
    with pytest.raises(ValueError, match="other and another fault set PORTS"):
        changes([one, other])


def test_a_name_is_another_one_in_another_block() -> None:
    lines = "plugin {\n  sieve = a\n}\nprotocol lmtp {\n  plugin {\n    sieve = b = {c}\n  }\n}\nssl =\n"
    assert names_in(lines) == ["plugin/sieve", "protocol lmtp/plugin/sieve", "ssl"]
    assert names_in("$config['smtp_host'] = 'tls://front:1';\n") == ["smtp_host"]
