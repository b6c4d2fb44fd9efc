"""Who may not reach whom, tried by a member that has every right in its own namespace: TCP, UDP, pings, forged packets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess

import pytest
from network_lab import (
    GATEWAY,
    HOST,
    INGRESS,
    INSIDE,
    OTHER,
    OUTSIDE,
    VIP,
    WEBNET,
    backend,
    sh,
    web_service,
)

from hivelet.network.netns import inside
from hivelet.objects.task import PortConfig

CLOSED = WEBNET.replaced(
    id="closed0000000000000000000",
    name="app_closed",
    subnet="10.0.4.0/24",
    gateway="10.0.4.1",
    icc=False,
)


@pytest.fixture
async def web(lab):
    """A published service in one network; members of others, who have a route to everywhere."""
    lab.plane.set_services(web_service())
    sandbox = await lab.task("web1", (WEBNET, "10.0.1.3/24"), (INGRESS, "10.0.0.3/24"))
    await lab.plane.admit(backend(sandbox, "web1"))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None))
    await lab.task("other", (OTHER, "10.0.2.3/24"), (GATEWAY, None))
    await lab.task("inner", (INSIDE, "10.0.3.3/24"))
    await lab.task("hidden", (INSIDE, "10.0.3.4/24"))
    await lab.task("shut1", (CLOSED, "10.0.4.3/24"), (GATEWAY, None))
    await lab.task("shut2", (CLOSED, "10.0.4.4/24"), (GATEWAY, None))
    await asyncio.to_thread(_route, lab)
    return lab


def _route(lab):
    # What a container with NET_ADMIN would do: its own network's gateway as the way to every other.
    for name, gateway in (("other", "10.0.2.1"), ("inner", "10.0.3.1"), ("shut1", "10.0.4.1")):
        with inside(lab.netns(name)):
            sh(
                f"ip route add 10.0.0.0/16 via {gateway}; ip route add 198.51.100.0/24 via {gateway}"
            )
    with inside(lab.outside):
        sh(f"ip route add 10.0.0.0/8 via {HOST}; ip route add 172.20.0.0/16 via {HOST}")


def ping(netns, address):
    with inside(netns):
        done = subprocess.run(
            ["busybox", "ping", "-c1", "-W1", address], capture_output=True, check=False
        )
    return done.returncode == 0


async def reached(lab, where, address, port):
    """The ways by which somebody answers at an address."""
    ways = []
    for way, ask in (("tcp", lab.ask), ("udp", lab.ask_udp)):
        try:
            await ask(where, address, port, within=0.7)
        except OSError:
            continue
        ways.append(way)
    if await asyncio.to_thread(ping, lab.netns(where), address):
        ways.append("ping")
    return ways


@pytest.mark.parametrize(
    ("where", "address"),
    [
        pytest.param("other", "10.0.1.3", id="another-networks-task"),
        pytest.param("other", VIP, id="another-networks-vip"),
        pytest.param("other", "10.0.1.1", id="another-networks-gateway"),
        pytest.param("other", "10.0.0.3", id="a-task-in-ingress"),
        pytest.param("other", "10.0.3.3", id="a-task-in-an-internal-network"),
        pytest.param("other", "10.0.3.1", id="an-internal-networks-gateway"),
        pytest.param("inner", "10.0.1.3", id="out-of-an-internal-network-to-a-task"),
        pytest.param("inner", VIP, id="out-of-an-internal-network-to-a-vip"),
        pytest.param("inner", OUTSIDE, id="out-of-an-internal-network-to-the-world"),
        pytest.param("shut1", "10.0.4.4", id="a-neighbour-without-icc"),
        pytest.param("outside", "10.0.1.3", id="a-task-from-outside"),
        pytest.param("outside", "10.0.3.3", id="an-internal-task-from-outside"),
        pytest.param("outside", "172.20.0.2", id="a-leg-in-the-gateway-bridge-from-outside"),
    ],
)
async def test_is_not_reached(web, where, address):
    assert await reached(web, where, address, 80) == []


async def test_is_reached(web):
    """The same questions where they are allowed: the test above would otherwise prove nothing."""
    assert await reached(web, "caller", "10.0.1.3", 80) == ["tcp", "udp", "ping"]
    assert await reached(web, "inner", "10.0.3.4", 80) == ["tcp", "udp", "ping"]
    assert (await web.ask("caller", VIP, 80))[0] == "web1"
    assert await asyncio.to_thread(ping, web.netns("caller"), VIP)
    assert await asyncio.to_thread(ping, web.netns("caller"), "10.0.1.1")
    assert await asyncio.to_thread(ping, web.netns("other"), OUTSIDE)
    for where in ("other", "shut1", "outside"):
        assert (await web.ask(where, HOST, 8000))[0] == "web1"
        assert (await web.ask_udp(where, HOST, 8000))[0] == "web1"


async def test_a_published_port_is_no_way_out_of_an_internal_network(web):
    for address in (HOST, "10.0.3.1"):
        with pytest.raises(OSError):
            await web.ask("inner", address, 8000, within=0.7)


async def test_services_of_the_host(web):
    """On all addresses: reached at the host's and at one's own gateway, as in Docker; on loopback: by nobody."""

    async def answer(_, writer):
        writer.write(b"host\n")
        await writer.drain()
        writer.close()

    for address, port in (("0.0.0.0", 9000), ("127.0.0.1", 9001), ("10.0.2.1", 9002)):
        web.servers.append(await asyncio.start_server(answer, address, port))
    assert await web.ask("caller", HOST, 9000) == ["host"]
    assert await web.ask("caller", "10.0.1.1", 9000) == ["host"]
    for where, address, port in (
        ("caller", "127.0.0.1", 9001),
        ("caller", "10.0.1.1", 9001),
        ("caller", "10.0.2.1", 9002),
        ("caller", "10.0.2.1", 9000),
        ("caller", "127.0.0.11", 9000),
    ):
        with pytest.raises(OSError):
            await web.ask(where, address, port, within=0.7)
    for address in ("10.0.3.1", HOST):
        with pytest.raises(ConnectionRefusedError):
            await web.ask("inner", address, 9000)
    with pytest.raises(ConnectionRefusedError):
        await web.ask_udp("inner", "10.0.3.1", 9000)


async def test_names_of_another_network(web):
    server = web.sandboxes["caller"].resolv_conf.split()[1]
    assert await web.dig("caller", "web") == (0, [VIP])
    assert (await web.dig("other", "web"))[1] == []
    with pytest.raises(TimeoutError):
        await web.dig("other", "web", server=server)
    assert await web.dig("inner", "app_hidden") == (0, ["10.0.3.4"])


@pytest.mark.parametrize("first", [WEBNET, INSIDE], ids=["the-other-first", "the-internal-first"])
async def test_a_members_second_network_is_no_way_to_its_names(web, first):
    """The resolver of a task in two networks knows both, and the world: it answers that task, and nobody who shares one."""
    legs = [(WEBNET, "10.0.1.12/24"), (INSIDE, "10.0.3.12/24")]
    both = await web.task("both", *sorted(legs, key=lambda leg: leg[0] is not first))
    server = both.resolv_conf.split()[1]
    for asked in (None, "127.0.0.11"):
        assert await web.dig("both", "web", server=asked) == (0, [VIP])
        assert await web.dig("both", "app_hidden", server=asked) == (0, ["10.0.3.4"])
    for name, gateway in (("inner", "10.0.3.1"), ("caller", "10.0.1.1")):
        with inside(web.netns(name)):
            sh(f"ip route add {server}/32 via {gateway}")
        with pytest.raises(TimeoutError):
            await web.dig(name, "app_both", server=server)
        with pytest.raises(TimeoutError):
            await web.connect(name, server, 53, within=0.7)
        assert (await web.dig(name, "app_both"))[1] != []  # its own answers
    assert (await web.dig("inner", "web"))[1] == []


# ---- forged packets


def _udp(source, target, sport, dport, data):
    """An IPv4 packet with whatever source."""
    length = 8 + len(data)
    header = struct.pack(
        ">BBHHHBBH4s4s",
        *(0x45, 0, 20 + length, 1, 0, 64, socket.IPPROTO_UDP, 0),
        socket.inet_aton(source),
        socket.inet_aton(target),
    )
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + header[12:]
    return header + struct.pack(">HHHH", sport, dport, length, 0) + data


def _listen(netns, address, port):
    with inside(netns) if netns else contextlib.nullcontext():
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind((address, port))
    door.setblocking(False)
    return door


def _send(netns, packet, target, port):
    with inside(netns), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as door:
        door.sendto(packet, (target, port))


@pytest.mark.parametrize(
    ("forger", "source", "arrives"),
    [
        pytest.param("caller", "10.0.1.10", True, id="in-its-own-name"),
        pytest.param("caller", VIP, False, id="in-the-vips"),
        pytest.param("caller", "10.0.1.1", False, id="in-the-gateways"),
        pytest.param("caller", "10.0.2.3", False, id="in-anothers"),
        pytest.param("caller", OUTSIDE, False, id="in-a-clients"),
        pytest.param("other", "10.0.2.3", False, id="from-another-network"),
        pytest.param("other", "10.0.1.10", False, id="from-another-network-in-a-members"),
    ],
)
async def test_a_forged_source(web, forger, source, arrives):
    """A datagram to a member of a network, with any source that NET_RAW lets one write."""
    loop = asyncio.get_running_loop()

    with await asyncio.to_thread(_listen, web.netns("web1"), "10.0.1.3", 7000) as door:
        packet = _udp(source, "10.0.1.3", 4000, 7000, b"forged")
        await asyncio.to_thread(_send, web.netns(forger), packet, "10.0.1.3", 7000)
        try:
            async with asyncio.timeout(0.7):
                data, peer = await loop.sock_recvfrom(door, 100)
        except TimeoutError:
            assert not arrives
        else:
            assert arrives
            assert (data, peer[0]) == (b"forged", source)


async def test_a_forger_cannot_break_into_a_connection(web):
    """A client from outside speaks with a task; another network's member sends in the client's name."""
    loop = asyncio.get_running_loop()

    port = PortConfig(target_port=81, published_port=8081, protocol="udp")
    web.plane.set_services(web_service(ports=[port]))
    await web.plane.admit(backend(web.sandboxes["web1"], "web1"))
    with (
        await asyncio.to_thread(_listen, web.netns("web1"), "10.0.0.3", 81) as server,
        await asyncio.to_thread(_listen, web.outside, OUTSIDE, 5000) as client,
    ):
        await loop.sock_sendto(client, b"honest", (HOST, 8081))
        async with asyncio.timeout(3):
            assert await loop.sock_recv(server, 100) == b"honest"
        for target, dport in ((HOST, 8081), ("10.0.0.3", 81)):
            packet = _udp(OUTSIDE, target, 5000, dport, b"forged")
            await asyncio.to_thread(_send, web.netns("other"), packet, target, dport)
        await loop.sock_sendto(client, b"again", (HOST, 8081))
        async with asyncio.timeout(3):
            assert await loop.sock_recv(server, 100) == b"again"


async def test_a_forged_frame_is_no_way_into_another_bridge(web):
    """Sent to the bridge's own MAC, for an address in another network: routed by the host, and dropped there."""
    loop = asyncio.get_running_loop()

    def send():
        with inside(web.netns("other")), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as door:
            door.bind(("eth0", 0))
            ethernet = bytes.fromhex("02420a000201") + bytes.fromhex("02420a000203") + b"\x08\x00"
            for target, port in (("10.0.1.3", 7000), (HOST, 9003)):
                door.send(ethernet + _udp("10.0.2.3", target, 4000, port, b"forged"))

    with (
        await asyncio.to_thread(_listen, web.netns("web1"), "10.0.1.3", 7000) as task,
        await asyncio.to_thread(_listen, None, HOST, 9003) as host,
    ):
        await asyncio.to_thread(send)
        async with asyncio.timeout(3):
            assert await loop.sock_recv(host, 100) == b"forged", "the frames do arrive"
        honest = _udp("10.0.1.10", "10.0.1.3", 4000, 7000, b"honest")
        await asyncio.to_thread(_send, web.netns("caller"), honest, "10.0.1.3", 7000)
        async with asyncio.timeout(3):
            assert await loop.sock_recv(task, 100) == b"honest", "and no other before it"
