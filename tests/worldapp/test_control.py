from __future__ import annotations

import asyncio
import signal
import smtplib
import socket
import uuid
from typing import Any

import pytest
from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy

from pytest_mailu.stack.world.control import World
from pytest_mailu.stack.world.zones import DnsRecord
from pytest_mailu.wire.transport.connector import SocksConnector
from pytest_mailu.wire.transport.errors import CannotAsk


def send(here: Any, recipient: str) -> None:
    with smtplib.SMTP(here.address, here.ports["mx"], local_hostname="mail.post.example", timeout=20) as smtp:
        smtp.sendmail("a@post.example", [recipient], b"Subject: x\r\n\r\nhello\r\n")


def test_waiting_ends_as_soon_as_enough_has_arrived(here: Any) -> None:
    recipient = f"{uuid.uuid4().hex}@elsewhere.example"

    async def wait_and_send() -> int:
        waiting = asyncio.create_task(here.world.arrivals(recipient=recipient, count=2, wait=300))
        for _ in range(2):
            await asyncio.to_thread(send, here, recipient)
        async with asyncio.timeout(60):
            return len(await waiting)

    assert asyncio.run(wait_and_send()) == 2


def test_waiting_in_vain_gives_what_there_is(here: Any) -> None:
    recipient = f"{uuid.uuid4().hex}@elsewhere.example"
    send(here, recipient)
    assert len(asyncio.run(here.world.arrivals(recipient=recipient, count=2, wait=0.05))) == 1


def test_many_may_wait_at_the_same_time(here: Any) -> None:
    recipients = [f"{uuid.uuid4().hex}@elsewhere.example" for _ in range(20)]

    async def wait_and_send() -> list[str]:
        waiting = [asyncio.create_task(here.world.arrivals(recipient=to, wait=60)) for to in recipients]
        await asyncio.gather(*(asyncio.to_thread(send, here, to) for to in reversed(recipients)))
        return [arrival.recipients[0].address for [arrival] in await asyncio.gather(*waiting)]

    assert asyncio.run(wait_and_send()) == recipients


def test_a_mark_leaves_out_what_came_before(here: Any) -> None:
    recipient = f"{uuid.uuid4().hex}@elsewhere.example"

    async def since() -> tuple[int, int]:
        await asyncio.to_thread(send, here, recipient)
        mark = (await here.world.ping())["last"]
        before = await here.world.arrivals(recipient=recipient, since=mark, wait=0)
        await asyncio.to_thread(send, here, recipient)
        return len(before), len(await here.world.arrivals(recipient=recipient, since=mark))

    assert asyncio.run(since()) == (0, 1)


@pytest.mark.parametrize(
    "orders",
    [{"stage": "teatime"}, {"stage": "rcpt", "code": 99}, {"stage": "rcpt", "delay": -1}],
    ids=["stage", "code", "delay"],
)
def test_rules_that_make_no_sense_are_refused_in_words(here: Any, orders: dict[str, Any]) -> None:
    with pytest.raises(CannotAsk, match=f"refused `script`.*{list(orders)[-1]}"):
        asyncio.run(here.world.script(**orders))


def test_records_that_cannot_be_served_are_refused(here: Any) -> None:
    with pytest.raises(CannotAsk, match="MX"):
        asyncio.run(here.world.records([DnsRecord("x.example", "MX", "no number")]))


def test_rubbish_on_the_control_channel_is_answered_and_survived(here: Any) -> None:
    async def speak() -> list[bytes]:
        proxy = Proxy(ProxyType.SOCKS5, "127.0.0.1", here.ports["proxy"], username="x", password=here.token, rdns=True)
        reader, writer = await asyncio.open_connection(sock=await proxy.connect("control", 1, timeout=20))
        answers = []
        for line in (
            b"not json",
            b"[1]",
            b'{"do": "explode"}',
            b"[" * 100_000,
            b'{"do": "script", "stage": ' + b"[" * 500 + b"]" * 500 + b"}",
            b'{"do": "__init__"}',
            b'{"x": "' + b"y" * 200_000 + b'"}',
        ):
            writer.write(line + b"\n")
            answers.append(await reader.readline())
        writer.close()
        return answers

    assert all(b'"ok": false' in answer for answer in asyncio.run(speak()))
    asyncio.run(here.world.ping())


def test_a_world_that_is_not_there_is_trouble_in_plain_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(CannotAsk, match=f":{port}"):
        asyncio.run(World(SocksConnector(port, "any-token-at-all")).ping())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_though_clients_are_connected(start: Any, plan: Any, number: signal.Signals) -> None:
    with start(plan) as own:
        asyncio.run(own.world.ping())
        with (
            smtplib.SMTP(own.address, own.ports["mx"], local_hostname="x.example", timeout=20),
            socket.create_connection(("127.0.0.1", own.ports["proxy"]), timeout=20),
        ):
            own.process.send_signal(number)
            assert own.process.wait(20) == 0
    assert "Traceback" not in own.errors.read_text()


def test_a_plan_that_cannot_be_used_is_said_in_one_line(start: Any, plan: Any) -> None:
    del plan["listeners"]
    with pytest.raises(AssertionError, match=r"world: .*listeners"), start(plan):
        pass
