"""A small laboratory: a plane in namespaces of its own, tasks that serve in their sandboxes, clients anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hivelet.kit.clock import SystemClock
from hivelet.network.netns import inside, new_namespace, pin_namespace, remove_namespace
from hivelet.network.plane import NetworkPlane
from hivelet.network.sandbox import DnsSettings, Leg, Sandbox, SandboxRequest
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

INGRESS = BridgeNetwork(
    id="ingress000000000000000000",
    name="ingress",
    kind="ingress",
    subnet="10.0.0.0/24",
    gateway="10.0.0.1",
    subnet6="fd00::/64",
    gateway6="fd00::1",
)
GATEWAY = BridgeNetwork(
    id="gwbridge00000000000000000",
    name="docker_gwbridge",
    kind="gateway",
    subnet="172.20.0.0/20",
    gateway="172.20.0.1",
    subnet6="fd00:0:0:20::/64",
    gateway6="fd00:0:0:20::1",
    bridge="docker_gwbridge",
    icc=False,
)
WEBNET = BridgeNetwork(
    id="webnet0000000000000000000",
    name="myapp_webnet",
    subnet="10.0.1.0/24",
    gateway="10.0.1.1",
    subnet6="fd00:0:0:1::/64",
    gateway6="fd00:0:0:1::1",
)
OTHER = BridgeNetwork(
    id="other00000000000000000000",
    name="other_default",
    subnet="10.0.2.0/24",
    gateway="10.0.2.1",
    subnet6="fd00:0:0:2::/64",
    gateway6="fd00:0:0:2::1",
)
INSIDE = BridgeNetwork(
    id="inside0000000000000000000",
    name="app_inside",
    subnet="10.0.3.0/24",
    gateway="10.0.3.1",
    subnet6="fd00:0:0:3::/64",
    gateway6="fd00:0:0:3::1",
    internal=True,
)
HOST = "198.51.100.1"
OUTSIDE = "198.51.100.2"
HOST6 = "2001:db8::1"
OUTSIDE6 = "2001:db8::2"
VIP = "10.0.1.2"
HOSTS_DNS = DnsSettings()
VIP6 = "fd00:0:0:1::2"


def six(network: BridgeNetwork, address: str | None) -> str | None:
    """The IPv6 address that ends like an IPv4 one."""
    if address is None or not network.subnet6:
        return None
    last = address.partition("/")[0].rpartition(".")[2]
    return network.subnet6.replace("::/", f"::{last}/")


def sh(command: str) -> str:
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


class Lab:
    """A plane and what is connected to it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run = home / "run"
        self.run.mkdir(exist_ok=True)
        self.plane = self._new_plane()
        self.outside = home / "outside"
        self.servers: list[asyncio.Server] = []
        self.answering: list[asyncio.StreamWriter] = []
        self.transports: list[asyncio.BaseTransport] = []
        self.sandboxes: dict[str, Sandbox] = {}

    def _new_plane(self) -> NetworkPlane:
        return NetworkPlane(run=self.run, root=self.home / "root", clock=SystemClock())

    async def start(self) -> None:
        sh("ip link set lo up")
        await self.plane.start()
        await self.plane.resume()
        await asyncio.to_thread(self._connect_outside)

    def _connect_outside(self) -> None:
        with new_namespace() as namespace:
            pin_namespace(namespace, self.outside)
        sh(f"ip link add uplink type veth peer name eth0 && ip addr add {HOST}/24 dev uplink")
        with contextlib.suppress(subprocess.CalledProcessError):  # a host without IPv6
            sh(f"ip addr add {HOST6}/64 dev uplink nodad")
        with inside(self.outside):
            holder = subprocess.Popen(["sleep", "60"])
        sh(f"ip link set eth0 netns {holder.pid}; ip link set uplink up")
        with inside(self.outside):
            sh(
                f"ip addr add {OUTSIDE}/24 dev eth0; ip link set eth0 up; ip link set lo up;"
                f"ip route add default via {HOST};"
                f"ip addr add {OUTSIDE6}/64 dev eth0 nodad; ip -6 route add default via {HOST6}"
            )
        holder.kill()
        holder.wait()

    async def restart(self) -> None:
        """Another hiveletd takes over what this one left."""
        await self.plane.stop()
        self.plane = self._new_plane()
        await self.plane.start()

    async def close(self) -> None:
        for transport in self.transports:
            transport.close()
        for (
            writer
        ) in self.answering:  # a client in a namespace that is gone never says that it has ended
            writer.transport.abort()
        for server in self.servers:
            server.close()
        await self.plane.tear_down()
        await self.plane.stop()
        if self.outside.exists():
            remove_namespace(self.outside)

    async def task(
        self,
        name: str,
        *legs: tuple[BridgeNetwork, str | None],
        serve: bool = True,
        ipv6: bool = True,
        hostname: str = "",
        dns: DnsSettings = HOSTS_DNS,
    ) -> Sandbox:
        """A task named like its container id, serving TCP and UDP on port 80 where it should."""
        container_id = name.ljust(64, "0")
        sandbox = await self.plane.create_sandbox(
            SandboxRequest(
                container_id=container_id,
                task_id=name,
                legs=tuple(Leg(network=n, address=a, address6=six(n, a)) for n, a in legs),
                hostname=hostname,
                names=(f"app_{name}",),
                dns=dns,
            )
        )
        self.sandboxes[name] = sandbox
        if serve:
            await self.serve(name, 80)
            if ipv6 and sandbox.addresses6:
                await self.serve(name, 80, socket.AF_INET6)
        return sandbox

    async def serve(self, name: str, port: int, family: int = socket.AF_INET) -> None:
        """Answer each connection or datagram with the task's name and the client's address."""

        async def answer(reader, writer):
            self.answering.append(writer)
            peer = writer.get_extra_info("peername")[0]
            with contextlib.suppress(ConnectionError):
                while line := await reader.readline():
                    writer.write(f"{name} {peer} {line.decode()}".encode())
                    await writer.drain()
            writer.close()

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                self.transport.sendto(f"{name} {address[0]} {data.decode()}".encode(), address)

        netns = self.sandboxes[name].netns
        stream, datagram = await asyncio.to_thread(_open_servers, netns, port, family)
        self.servers.append(await asyncio.start_server(answer, sock=stream))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Datagrams, sock=datagram)
        self.transports.append(transport)

    def netns(self, where: str) -> Path | None:
        if where == "host":
            return None
        return self.outside if where == "outside" else self.sandboxes[where].netns

    async def connect(self, where: str, address: str, port: int, *, within: float = 2.0):
        """A connection from a place: "host", "outside", or a task's name."""
        door = await asyncio.to_thread(_open, self.netns(where), socket.SOCK_STREAM, address)
        try:
            async with asyncio.timeout(within):
                await asyncio.get_running_loop().sock_connect(door, (address, port))
            return await asyncio.open_connection(sock=door)
        except BaseException:
            door.close()
            raise

    async def ask(self, where: str, address: str, port: int, *, within: float = 2.0) -> list[str]:
        """One connection, one line: who answered, and the client's address as it was seen there."""
        reader, writer = await self.connect(where, address, port, within=within)
        writer.write(b"hello\n")
        async with asyncio.timeout(within):
            words = (await reader.readline()).decode().split()
        writer.close()
        await writer.wait_closed()
        return words

    async def seen_outside(self, address: str, wheres: Sequence[str]) -> list[str]:
        """Who connects, as a server outside at that address sees it, from each of these places."""

        def listen() -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with inside(self.outside):
                door = socket.create_server((address, 9000), family=family)
            door.setblocking(False)
            return door

        seen: asyncio.Queue[str] = asyncio.Queue()

        async def answer(reader, writer):
            seen.put_nowait(writer.get_extra_info("peername")[0])
            writer.close()

        self.servers.append(
            await asyncio.start_server(answer, sock=await asyncio.to_thread(listen))
        )
        found = []
        for where in wheres:
            _, writer = await self.connect(where, address, 9000)
            writer.close()
            found.append(await seen.get())
        return found

    async def ask_udp(self, where: str, address: str, port: int, *, within: float = 2.0):
        door = await asyncio.to_thread(_open, self.netns(where), socket.SOCK_DGRAM, address)
        loop = asyncio.get_running_loop()
        with door:
            await loop.sock_connect(door, (address, port))
            await loop.sock_sendall(door, b"hello")
            async with asyncio.timeout(within):
                return (await loop.sock_recv(door, 1000)).decode().split()

    async def count(self, where: str, address: str, port: int, times: int = 90) -> Counter[str]:
        found: Counter[str] = Counter()
        for _ in range(times):
            found[(await self.ask(where, address, port))[0]] += 1
        return found

    async def dig(
        self, where: str, name: str, *, kind: int = 1, server: str | None = None
    ) -> tuple[int, list[str]]:
        """The status and the addresses that a resolver answers; the task's own where none is given."""
        if server is None:
            server = self.sandboxes[where].resolv_conf.split()[1]
        door = await asyncio.to_thread(_open, self.netns(where), socket.SOCK_DGRAM)
        loop = asyncio.get_running_loop()
        labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
        query = os.urandom(2) + struct.pack(">5H", 0x100, 1, 0, 0, 0) + labels + b"\0"
        with door:
            await loop.sock_connect(door, (server, 53))
            await loop.sock_sendall(door, query + struct.pack(">2H", kind, 1))
            async with asyncio.timeout(5):
                answer = await loop.sock_recv(door, 4096)
        return answer[3] & 15, sorted(_addresses(answer, len(query) + 4))


def backend(sandbox: Sandbox, name: str, service: str = "web", **fields) -> Backend:
    return Backend(
        task_id=name,
        service_id=f"{service}id",
        service_name=service,
        addresses=sandbox.addresses,
        addresses6=sandbox.addresses6,
        **fields,
    )


def web_service(**fields) -> dict[str, ServiceEntry]:
    values = {
        "service_id": "webid",
        "name": "myapp_web",
        "vips": {WEBNET.id: VIP},
        "vips6": {WEBNET.id: VIP6},
        "aliases": {WEBNET.id: ["web"]},
        "ports": [
            PortConfig(target_port=80, published_port=8000),
            PortConfig(target_port=80, published_port=8000, protocol="udp"),
        ],
    } | fields
    return {"webid": ServiceEntry(**values)}


def _addresses(answer: bytes, place: int) -> list[str]:
    found = []
    for _ in range(struct.unpack_from(">H", answer, 6)[0]):
        kind, _, _, length = struct.unpack_from(">HHIH", answer, place + 2)
        place += 12
        if kind == 1:
            found.append(socket.inet_ntoa(answer[place : place + length]))
        elif kind == 28:
            found.append(socket.inet_ntop(socket.AF_INET6, answer[place : place + length]))
        place += length
    return found


def _open(netns: Path | None, kind: int, address: str = "") -> socket.socket:
    with inside(netns) if netns else contextlib.nullcontext():
        door = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    door.setblocking(False)
    return door


def _open_servers(
    netns: Path, port: int, family: int = socket.AF_INET
) -> tuple[socket.socket, socket.socket]:
    with inside(netns):
        stream = socket.socket(family, socket.SOCK_STREAM)
        datagram = socket.socket(family, socket.SOCK_DGRAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for door in (stream, datagram):
        if family == socket.AF_INET6:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        door.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        door.setblocking(False)
    stream.listen(1000)
    return stream, datagram
