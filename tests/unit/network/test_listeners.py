from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hivelet.network import sockets
from hivelet.network.listeners import (
    Listener,
    OpenPorts,
    describe_listener,
    parse_listeners,
    select_open,
)

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0000000000000000 100 0 0 10 0
   1: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0000000000000000 100 0 0 10 0
   2: 0500000A:1F40 0100000A:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0000000000000000 20 4 30 10 -1
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1628 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4 1
   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 5 1
   2: 0000000000000000FFFF00000500000A:1F41 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 6 1
"""


def test_only_listeners_that_others_can_reach_count():
    listeners = [*parse_listeners(TCP, "tcp"), *parse_listeners(TCP6, "tcp")]
    assert select_open(listeners) == OpenPorts(ipv4={8000, 8001}, ipv6={5672})
    assert select_open(listeners).all == {8000, 8001, 5672}
    assert select_open(parse_listeners("header only\n", "tcp")) == OpenPorts()
    assert select_open([], listeners) == OpenPorts(udp={8000, 8001, 5672})


@pytest.mark.parametrize(
    ("packed", "address", "ipv6"),
    [
        ("0.0.0.0", "", False),
        ("10.0.0.5", "10.0.0.5", False),
        ("::", "", True),
        ("fd00::5", "fd00::5", True),
        ("::ffff:10.0.0.5", "10.0.0.5", False),
    ],
)
def test_an_address_of_either_family(packed, address, ipv6):
    family = socket.AF_INET6 if ":" in packed else socket.AF_INET
    listener = describe_listener(socket.inet_pton(family, packed), 80, 7)
    assert listener == Listener(address, 80, 7, ipv6)


@pytest.fixture(params=["diag", "tables"])
def door(request, monkeypatch):
    """Both ways in which the kernel tells of listeners."""
    if request.param == "tables":

        def unseen(states):
            raise sockets.SocketsUnseen("this kernel does not tell")

        monkeypatch.setattr(sockets, "_dump_all", unseen)


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize(
    ("address", "known", "ipv6"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "", False),
        ("::1", "::1", True),
        ("::", "", True),
    ],
)
def test_the_kernel_tells_who_listens(address, known, ipv6):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listening:
        listening.bind((address, 0))
        port = listening.getsockname()[1]
        assert port not in {found.port for found in sockets.list_listeners()}
        listening.listen()
        inode = int(socket_inode(listening))
        assert Listener(known, port, inode, ipv6) in sockets.list_listeners()


def test_the_kernel_tells_who_takes_datagrams_from_anybody():
    with (
        socket.socket(type=socket.SOCK_DGRAM) as receiving,
        socket.socket(type=socket.SOCK_DGRAM) as asking,
    ):
        receiving.bind(("127.0.0.1", 0))
        asking.connect(receiving.getsockname())
        _, receivers = sockets.list_listeners_of(Path("/proc/self/ns/net"), udp=True)
        ports = {found.port for found in receivers}
        assert receiving.getsockname()[1] in ports
        assert asking.getsockname()[1] not in ports


def socket_inode(found: socket.socket) -> str:
    """Its number in the tables."""
    return os.readlink(f"/proc/self/fd/{found.fileno()}").removeprefix("socket:[").rstrip("]")
