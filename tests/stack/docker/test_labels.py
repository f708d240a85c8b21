"""Whose is it, and is the owner still alive?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from pytest_mailu.stack.docker.labels import KEPT, Liveness, Owner, RunIdentity, process_started


def ended() -> Owner:
    """The owner that a process was that is no more."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(Owner.me(), pid=process.pid, started=process_started(process.pid))
    assert owner.liveness() is Liveness.ALIVE
    process.communicate(b"\n")
    return owner


def test_this_process_is_alive_and_survives_being_written_down() -> None:
    me = Owner.me()
    assert Owner.read(me.write()) == me
    assert me.liveness() is Liveness.ALIVE


def test_a_process_that_ended_is_dead() -> None:
    assert ended().liveness() is Liveness.DEAD


def test_a_later_process_with_the_same_number_is_not_taken_for_the_owner() -> None:
    assert replace(Owner.me(), started="1").liveness() is Liveness.DEAD


def test_after_a_reboot_everybody_is_dead() -> None:
    me = replace(Owner.me(), machine="a" * 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_mailu.stack.docker.labels._machine", lambda: "a" * 32)
        assert replace(me, boot="another boot").liveness() is Liveness.DEAD


@pytest.mark.parametrize(
    "elsewhere",
    [{"host": "another-host"}, {"machine": "b" * 32}, {"pids": "pid:[1]"}, {"boot": ""}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_process_that_cannot_be_seen_from_here_may_be_alive(elsewhere: dict[str, str]) -> None:
    assert replace(Owner.me(), pid=1, **elsewhere).liveness() is Liveness.UNKNOWN


def test_another_machine_of_the_same_name_is_not_this_one_after_a_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_mailu.stack.docker.labels._machine", lambda: "")
    assert replace(Owner.me(), boot="another boot").liveness() is Liveness.UNKNOWN


def test_a_machine_without_any_id_is_told_from_no_other_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_mailu.stack.docker.labels._machine", lambda: "")
    monkeypatch.setattr("pytest_mailu.stack.docker.labels._boot", lambda: "")
    assert replace(Owner.me(), pid=2**31 - 1).liveness() is Liveness.UNKNOWN
    assert Owner.me().liveness() is Liveness.UNKNOWN


def test_a_process_that_proc_hides_may_be_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """hidepid=2: the process exists, and /proc does not show when it started."""
    me = Owner.me()
    monkeypatch.setattr("pytest_mailu.stack.docker.labels.process_started", lambda pid: "")
    assert me.liveness() is Liveness.UNKNOWN


def test_a_process_of_another_user_may_be_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", refuse)
    assert Owner.me().liveness() is Liveness.ALIVE


WHOLE = json.loads(Owner.me().write())


@pytest.mark.parametrize(
    "text",
    [
        *("", "not json", "null", "[]", "1", '"x"', "{}", "[" * 100_000, '{"host": "incomplete"}'),
        *(json.dumps({**WHOLE, "pid": pid}) for pid in (0, -1, 1.5, "1", True, None, 1 << 40)),
        *(json.dumps({**WHOLE, name: value}) for name in WHOLE if name != "pid" for value in (None, 1, [], {})),
        json.dumps({**WHOLE, "more": "x"}),
        json.dumps({**WHOLE, "host": "x" * 10_000}),
        '{"pid": ' + "9" * 5_000 + "}",
    ],
    ids=lambda text: text[:40],
)
def test_a_broken_label_names_nobody(text: str) -> None:
    assert Owner.read(text) is None


def test_labels_stay_the_same_during_a_run() -> None:
    run = RunIdentity.new(keep=True)
    assert run.labels("old") == run.labels("old")
    assert run.labels("old")[KEPT] == "yes"
    assert run.project("old") != run.project("new")
    assert RunIdentity.new().id != run.id


def test_the_start_of_a_process_is_read_whatever_its_name_is(tmp_path: object) -> None:
    odd = subprocess.Popen(
        [sys.executable, "-c", "import ctypes; ctypes.CDLL(None).prctl(15, b'a) b (c'); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert odd.stdout is not None
    odd.stdout.readline()
    try:
        assert int(process_started(odd.pid)) >= int(process_started(os.getpid()))
    finally:
        odd.communicate(b"\n")
    assert process_started(odd.pid) == ""
