"""Frames that a container with NET_RAW forges: on a bridge that tasks of several networks share they have no effect.

Each forgery is tried twice: with the table of the link layer, and without it, where the host must go on all the same
and the forgery does succeed, or the first trial would prove nothing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from ipaddress import IPv6Address

import pytest
from network_lab import INGRESS, OTHER, WEBNET, Lab, backend, sh, web_service

from hivelet.network.family import FRAMES
from hivelet.network.names import bridge_name, mac_address
from hivelet.network.netns import inside
from hivelet.network.nft import Nft

HONEST, FORGER = "10.0.0.3", "10.0.0.4"
HONEST6, FORGER6 = "fd00::3", "fd00::4"
BRIDGE = bridge_name(INGRESS)


@pytest.fixture(params=[True, False], ids=["filtered", "unfiltered"])
def filtered(request, monkeypatch):
    """Whether this host's kernel filters frames."""
    if not request.param:
        supports = Nft.supports

        async def without(self, family, *rest):
            return family is not FRAMES and await supports(self, family, *rest)

        monkeypatch.setattr(Nft, "supports", without)
    return request.param


@pytest.fixture
async def shared(home, filtered):
    """Tasks of two networks that meet on `ingress`; the host knows the honest one's address."""
    lab = Lab(home)
    await lab.start()
    lab.plane.set_services(web_service())
    honest = await lab.task("honest", (WEBNET, "10.0.1.3/24"), (INGRESS, f"{HONEST}/24"))
    await lab.task("forger", (OTHER, "10.0.2.3/24"), (INGRESS, f"{FORGER}/24"))
    await lab.plane.admit(backend(honest, "honest"))
    # A neighbour that has just been learnt is not learnt anew at once.
    sh(f"sysctl -w net.ipv4.neigh.{BRIDGE}.locktime=0 net.ipv6.neigh.{BRIDGE}.locktime=0")
    for address in (HONEST, HONEST6):
        assert (await lab.ask("host", address, 80))[0] == "honest"
    yield lab
    await lab.close()


def mac(address: str) -> bytes:
    return bytes.fromhex(mac_address(address).replace(":", ""))


def interface(lab, name: str, address: str) -> str:
    with inside(lab.netns(name)):
        return sh(f"ip -o -4 addr show to {address}").split()[1]


async def send(lab, *frames: bytes) -> None:
    def write():
        link = interface(lab, "forger", FORGER)
        with inside(lab.netns("forger")), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as door:
            door.bind((link, 0))
            for frame in frames:
                door.send(frame)

    await asyncio.to_thread(write)


def arp(operation: int, source: bytes, address: str, target: str, *, wire: bytes) -> bytes:
    """A frame from `wire` that says: `address` is at `source`."""
    header = mac("10.0.0.1") + wire + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, operation)
    there = socket.inet_aton(target)
    return header + source + socket.inet_aton(address) + mac("10.0.0.1") + there


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advertisement(source: str, target: str) -> bytes:
    """The forger's neighbour advertisement: `target` is at its MAC."""
    ends = IPv6Address(source).packed + IPv6Address("fd00::1").packed
    rest = struct.pack(">I", 0x20000000) + IPv6Address(target).packed + b"\x02\x01" + mac(FORGER)
    body = struct.pack(">BBH", 136, 0, 0) + rest
    total = checksum(ends + struct.pack(">II", len(body), 58) + body)
    body = struct.pack(">BBH", 136, 0, total) + rest
    ip = struct.pack(">IHBB", 6 << 28, len(body), 58, 255) + ends
    return mac("10.0.0.1") + mac(FORGER) + b"\x86\xdd" + ip + body


def datagram(
    source: str, target: str, *, wire: bytes, tags: bytes = b"", data: bytes = b"x"
) -> bytes:
    length = 8 + len(data)
    parts = (0x45, 0, 20 + length, 1, 0, 64, 17)
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    total = checksum(struct.pack(">BBHHHBBH", *parts, 0) + ends)
    ip = struct.pack(">BBHHHBBH", *parts, total) + ends
    udp = struct.pack(">HHHH", 4000, 7000, length, 0) + data
    return mac(target) + wire + tags + b"\x08\x00" + ip + udp


def known(address: str) -> str:
    return sh(f"ip neigh show {address} dev {BRIDGE}").split("lladdr ")[1].split()[0]


@pytest.mark.parametrize("operation", [1, 2], ids=["request", "reply"])
async def test_an_address_claimed_by_arp(shared, filtered, operation):
    await send(shared, arp(operation, mac(FORGER), HONEST, "10.0.0.1", wire=mac(FORGER)))
    assert (known(HONEST) == mac_address(HONEST)) is filtered
    if filtered:
        assert (await shared.ask("outside", "198.51.100.1", 8000))[0] == "honest"


@pytest.mark.parametrize("source", [FORGER6, HONEST6])
async def test_an_address_claimed_by_an_advertisement(shared, filtered, source):
    await send(shared, advertisement(source, HONEST6))
    assert (known(HONEST6) == mac_address(HONEST)) is filtered


async def test_its_own_address_may_be_claimed(shared):
    """As the kernel itself does: the host learns who has asked for it by ARP, or has answered."""
    sh(f"ip neigh flush dev {BRIDGE}")
    await send(shared, arp(1, mac(FORGER), FORGER, "10.0.0.1", wire=mac(FORGER)))
    assert known(FORGER) == mac_address(FORGER)
    assert (await shared.ask("host", FORGER6, 80))[0] == "forger"
    await send(shared, advertisement(FORGER6, FORGER6))
    assert known(FORGER6) == mac_address(FORGER)


@pytest.mark.parametrize("kind", ["ip", "arp", "probe"])
async def test_a_mac_claimed_on_the_bridge(shared, filtered, kind):
    frame = {
        "ip": datagram(FORGER, "10.0.0.1", wire=mac(HONEST)),
        "arp": arp(1, mac(FORGER), FORGER, "10.0.0.1", wire=mac(HONEST)),
        "probe": arp(1, mac(HONEST), "0.0.0.0", "10.0.0.9", wire=mac(HONEST)),
    }[kind]
    port = shared.plane.sandbox("forger".ljust(64, "0")).container_id[:11]

    async def is_learnt() -> bool:
        await send(shared, frame)
        # Whatever came before an answer of the forger's has been through the bridge, too.
        assert (await shared.ask("host", FORGER, 80))[0] == "forger"
        table = f"bridge fdb show br {BRIDGE} | grep -i {mac_address(HONEST)} | grep -v permanent"
        return f"hv{port}_" in sh(table)

    if filtered:
        assert not await is_learnt()
        return
    # The honest one may speak in between, and the bridge learns from it again.
    async with asyncio.timeout(10):
        while not await is_learnt():
            pass


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param("81000000", id="priority"),
        pytest.param("88a80000", id="priority-of-a-provider"),
        pytest.param("8100000081000000", id="two-tags"),
    ],
)
async def test_a_tagged_frame(shared, filtered, tags):
    """It would reach a neighbour whom no packet may reach."""
    door = await asyncio.to_thread(listen, shared.netns("honest"))
    loop = asyncio.get_running_loop()
    with door, outgoing() as host:
        plain = datagram(FORGER, HONEST, wire=mac(FORGER))
        await send(
            shared,
            plain,
            datagram(FORGER, HONEST, wire=mac(FORGER), tags=bytes.fromhex(tags), data=b"tagged"),
        )
        await loop.sock_sendto(host, b"honest", (HONEST, 7000))
        async with asyncio.timeout(3):
            assert (await loop.sock_recv(door, 100)) == (b"honest" if filtered else b"tagged")


def listen(netns) -> socket.socket:
    with inside(netns):
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind((HONEST, 7000))
    door.setblocking(False)
    return door


def outgoing() -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.setblocking(False)
    return door


async def test_a_host_without_tables_of_bridges_has_none(shared, filtered):
    assert ("bridge hivelet" in sh("nft list tables")) is filtered


def table() -> list[str]:
    """The words of the table, whatever the order of what is in it."""
    return sorted(sh("nft list table bridge hivelet").split())


with_the_table = pytest.mark.parametrize("filtered", [True], indirect=True)


@with_the_table
@pytest.mark.parametrize(
    "tamper",
    [
        "flush ruleset",
        "delete table bridge hivelet",
        "flush map bridge hivelet ports",
        "flush chain bridge hivelet raw-prerouting",
        "flush chain bridge hivelet {chain}",
        "insert rule bridge hivelet {chain} accept",
        "add chain bridge hivelet raw-prerouting {{ policy drop; }}",
    ],
)
async def test_what_was_tampered_with_is_mended(shared, tamper):
    before = table()
    chain = next(word for word in before if word.startswith("from_"))
    sh(f"nft '{tamper.format(chain=chain)}'")
    async with asyncio.timeout(10):
        while "bridge hivelet" not in sh("nft list tables") or table() != before:
            await asyncio.sleep(0.02)


@with_the_table
async def test_a_sandbox_takes_its_rules_with_it(shared):
    assert table().count("goto") == 2
    for name in ("honest", "forger"):
        await shared.plane.remove_sandbox(name.ljust(64, "0"))
    async with asyncio.timeout(10):
        while any(word.startswith("from_") for word in table()):
            await asyncio.sleep(0.02)
    await shared.plane.tear_down()
    assert "bridge hivelet" not in sh("nft list tables")


@with_the_table
async def test_a_restart_adopts_it(shared):
    before = sh("nft -a list table bridge hivelet")
    await shared.restart()
    shared.plane.set_services(web_service())
    await shared.plane.admit(backend(shared.sandboxes["honest"], "honest"))
    await shared.plane.resume()
    assert sh("nft -a list table bridge hivelet") == before
