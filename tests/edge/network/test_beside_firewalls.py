"""Beside each firewall, for real: packets pass, the firewall's loss of our rules is made good, and no trace stays."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from pathlib import Path

import pytest
from firewalls import FIREWALLS, rules_of_all, write_iptables
from network_lab import (
    GATEWAY,
    HOST,
    HOST6,
    INGRESS,
    OUTSIDE,
    OUTSIDE6,
    VIP,
    VIP6,
    WEBNET,
    Lab,
    _open_servers,
    backend,
    sh,
    web_service,
)

from hivelet.network.netns import inside, new_namespace, pin_namespace, remove_namespace
from hivelet.network.plane import NetworkPlane

RELOADS = {
    "ufw": lambda home: sh("ufw reload"),
    "firewalld": lambda home: sh("firewall-cmd --reload"),
    "iptables-nft": lambda home: write_iptables("nft"),
    "iptables-legacy": lambda home: write_iptables("legacy"),
    "nftables": lambda home: sh(f"nft -f {home}/nftables.conf"),
}


@pytest.fixture(params=FIREWALLS)
def firewall(request, home):
    with FIREWALLS[request.param](home):
        yield request.param


async def serve(lab):
    """Two tasks of a published service, one caller beside them, and a server in the world."""
    lab.plane.set_services(web_service())
    for number in (1, 2):
        legs = ((WEBNET, f"10.0.1.{number + 2}/24"), (INGRESS, f"10.0.0.{number + 2}/24"))
        sandbox = await lab.task(f"web{number}", *legs)
        await lab.plane.admit(backend(sandbox, f"web{number}"))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
    stream, datagram = await asyncio.to_thread(_open_servers, lab.outside, 80)
    datagram.close()

    async def answer(reader, writer):
        await reader.readline()
        writer.write(f"world {writer.get_extra_info('peername')[0]}\n".encode())
        await writer.drain()
        writer.close()

    lab.servers.append(await asyncio.start_server(answer, sock=stream))


async def check(lab):
    """Every way of a packet."""
    assert (await lab.ask("outside", HOST, 8000))[1] == OUTSIDE
    assert (await lab.ask_udp("outside", HOST, 8000))[1] == OUTSIDE
    assert (await lab.ask("host", "127.0.0.1", 8000))[0].startswith("web")
    assert (await lab.ask("host", HOST, 8000))[0].startswith("web")
    assert (await lab.ask("host", VIP, 80))[0].startswith("web")
    assert (await lab.ask("caller", VIP, 80))[1] == "10.0.1.10"
    assert (await lab.ask("caller", "10.0.1.3", 80))[0] == "web1"
    assert (await lab.ask("caller", HOST, 8000))[0].startswith("web")
    assert await lab.ask("web1", OUTSIDE, 80) == ["world", HOST]
    assert await lab.ask("caller", OUTSIDE, 80) == ["world", HOST]
    assert (await lab.ask("outside", HOST6, 8000))[1] == OUTSIDE6
    assert (await lab.ask("host", "::1", 8000))[0].startswith("web")
    assert (await lab.ask("caller", VIP6, 80))[0].startswith("web")
    assert await lab.dig("caller", "web") == (0, [VIP])
    assert await lab.dig("web1", "web", server="127.0.0.11") == (0, [VIP])
    for address in (VIP, OUTSIDE):
        await asyncio.to_thread(_ping, lab.netns("caller"), address)


def _ping(netns, address):
    with inside(netns):
        done = subprocess.run(
            ["busybox", "ping", "-c1", "-W2", address], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr


async def eventually(lab, within=30.0):
    """`check`, as soon as it holds."""
    async with asyncio.timeout(within):
        while True:
            with contextlib.suppress(AssertionError, OSError, TimeoutError):
                return await check(lab)
            await asyncio.sleep(0.05)


async def test_packets_pass_and_no_trace_stays(firewall, home):
    before = rules_of_all()
    lab = Lab(home)
    await lab.start()
    try:
        await serve(lab)
        await check(lab)
        assert await lab.plane.findings() == ()
        if firewall != "firewalld":  # which has links in its zones, and no comments
            assert "hivelet" in rules_of_all().lower()
        settled = rules_of_all()
        await lab.restart()
        await lab.plane.resume()
        assert rules_of_all() == settled, "a restart adds nothing twice"
    finally:
        await lab.close()
    assert rules_of_all() == before, "no trace stays"


@pytest.mark.parametrize("firewall", RELOADS, indirect=True)
async def test_what_the_firewall_forgets_is_restored(firewall, home):
    lab = Lab(home)
    await lab.start()
    try:
        await serve(lab)
        for _ in range(2):  # the second time nothing is otherwise than at the first
            RELOADS[firewall](home)
            await eventually(lab)
    finally:
        await lab.close()


async def test_forbidden_it_only_tells(firewall, home, monkeypatch):
    before = rules_of_all()
    lab = Lab(home)
    await lab.plane.stop()
    monkeypatch.setattr(lab, "_new_plane", lambda: _reporting(lab))
    lab.plane = lab._new_plane()
    await lab.start()
    try:
        await serve(lab)
        assert rules_of_all() == before
        findings = await lab.plane.findings()
        assert findings
        assert all(f.name == "firewall-drops" and f.repair for f in findings)
        with pytest.raises((TimeoutError, OSError)):
            await lab.ask("caller", OUTSIDE, 80, within=1)
        for finding in findings:  # the commands are what they say
            sh(finding.repair)
        await check(lab)
    finally:
        await lab.close()
    assert rules_of_all() == before, "leaving takes away even what was typed by hand"


def _reporting(lab):
    from hivelet.kit.clock import SystemClock

    return NetworkPlane(
        run=lab.run, root=lab.home / "root", clock=SystemClock(), adjust_firewalls=False
    )


async def test_a_firewall_that_comes_later(home):
    lab = Lab(home)
    await lab.start()
    try:
        await serve(lab)
        await check(lab)
        with FIREWALLS["docker-nft"](home):
            sh("echo 1 > /proc/sys/net/ipv4/ip_forward")
            await eventually(lab)
            assert sh("iptables -S DOCKER-USER").splitlines()[-1] == "-A DOCKER-USER -j RETURN"
    finally:
        await lab.close()


async def test_frames_of_other_bridges_keep_clear_of_the_firewall(home):
    """Ours pass nftables by a switch of their own; the host's, for all bridges, stays off."""
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    switch.write_text("0")
    sh("ip link add virbr0 type bridge && ip link set virbr0 up")
    guests = [home / "guest1", home / "guest2"]
    for number, path in enumerate(guests, 1):
        with new_namespace() as namespace:
            pin_namespace(namespace, path)
        sh(
            f"ip link add tap{number} type veth peer name eth0 netns {path};"
            f"ip link set tap{number} master virbr0 up"
        )
        with inside(path):
            sh(f"ip addr add 192.168.122.{number}/24 dev eth0; ip link set eth0 up")
    lab = Lab(home)
    with FIREWALLS["iptables-nft"](home):
        await lab.start()
        try:
            await serve(lab)
            await check(lab)
            assert switch.read_text() == "0\n"
            await asyncio.to_thread(_ping, guests[0], "192.168.122.2")
        finally:
            await lab.close()
            for path in guests:
                remove_namespace(path)
