"""How xdist's workers get at results: over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from pathlib import Path
from typing import Any

import pytest

from pytest_mailu.face.xdist_channel import NoAnswerError, ResultClient, ResultServer


@pytest.fixture
def results() -> dict[str, Any]:
    return {"a": {"outcome": "delivered", "facts": {"n": None}}, "b": [1, 2.5, "ü"]}


@pytest.fixture
def server(results: dict[str, Any]) -> Iterator[ResultServer]:
    made = ResultServer(results.__getitem__)
    yield made
    made.close()


def test_an_answer_arrives_as_it_was_given(server: ResultServer, results: dict[str, Any]) -> None:
    client = ResultClient(server.address)
    assert [client.ask("a"), client.ask("b")] == [results["a"], results["b"]]
    client.close()


def test_where_there_is_no_answer_the_asker_hears_why_and_may_go_on(server: ResultServer) -> None:
    client = ResultClient(server.address)
    with pytest.raises(NoAnswerError, match="KeyError: 'nothing'"):
        client.ask("nothing")
    assert client.ask("b") == [1, 2.5, "ü"]
    client.close()


def test_one_that_waits_keeps_no_other_waiting() -> None:
    ready = threading.Event()

    def answer(id_: str) -> str:
        if id_ == "slow":
            assert ready.wait(30)
        return id_

    server = ResultServer(answer)
    slow, quick = ResultClient(server.address), ResultClient(server.address)
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(slow.ask("slow")))
    waiting.start()
    assert quick.ask("quick") == "quick"
    assert not got
    ready.set()
    waiting.join(30)
    assert got == ["slow"]
    server.close()


def test_whoever_lacks_the_key_gets_nothing_and_disturbs_nobody(server: ResultServer) -> None:
    path, _ = server.address
    with pytest.raises(AuthenticationError):
        ResultClient((path, "00" * 16))
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(path)
    assert ResultClient(server.address).ask("b") == [1, 2.5, "ü"]


def test_the_socket_is_private_and_gone_after_the_end() -> None:
    server = ResultServer(str)
    address = server.address
    folder = Path(address[0]).parent
    assert folder.stat().st_mode & 0o077 == 0
    client = ResultClient(address)
    assert client.ask("x") == "x"
    server.close()
    assert not folder.exists()
    with pytest.raises(OSError, match="No such file"):
        ResultClient(address)


def test_an_address_can_travel_as_plain_words(server: ResultServer) -> None:
    assert all(isinstance(word, str) for word in server.address)
