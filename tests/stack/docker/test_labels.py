"""Whose is it, and is the owner still alive?"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from pytest_mailu.stack.docker.labels import KEPT, OWNER, RUN, Liveness, Owner, RunIdentity, abandoned, process_started


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


def test_after_a_reboot_everybody_is_dead_and_on_another_machine_nobody_can_tell() -> None:
    me = Owner.me()
    assert replace(me, boot="another boot").liveness() is Liveness.DEAD
    assert replace(me, host="another-host").liveness() is Liveness.UNKNOWN
    assert replace(me, pids="pid:[1]").liveness() is Liveness.UNKNOWN


def test_only_what_a_dead_run_left_and_nobody_keeps_is_abandoned() -> None:
    dead = replace(RunIdentity.new(), owner=ended())
    labels = dead.labels("old")
    assert abandoned(labels)
    assert not abandoned({**labels, KEPT: "yes"})
    assert not abandoned(RunIdentity.new().labels("old"))
    assert not abandoned({RUN: "x", OWNER: "not json"})
    assert not abandoned({RUN: "x", OWNER: '{"host": "incomplete"}'})
    assert not abandoned({"com.docker.compose.project": "somebody else's"})


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
