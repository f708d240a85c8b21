from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from pytest_mailu.core.model import Vantage
from pytest_mailu.stack.world.control import World
from pytest_mailu.wire.transport.connector import SocksConnector
from pytest_mailu.wire.transport.errors import CannotAsk


async def through(here: Any, vantage: str, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    proxy = Proxy(ProxyType.SOCKS5, "127.0.0.1", here.ports["proxy"], username=vantage, password=here.token, rdns=True)
    return await asyncio.open_connection(sock=await proxy.connect(host, port, timeout=20))


async def serve(address: str, handler: Any) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(handler, address, 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("vantage", [one for one in Vantage if not one.over_ipv6])
def test_a_connection_comes_from_the_address_of_its_vantage(here: Any, segments: Any, vantage: Vantage) -> None:
    async def tell_peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        writer.close()

    async def ask() -> str:
        server, port = await serve(str(segments[vantage].front), tell_peer)
        async with server:
            reader, writer = await through(here, vantage, "front", port)
            answer = await reader.read()
            writer.close()
            return answer.decode()

    assert asyncio.run(ask()) == str(segments[vantage].client)


def refusal(here: Any, vantage: str, host: str, port: int) -> int:
    with pytest.raises(ProxyError) as refused:
        asyncio.run(through(here, vantage, host, port))
    return int(refused.value.error_code or 0)


def test_a_closed_port_is_refused_in_the_words_of_socks(here: Any, segments: Any) -> None:
    with socket.socket() as taken:
        taken.bind((str(segments[Vantage.STRANGER].front), 0))  # bound, so nobody else can listen there; not listening
        assert refusal(here, "stranger", "front", taken.getsockname()[1]) == 5


@pytest.mark.parametrize(
    ("vantage", "host"),
    [
        ("stranger", "192.0.2.1"),
        ("stranger", "127.0.0.1"),
        ("stranger", "127.0.53.11"),
        ("stranger", "127.0.51.1"),
        ("stranger", "mx.elsewhere.example"),
        ("inside", "localhost"),
        ("nobody", "front"),
        ("stranger", "host.docker.internal"),
    ],
)
def test_nothing_is_forwarded_to_anywhere_else(here: Any, vantage: str, host: str) -> None:
    assert refusal(here, vantage, host, here.ports["proxy"]) == 2


def test_services_inside_are_reached_by_name_and_only_from_inside(here: Any, start: Any, plan: Any) -> None:
    with start(plan) as own, socket.create_server(("127.0.53.13", 0)) as listening:
        port = listening.getsockname()[1]
        assert refusal(own, "stranger", "imap", port) == 2

        async def connect() -> None:
            _, writer = await through(own, "inside", "imap", port)
            writer.close()

        asyncio.run(connect())
        peer = listening.accept()[1][0]
    assert peer == own.address


def test_only_connect_is_done(here: Any) -> None:
    with socket.create_connection(("127.0.0.1", here.ports["proxy"]), timeout=20) as sock:
        token = here.token.encode()
        sock.sendall(b"\x05\x01\x02" + b"\x01\x08stranger" + bytes([len(token)]) + token)
        assert sock.recv(2) == b"\x05\x02"
        assert sock.recv(2) == b"\x01\x00"
        sock.sendall(b"\x05\x02\x00\x03\x05front\x00\x19")
        assert sock.recv(10)[1] == 7


def test_large_data_goes_both_ways_whole_and_a_half_close_is_passed_on(here: Any, segments: Any) -> None:
    data = bytes(range(256)) * 40_000

    async def answer_after_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = await reader.read()
        writer.write(received[::-1])
        writer.close()

    async def exchange() -> bytes:
        server, port = await serve(str(segments[Vantage.STRANGER].front), answer_after_the_end)
        async with server:
            reader, writer = await through(here, "stranger", "front", port)
            writer.write(data)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(exchange()) == data[::-1]


def test_a_reset_by_the_server_is_a_reset_for_the_client(here: Any, segments: Any) -> None:
    async def hang_up_rudely(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def wait() -> bytes:
        server, port = await serve(str(segments[Vantage.STRANGER].front), hang_up_rudely)
        async with server:
            reader, writer = await through(here, "stranger", "front", port)
            try:
                writer.write(b"hello\n")
                return await reader.read()
            finally:
                writer.close()

    with pytest.raises(ConnectionResetError):
        asyncio.run(wait())


def test_many_connections_at_once(here: Any, segments: Any) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def one(port: int, number: int) -> bool:
        reader, writer = await through(here, "relaynet", "front", port)
        writer.write(b"%d\n" % number)
        answer = await reader.read()
        writer.close()
        return answer == b"%d\n" % number

    async def all_of_them() -> list[bool]:
        server, port = await serve(str(segments[Vantage.RELAYNET].front), echo)
        async with server:
            return await asyncio.gather(*(one(port, number) for number in range(200)))

    assert all(asyncio.run(all_of_them()))


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\x05", b"\x05\x01\x00", b"\xff" * 500, b""])
def test_rubbish_is_survived(here: Any, rubbish: bytes) -> None:
    with socket.create_connection(("127.0.0.1", here.ports["proxy"]), timeout=20) as sock:
        sock.sendall(rubbish)
    asyncio.run(here.world.ping())


@pytest.mark.parametrize("user", ["stranger", "inside", "control"])
@pytest.mark.parametrize("password", ["", "x", "stranger", "a-token-of-this-ru", "a-token-of-this-runx", "y" * 255])
def test_without_the_token_of_the_run_nobody_gets_in(here: Any, user: str, password: str) -> None:
    with socket.create_connection(("127.0.0.1", here.ports["proxy"]), timeout=20) as sock:
        sock.sendall(
            b"\x05\x01\x02" + bytes([1, len(user)]) + user.encode() + bytes([len(password)]) + password.encode()
        )
        assert sock.recv(2) == b"\x05\x02"
        assert sock.recv(2) == b"\x01\x01"
        assert sock.recv(1) == b""


def test_a_client_that_offers_no_password_is_refused(here: Any) -> None:
    with socket.create_connection(("127.0.0.1", here.ports["proxy"]), timeout=20) as sock:
        sock.sendall(b"\x05\x01\x00")
        assert sock.recv(2) == b"\x05\xff"
        assert sock.recv(1) == b""


def test_a_wrong_token_cannot_ask_the_control_channel_and_is_told_so_without_it(here: Any) -> None:
    with pytest.raises(CannotAsk) as refused:
        asyncio.run(World(SocksConnector(here.ports["proxy"], "a-wrong-token-of-mine")).ping())
    assert "a-wrong-token-of-mine" not in str(refused.value)
    assert here.token not in here.errors.read_text()


def test_nothing_listens_for_clients_where_the_servers_under_test_are(here: Any) -> None:
    """The world has its mail servers, mailboxes, DNS and policies open, no more: clients come by the ingress alone."""
    listening = {"dns", "https", "mx", "relayed", "relay-plain", "relay-starttls", "relay-tls", "relay-insecure"}
    listening |= {f"{protocol}-{tls}" for protocol in ("imap", "pop3") for tls in ("plain", "starttls", "tls")}
    lines = [line.split() for line in Path(f"/proc/{here.process.pid}/net/tcp").read_text().splitlines()[1:]]
    held = {str(link.readlink()) for link in Path(f"/proc/{here.process.pid}/fd").iterdir()}
    own = {
        int(address.partition(":")[2], 16)
        for _, address, _, state, *_, inode in (line[:10] for line in lines)
        if state == "0A" and f"socket:[{inode}]" in held
    }
    assert own == {here.ports[name] for name in listening}


def test_a_reset_by_the_client_is_a_reset_for_the_server(here: Any, segments: Any) -> None:
    ended: list[str] = []

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ended.append(repr(await reader.read()))
        except ConnectionResetError:
            ended.append("reset")
        writer.close()

    async def hang_up() -> None:
        server, port = await serve(str(segments[Vantage.STRANGER].front), wait_for_the_end)
        async with server:
            _, writer = await through(here, "stranger", "front", port)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            async with asyncio.timeout(20):
                while not ended:
                    await asyncio.sleep(0.01)

    asyncio.run(hang_up())
    assert ended == ["reset"]


def test_a_world_that_comes_later_is_waited_for_and_one_that_has_gone_is_not_asked(tmp_path: Path) -> None:
    """At the ingress: a client is served by a world that is there, whatever was there before."""
    script = "import sys; from pytest_mailu.worldapp import ingress; ingress.serve(sys.argv[1], 0, '127.0.0.1')"
    with TemporaryDirectory(prefix="ingress-") as short:
        path = f"{short}/socket"
        command = [sys.executable, "-c", script, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                port = json.loads(process.stdout.readline())["ports"]["proxy"]
                with socket.socket(socket.AF_UNIX) as gone:
                    gone.connect(path)
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=20) as client,
                    socket.socket(socket.AF_UNIX) as world,
                ):
                    client.sendall(b"hello")
                    world.settimeout(20)
                    world.connect(path)
                    assert world.recv(1) == b"+"
                    assert world.recv(5) == b"hello"
                    world.sendall(b"there")
                    world.shutdown(socket.SHUT_WR)
                    assert client.recv(10) == b"there"
                    assert client.recv(10) == b""
            finally:
                process.kill()


def test_a_plan_without_a_token_is_refused(start: Any, plan: Any) -> None:
    for token in ("", "short", 7, None, "x" * 256):
        plan["proxy"]["token"] = token
        with pytest.raises(AssertionError, match=r"world: .*token"), start(plan):
            pass
