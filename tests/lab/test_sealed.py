"""Nothing in a running stack reaches this machine or another one, tried from inside each container of it.

Listeners of the test's own stand on this machine, on every address and on IPv4 and IPv6. Every container of the stack
dials every address of this machine, the first address of each network of the run, and addresses elsewhere; it also
names its network interfaces, for which no route is needed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.stack.docker.engine import Engine
from pytest_mailu.stack.docker.images import Pull
from pytest_mailu.stack.docker.labels import RUN, RunIdentity
from pytest_mailu.stack.docker.subnets import SubnetAllocator
from pytest_mailu.stack.docker.sweep import remove
from pytest_mailu.stack.evidence.container_io import execute
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.preflight import preflight
from pytest_mailu.stack.stack import Stack, running
from tests.lab.build import build
from tests.lab.trial import lab_images

pytestmark = pytest.mark.engine

ELSEWHERE = ("1.1.1.1", "8.8.8.8", "169.254.169.254", "2606:4700:4700::1111")
DIAL = """
import json, os, socket, struct, sys, threading
port, targets = int(sys.argv[1]), sys.argv[2:]
interfaces = [name for name in os.listdir("/sys/class/net") if name != "lo"]
indexes = [int(open(f"/sys/class/net/{name}/ifindex").read()) for name in interfaces]
reached = []
def dial(family, address, kind, interface=""):
    with socket.socket(family, kind) as sock:
        sock.settimeout(6)
        try:
            if interface:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
            sock.connect(address)
            if kind == socket.SOCK_DGRAM:
                sock.send(b"?")
                sock.recv(1)
            reached.append([address[0], kind])
        except ConnectionRefusedError:
            reached.append([address[0], "refused", kind])
        except OSError:
            pass
threads = []
for target in targets:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        if ":" not in target:
            places = [(socket.AF_INET, (target, port))]
        elif target.startswith("fe80"):
            places = [(socket.AF_INET6, (target, port, 0, index)) for index in indexes]
        else:
            places = [(socket.AF_INET6, (target, port))]
        threads += [threading.Thread(target=dial, args=(family, address, kind)) for family, address in places]
        if ":" not in target:
            named = [(socket.AF_INET, (target, port), kind, name) for name in interfaces]
            threads += [threading.Thread(target=dial, args=args) for args in named]
for thread in threads: thread.start()
for index in indexes:
    for target in targets:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                pktinfo = struct.pack("iII", index, 0, 0)
                sock.sendmsg([b"?"], [(socket.IPPROTO_IP, 8, pktinfo)], 0, (target, port))
        except OSError:
            pass
for thread in threads: thread.join()
print(json.dumps(reached))
"""
"""Run in a container: what answers, be it with a refusal; time-outs and missing routes are no answer."""


ENTER = """
import socket, sys
token, world = sys.argv[1].encode(), sys.argv[2:]
answers = []
for address in ("world", *world):
    for user in (b"control", b"inside"):
        try:
            with socket.create_connection((address, 1080), timeout=6) as sock:
                hello = b"\\x05\\x01\\x02\\x01" + bytes([len(user)]) + user + bytes([len(token)]) + token
                sock.sendall(hello)
                answers.append(sock.recv(2))
        except OSError:
            pass
print([answer for answer in answers if answer])
"""
"""Run in a container: what the world's SOCKS proxy answers there to a client that has the token."""


@contextmanager
def listeners() -> Iterator[tuple[int, list[str]]]:
    """A port that TCP and UDP listeners of ours have on every address of this machine, and who came."""
    came: list[str] = []
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []
    end = threading.Event()
    port = 0
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(family, kind)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
            port = sock.getsockname()[1]
            if kind == socket.SOCK_STREAM:
                sock.listen()
            sockets.append(sock)
            sock.settimeout(0.5)
            threads.append(threading.Thread(target=_note, args=(sock, kind, came, end)))
    for thread in threads:
        thread.start()
    try:
        yield port, came
    finally:
        # Closed only when nobody reads any more: the number of a closed socket may be another one's by then.
        end.set()
        for thread in threads:
            thread.join()
        for sock in sockets:
            sock.close()


def _note(sock: socket.socket, kind: int, came: list[str], end: threading.Event) -> None:
    while not end.is_set():
        try:
            if kind == socket.SOCK_STREAM:
                connection, peer = sock.accept()
                connection.close()
            else:
                _, peer = sock.recvfrom(10)
                sock.sendto(b"!", peer)
        except TimeoutError:
            continue
        except OSError:
            return
        came.append(peer[0])


def own_addresses() -> list[str]:
    """Every address of this machine but loopback, of IPv4 (from /proc) and IPv6."""
    four = {address for line in _local_lines() if not (address := line.split()[1]).startswith("127.")}
    six = []
    path = Path("/proc/net/if_inet6")
    for line in path.read_text().splitlines() if path.exists() else []:
        digits, name = line.split()[0], line.split()[-1]
        if name != "lo":
            six.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    return [*sorted(four), *sorted(set(six))]


def _local_lines() -> Iterator[str]:
    """The lines of /proc/net/fib_trie that name a local address."""
    before = ""
    for line in Path("/proc/net/fib_trie").read_text().splitlines():
        if "host LOCAL" in line:
            yield before
        before = line


def test_no_container_of_a_stack_reaches_this_machine_or_another_one_or_enters_the_world() -> None:
    build()
    engine, run = Engine.connect(), RunIdentity.new()

    async def dial_from_everywhere(port: int) -> dict[str, list[object]]:
        plan = StackPlan("old", Release.parse("2024.06"), pull=Pull.NEVER)
        stack = Stack(plan, run, engine, await preflight(engine, 1), SubnetAllocator(engine))
        async with running([stack]):
            targets = [*own_addresses(), *(str(net[1]) for net in stack.layout.networks), *ELSEWHERE]
            assert str(stack.layout.outside[1]) in targets
            containers = engine.containers_now(f"{RUN}={run.id}")
            assert {c.labels["com.docker.compose.service"] for c in containers} >= {
                "front",
                "smtp",
                "world",
                "ingress",
            }
            dialled = [
                asyncio.to_thread(execute, container, ["python3", "-c", DIAL, str(port), *targets])
                for container in containers
            ]
            results = await asyncio.gather(*dialled)
            assert not [result.errors for result in results if result.code]
            ways = [
                stack.world.proxy.token,
                *(str(stack.layout.segment(vantage).world) for vantage in stack.layout.vantages),
            ]
            entered = await asyncio.gather(
                *(
                    asyncio.to_thread(execute, container, ["python3", "-c", ENTER, *ways])
                    for container in containers
                    if container.labels["com.docker.compose.service"] not in ("world", "ingress")
                )
            )
            assert {(result.code, result.output.strip()) for result in entered} == {(0, "[]")}
            assert (await stack.world.ping())["last"] == 0
            reached = {
                container.labels["com.docker.compose.service"]: json.loads(result.output)
                for container, result in zip(containers, results, strict=True)
            }
            assert set(reached) == {*stack.project.services, "world", "ingress"}
            return reached

    try:
        with listeners() as (port, came), lab_images():
            reached = asyncio.run(dial_from_everywhere(port))
            assert {name: found for name, found in reached.items() if found} == {}
            assert came == []
    finally:
        remove(engine, run.id)
        engine.close()
