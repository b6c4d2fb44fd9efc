"""What connection tracking forgets with a task, in either family: its own connections, and nobody else's."""

from __future__ import annotations

import asyncio
import socket

import pytest
from network_lab import HOST, HOST6, VIP, VIP6, sh

from hivelet.network import conntrack

WAYS = [
    pytest.param("outside", HOST, 8000, id="a-published-port"),
    pytest.param("outside", HOST6, 8000, id="a-published-port-by-ipv6"),
    pytest.param("host", "::1", 8000, id="loopback-by-ipv6"),
    pytest.param("caller", VIP, 80, id="the-vip"),
    pytest.param("caller", VIP6, 80, id="the-vip-by-ipv6"),
]


def close(connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    """At once: one whose task is gone never says that it has ended."""
    for _, writer in connections:
        writer.transport.abort()


async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Who answers on this connection."""
    writer.write(b"hello\n")
    async with asyncio.timeout(5):
        return (await reader.readline()).decode().split()[0]


@pytest.mark.parametrize(("where", "address", "port"), WAYS)
async def test_connections_live_through_the_removal_of_another_task(web, where, address, port):
    connections = [await web.connect(where, address, port) for _ in range(12)]
    names = [await say(*one) for one in connections]
    gone = names[0]
    await web.plane.withdraw(gone)
    await web.plane.remove_sandbox(gone.ljust(64, "0"))
    # Not in the order in which they were spread: one that is forgotten may not be given to its old task by chance.
    others = sorted(zip(names, connections, strict=True), key=lambda pair: pair[0])
    others = [(name, one) for name, one in others if name != gone]
    answers = await asyncio.gather(*(say(*one) for _, one in others), return_exceptions=True)
    close(connections)
    assert answers == [name for name, _ in others]
    assert len(answers) == 8


@pytest.mark.parametrize("host", [HOST, HOST6])
async def test_nothing_is_left_of_the_connections_of_a_task_that_is_gone(web, host):
    connections = [await web.connect("outside", host, 8000) for _ in range(3)]
    names = [await say(*one) for one in connections]
    sandbox = web.sandboxes[names[0]]
    known = sandbox.addresses6 if ":" in host else sandbox.addresses
    found = [conntrack.list_connections(address) for address in known.values()]
    assert {one.answered_by for part in found for one in part} <= set(known.values())
    assert any(found)
    await web.plane.withdraw(names[0])
    await web.plane.remove_sandbox(names[0].ljust(64, "0"))
    left = [conntrack.list_connections(address) for address in known.values()]
    close(connections)
    assert not any(left)


@pytest.mark.parametrize("host", [HOST, HOST6])
async def test_flows_are_left_until_they_are_answered(web, host):
    """A datagram that a leaving task has in hand gets its answer; then its client is given to another task."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as door:
        door.setblocking(False)
        await loop.sock_connect(door, (host, 8000))
        await loop.sock_sendall(door, b"hello")
        async with asyncio.timeout(2):
            name = (await loop.sock_recv(door, 100)).decode().split()[0]
        assert await web.plane.unanswered(name) == 0
        await web.plane.withdraw(name, with_flows=False)
        await loop.sock_sendall(door, b"hello")
        async with asyncio.timeout(2):
            assert (await loop.sock_recv(door, 100)).decode().split()[0] == name
        await web.plane.forget_flows(name)
        await loop.sock_sendall(door, b"hello")
        async with asyncio.timeout(2):
            assert (await loop.sock_recv(door, 100)).decode().split()[0] != name


@pytest.mark.parametrize("host", [HOST, HOST6])
async def test_who_has_no_answer_is_counted(web, host):
    for transport in web.transports:
        transport.pause_reading()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as door:
        door.connect((host, 8000))
        door.send(b"hello")
        waiting = [await web.plane.unanswered(name) for name in ("web1", "web2", "web3")]
    assert sorted(waiting) == [0, 0, 1]
    assert "UNREPLIED" in sh(f"conntrack -L -f {'ipv6' if ':' in host else 'ipv4'} -p udp")
