"""Resolvers that fail hurt those alone who ask them, and are replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest
from network_lab import HOST, INGRESS, OTHER, VIP, WEBNET, backend, web_service

from hivelet.errors import InvalidParameter
from hivelet.network.dns.configuration import ResolverConfig
from hivelet.network.dns.keeper import resolver_name
from hivelet.network.dns.server import Resolver, ResolverFailed
from hivelet.network.ports import PortTaken
from hivelet.network.sandbox import DnsSettings
from hivelet.objects.task import PortConfig

OWN_SERVERS = DnsSettings(nameservers=("192.0.2.53",))


@pytest.fixture
async def web(lab):
    """A service in one network, a task in another."""
    lab.plane.set_services(web_service(ports=[]))
    sandbox = await lab.task("web1", (WEBNET, "10.0.1.3/24"), serve=False)
    await lab.plane.admit(backend(sandbox, "web1"))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), serve=False)
    await lab.task("stranger", (OTHER, None), serve=False)
    return lab


def home(lab, network, upstreams=()) -> Path:
    return lab.run / "network/dns" / resolver_name((network.id,), upstreams, forward=True)


def pid(lab, network) -> int:
    return int((home(lab, network) / "pid").read_text())


async def until_answered(lab, where: str) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                if await lab.dig(where, "web") == (0, [VIP]):
                    return
            await asyncio.sleep(0.05)


async def test_one_that_cannot_be_started_stops_nobody_else(web):
    place = home(web, WEBNET, OWN_SERVERS.nameservers)
    place.write_text("in its way")
    for name in ("first", "second"):
        with pytest.raises(ResolverFailed, match="cannot be given its records"):
            await web.task(name, (WEBNET, "10.0.1.21/24"), serve=False, dns=OWN_SERVERS)
        await web.plane.remove_sandbox(name.ljust(64, "0"))
    # The same network, other name servers; another network; a withdrawal.
    await web.task("third", (WEBNET, "10.0.1.22/24"), serve=False)
    await web.task("fourth", (OTHER, None), serve=False)
    await web.plane.withdraw("web1")
    assert await web.dig("caller", "app_third") == (
        0,
        list(web.sandboxes["third"].addresses.values()),
    )
    place.unlink()
    await web.task("first", (WEBNET, "10.0.1.23/24"), serve=False, dns=OWN_SERVERS)
    assert await web.dig("first", "web") == (0, [VIP])


async def test_a_name_server_that_is_an_order_is_refused(web):
    for value in ("1.1.1.1\nlog-facility=/tmp/x", "dns.example.com"):
        with pytest.raises(InvalidParameter, match="invalid nameserver"):
            await web.task(
                "evil", (WEBNET, "10.0.1.24/24"), serve=False, dns=DnsSettings(nameservers=(value,))
            )
        await web.plane.remove_sandbox("evil".ljust(64, "0"))
    await web.task("good", (WEBNET, "10.0.1.25/24"), serve=False)


async def test_a_service_may_publish_port_53_beside_them(web):
    """The questions asked of the host's addresses are the service's; those asked of a resolver's stay its own."""
    ports = [PortConfig(target_port=80, published_port=53, protocol=p) for p in ("udp", "tcp")]
    for port in ports:
        await web.plane.check_port_free(port)
    web.plane.set_services(web_service(ports=ports))
    dns = await web.task("dns1", (WEBNET, "10.0.1.28/24"), (INGRESS, "10.0.0.28/24"))
    await web.plane.withdraw("web1")
    await web.plane.admit(backend(dns, "dns1"))
    for address in (HOST, "127.0.0.1"):
        assert (await web.ask_udp("host", address, 53))[0] == "dns1"
    assert (await web.ask_udp("outside", HOST, 53))[0] == "dns1"
    assert (await web.ask("outside", HOST, 53))[0] == "dns1"
    assert await web.dig("caller", "web") == (0, [VIP])


async def test_another_program_on_port_53_is_in_the_way(web):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.bind((HOST, 53))
        with pytest.raises(PortTaken, match=f"{HOST}:53 is in use by"):
            await web.plane.check_port_free(
                PortConfig(target_port=80, published_port=53, protocol="udp")
            )


async def test_one_that_hangs_is_replaced(web):
    before = pid(web, WEBNET)
    os.kill(before, signal.SIGSTOP)
    await until_answered(web, "caller")
    assert pid(web, WEBNET) != before


async def test_while_one_hangs_others_go_on_and_its_users_get_a_new_one(web):
    before = pid(web, WEBNET)
    os.kill(before, signal.SIGSTOP)
    await web.task("elsewhere", (OTHER, None), serve=False)
    await web.task("here", (WEBNET, "10.0.1.26/24"), serve=False)
    assert await web.dig("here", "web") == (0, [VIP])
    assert await web.dig("caller", "app_here") == (
        0,
        list(web.sandboxes["here"].addresses.values()),
    )
    assert pid(web, WEBNET) != before


async def test_one_that_cannot_read_its_records_is_mended(web):
    (home(web, WEBNET) / "zones").chmod(0o000)
    await web.task("elsewhere", (OTHER, None), serve=False)
    await web.task("here", (WEBNET, "10.0.1.27/24"), serve=False)
    assert await web.dig("caller", "app_here") == (
        0,
        list(web.sandboxes["here"].addresses.values()),
    )


async def test_one_that_is_replaced_leaves_its_address_to_the_next(web, tmp_path):
    """A process that is being killed has its sockets for a while longer than its command line."""
    resolver = Resolver(tmp_path / "often", ResolverConfig(name="often", address=HOST))
    zones = {"owner": {"web": (VIP,)}}
    for _ in range(20):
        await resolver.renew(zones)
    await resolver.stop()


async def test_one_that_hangs_does_not_keep_the_node_from_leaving(web):
    os.kill(pid(web, WEBNET), signal.SIGSTOP)
    (home(web, WEBNET) / "zones").chmod(0o000)
    async with asyncio.timeout(30):
        await web.plane.tear_down()
    assert not list((web.run / "network/dns").glob("*"))
