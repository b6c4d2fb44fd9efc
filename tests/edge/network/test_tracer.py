"""The tracer against the kernel: the same rules, the same packets, and both must say the same of each.

The tracer reads the table as the kernel lists it; the kernel's own word on the chains comes from `nft monitor trace`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import subprocess
from dataclasses import dataclass, field

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
    Lab,
    _open,
    backend,
    sh,
    web_service,
)

from hivelet.network.names import bridge_name
from hivelet.network.netns import inside
from hivelet.objects.endpoint import ServiceEntry
from hivelet.objects.task import PortConfig
from hivelet.testing.packets.expressions import Packet
from hivelet.testing.packets.ruleset import parse_ruleset
from hivelet.testing.packets.tracer import Host, Trace, Tracer

EMPTY_VIP = "10.0.1.20"
LOOPBACK_PORT = PortConfig(target_port=80, published_port=8001, host_ip="127.0.0.1")
RESOLVER_PORT = PortConfig(target_port=80, published_port=53, protocol="udp")
WATCH = """table ip watch {
  chain prerouting { type filter hook prerouting priority -400; meta nftrace set 1; }
  chain output { type filter hook output priority -400; meta nftrace set 1; }
}
"""
_JUMPED = re.compile(r"\(verdict (?:jump|goto) ([^\s)]+)\)")
_TRACED = re.compile(r"trace id (\w+) ip hivelet (\S+) ?(.*)")


@pytest.fixture
async def web(lab: Lab):
    """Three web tasks, a service without any, an affine one, callers in four networks."""
    ports = [*web_service()["webid"].ports, LOOPBACK_PORT, RESOLVER_PORT]
    affine = ServiceEntry(
        service_id="affineid",
        name="affine",
        affinity=True,
        ports=[PortConfig(target_port=80, published_port=8003)],
    )
    empty = ServiceEntry(
        service_id="emptyid",
        name="empty",
        vips={WEBNET.id: EMPTY_VIP},
        ports=[PortConfig(target_port=80, published_port=8002)],
    )
    lab.plane.set_services(web_service(ports=ports) | {"affineid": affine, "emptyid": empty})
    for number in (1, 2, 3):
        legs = ((WEBNET, f"10.0.1.{number + 2}/24"), (INGRESS, f"10.0.0.{number + 2}/24"))
        sandbox = await lab.task(f"web{number}", *legs)
        await lab.plane.admit(backend(sandbox, f"web{number}"))
        await lab.plane.admit(backend(sandbox, f"affine{number}", "affine"))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None))
    await lab.task("other", (OTHER, "10.0.2.3/24"), (GATEWAY, None))
    await lab.task("inner", (INSIDE, "10.0.3.3/24"))
    await lab.task("hidden", (INSIDE, "10.0.3.4/24"))
    return lab


@dataclass
class Watcher:
    """What the kernel says of the chains that packets visit, by the packet's source port.

    A packet's id there is made anew where a bridge passes it up, so it holds for one base chain only.
    """

    process: asyncio.subprocess.Process
    chains: dict[int, list[str]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if found := _TRACED.match(line.decode()):
                packet, chain, words = found.groups()
                if port := re.search(r"(?:tcp|udp) sport (\d+)", words):
                    self.ports[packet] = int(port[1])
                visited = self.chains.setdefault(self.ports.get(packet, 0), [])
                # Of a chain none of whose rules applied the kernel tells no more than the way into it.
                into = _JUMPED.search(words)
                visited += [
                    c for c in (chain, *(into.groups() if into else ())) if c not in visited
                ]

    async def visited(self, port: int, trace: Trace) -> list[str]:
        """The chains that the first packet from a port met, once the kernel has told as many as were foretold."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while len(self.chains.get(port, ())) < len(trace.chains):
                    await asyncio.sleep(0.01)
        return self.chains.get(port, [])


@pytest.fixture
async def watcher(web):
    subprocess.run(["nft", "-f", "-"], input=WATCH, text=True, check=True)
    process = await asyncio.create_subprocess_exec(
        "stdbuf", "-oL", "nft", "monitor", "trace", stdout=asyncio.subprocess.PIPE
    )
    watcher = Watcher(process)
    reading = asyncio.ensure_future(watcher.read())
    async with asyncio.timeout(10):  # until it listens: a packet that it has seen
        while not watcher.chains:
            with contextlib.suppress(OSError, TimeoutError):
                await web.ask("host", "127.0.0.1", 22, within=0.2)
            await asyncio.sleep(0.05)
    yield watcher
    process.terminate()
    await process.wait()
    await reading


def tracer() -> Tracer:
    """The kernel's table and the kernel's links."""
    links = {
        link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]]
        for link in json.loads(sh("ip -json -4 address"))
        if link["ifname"] != "lo"
    }
    routed = {
        link
        for link in links
        if sh(f"cat /proc/sys/net/ipv4/conf/{link}/route_localnet").strip() == "1"
    }
    host = Host(links, loopback_routed=frozenset(routed))
    return Tracer(parse_ruleset(sh("nft list table ip hivelet")), host)


@dataclass
class Answered:
    """What really came of a packet: "sent", "received", "refused" or "dropped", and who answered whom."""

    outcome: str
    sport: int
    source: str
    name: str = ""
    seen: str = ""


async def send(lab: Lab, where: str, address: str, port: int, protocol: str) -> Answered:
    """One connection or question, for real."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    door = await asyncio.to_thread(_open, lab.netns(where), kind)
    loop = asyncio.get_running_loop()
    with door:
        # Known before the first packet leaves, so that a refused one is known too.
        scout = await asyncio.to_thread(_open, lab.netns(where), socket.SOCK_DGRAM)
        with scout:
            scout.connect((address, port))
            source = scout.getsockname()[0]
        door.bind((source, 0))
        sport = door.getsockname()[1]
        try:
            async with asyncio.timeout(0.4):
                await loop.sock_connect(door, (address, port))
                await loop.sock_sendall(door, b"hello\n")
                words = (await loop.sock_recv(door, 200)).decode().split()
        except TimeoutError:
            return Answered("dropped", sport, source)
        except ConnectionError:
            return Answered("refused", sport, source)
        return Answered("sent", sport, source, *words[:2])


def foretell(
    lab: Lab, way: Tracer, where: str, packet: tuple[str, int, str], got: Answered
) -> Trace:
    """The same packet through the tracer; where it comes in follows from its source."""
    address, port, protocol = packet
    iif = ""
    if where == "outside":
        iif = "uplink"
    elif where != "host":
        sandbox = lab.sandboxes[where]
        (network_id,) = [n for n, own in sandbox.addresses.items() if own == got.source]
        iif = bridge_name(lab.plane.networks()[network_id])
    return way.trace(
        Packet(
            source=got.source,
            destination=address,
            protocol=protocol,
            sport=got.sport,
            dport=port,
            iif=iif,
        )
    )


# From where, to which address and port; the tracer says what must come of it.
PACKETS = [
    *(("outside", HOST, 8000, "tcp"),) * 4,
    ("outside", HOST, 8000, "udp"),
    ("outside", HOST, 53, "udp"),
    ("outside", HOST, 8003, "tcp"),
    ("outside", HOST, 8002, "tcp"),
    ("outside", HOST, 8001, "tcp"),
    ("outside", "10.0.1.3", 80, "tcp"),
    ("outside", VIP, 80, "tcp"),
    ("host", "127.0.0.1", 8000, "tcp"),
    ("host", "127.0.0.1", 8001, "tcp"),
    ("host", "127.0.0.1", 8003, "tcp"),
    ("host", HOST, 8000, "tcp"),
    ("host", HOST, 8000, "udp"),
    ("host", VIP, 80, "tcp"),
    ("host", EMPTY_VIP, 80, "tcp"),
    *(("caller", VIP, 80, "tcp"),) * 4,
    ("caller", VIP, 80, "udp"),
    ("caller", EMPTY_VIP, 80, "tcp"),
    ("caller", EMPTY_VIP, 80, "udp"),
    ("caller", HOST, 8000, "tcp"),
    ("caller", HOST, 8003, "tcp"),
    ("caller", "10.0.1.3", 80, "tcp"),
    ("caller", "10.0.2.3", 80, "tcp"),
    ("caller", "10.0.3.3", 80, "tcp"),
    ("caller", OUTSIDE, 9, "tcp"),
    ("other", VIP, 80, "tcp"),
    ("other", HOST, 8000, "tcp"),
    ("other", "10.0.1.3", 80, "udp"),
    *(("web1", VIP, 80, "tcp"),) * 3,
    *(("web1", HOST, 8000, "tcp"),) * 3,
    ("web1", "10.0.0.4", 80, "tcp"),
    ("inner", "10.0.3.4", 80, "tcp"),
]


async def test_the_tracer_and_the_kernel_agree(web, watcher):
    way = tracer()
    owners = {
        address: name for name, box in web.sandboxes.items() for address in box.addresses.values()
    }
    wrong = []
    for where, *packet in PACKETS:
        got = await send(web, where, *packet)
        trace = foretell(web, way, where, tuple(packet), got)
        visited = await watcher.visited(got.sport, trace)
        outcome = trace.outcome
        # Nobody listens there: at the host's own port, and at the one outside.
        if outcome == "received" or trace.oif == "uplink":
            outcome = "refused"
        told = [outcome, list(trace.chains)]
        real = [got.outcome, visited]
        if outcome == "sent":
            told += [owners[trace.packet.destination], trace.packet.source]
            real += [got.name, got.seen]
        if told != real:
            wrong.append((where, packet, trace, told, real))
    assert wrong == [], "\n".join(map(str, wrong))


async def test_affinity_is_the_kernels(web):
    """Many clients: the hash is the kernel's own."""
    sources = [f"198.51.100.{last}" for last in range(10, 40)]
    with inside(web.outside):
        for source in sources:
            sh(f"ip addr add {source}/24 dev eth0")
    way = tracer()
    owners = {box.addresses[INGRESS.id]: n for n, box in web.sandboxes.items() if n[:3] == "web"}
    foretold, found = [], []
    for source in sources:
        packet = Packet(source=source, destination=HOST, dport=8003, iif="uplink")
        foretold.append(owners[way.trace(packet).packet.destination])
        door = await asyncio.to_thread(_open, web.outside, socket.SOCK_STREAM)
        with door:
            door.bind((source, 0))
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(5):
                await loop.sock_connect(door, (HOST, 8003))
                await loop.sock_sendall(door, b"hello\n")
                found.append((await loop.sock_recv(door, 200)).decode().split()[0])
    assert found == foretold
    assert len(set(found)) == 3


async def test_a_port_of_loopback_is_closed_to_a_neighbour_on_the_wire(web):
    """Who shares a wire with the host may send it a packet for 127.0.0.1; a port published there is not for him."""
    with inside(web.outside):
        sh(
            "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet;"
            "ip addr flush dev lo; ip route flush table local 127.0.0.0/8 2>/dev/null || true;"
            f"ip route add 127.0.0.1 via {HOST} dev eth0 src {OUTSIDE}"
        )
    before = sh("nft list table ip hivelet")
    assert "tcp . 8001" in before
    got = await send(web, "outside", "127.0.0.1", 8001, "tcp")
    assert got.source == OUTSIDE, "the packet did not take the wire"
    trace = foretell(web, tracer(), "outside", ("127.0.0.1", 8001, "tcp"), got)
    assert (got.outcome, trace.outcome) == ("dropped", "dropped")
    assert (await web.ask("host", "127.0.0.1", 8001))[0] in ("web1", "web2", "web3")


async def test_a_published_port_53_leaves_names_alone(web):
    assert await web.dig("caller", "web") == (0, [VIP])
    assert await web.dig("caller", "web", server="127.0.0.11") == (0, [VIP])
    assert (await web.ask_udp("outside", HOST, 53))[0] in ("web1", "web2", "web3")
