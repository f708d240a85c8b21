"""What the tables of a service's sockets say of its port."""

from __future__ import annotations

import pytest

from pytest_mailu.stack.readiness.services import is_listening

TABLES = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:8D4F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0200A8C0:1F90 0300A8C0:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:1470 00000000000000000000000000000000:0000 0A 00000000:00000000
"""
"""Of proc(5), /proc/net/tcp and tcp6: a connection to somebody's port 80, and a socket that listens on 5232."""


@pytest.mark.parametrize(("port", "listens"), [(5232, True), (80, False), (8080, False)])
def test_a_port_is_served_where_a_socket_listens_on_it(port: int, listens: bool) -> None:
    assert is_listening(TABLES, port) is listens
