"""The plane end to end, with real sandboxes, rules and resolvers."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from network_lab import (
    GATEWAY,
    HOST,
    INGRESS,
    OUTSIDE,
    VIP,
    WEBNET,
    backend,
    sh,
    web_service,
)

EVEN = {"web1": 30, "web2": 30, "web3": 30}


@pytest.fixture
async def web(lab):
    """The seed's web service with three tasks, and a caller in the same network."""
    lab.plane.set_services(web_service())
    for number in (1, 2, 3):
        legs = ((WEBNET, f"10.0.1.{number + 2}/24"), (INGRESS, f"10.0.0.{number + 2}/24"))
        sandbox = await lab.task(f"web{number}", *legs)
        await lab.plane.admit(backend(sandbox, f"web{number}"))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
    return lab


@pytest.mark.parametrize(
    ("where", "address", "port", "seen"),
    [
        pytest.param("outside", HOST, 8000, OUTSIDE, id="outside"),
        pytest.param("host", HOST, 8000, HOST, id="host-address"),
        pytest.param("host", "127.0.0.1", 8000, "10.0.0.1", id="localhost"),
        pytest.param("caller", VIP, 80, "10.0.1.10", id="vip"),
        pytest.param("host", VIP, 80, VIP, id="vip-from-host"),
        pytest.param("caller", HOST, 8000, "172.20.0.2", id="published-from-a-task"),
    ],
)
async def test_spreads_strictly_in_turn_and_shows_the_client(web, where, address, port, seen):
    assert await web.count(where, address, port) == EVEN
    assert (await web.ask(where, address, port))[1] == seen
    assert (await web.ask_udp(where, address, port))[1] == seen


@pytest.mark.parametrize(
    ("address", "port"), [pytest.param(VIP, 80, id="vip"), pytest.param(HOST, 8000, id="published")]
)
async def test_a_task_reaches_itself_through_the_balancer(web, address, port):
    assert await web.count("web1", address, port, 9) == {"web1": 3, "web2": 3, "web3": 3}


async def test_names(web):
    assert await web.dig("caller", "web") == (0, [VIP])
    assert await web.dig("caller", "myapp_web") == (0, [VIP])
    assert await web.dig("caller", "MYAPP_WEB.myapp_webnet") == (0, [VIP])
    assert await web.dig("caller", "tasks.web") == (0, ["10.0.1.3", "10.0.1.4", "10.0.1.5"])
    assert await web.dig("caller", "app_web2") == (0, ["10.0.1.4"])
    assert await web.dig("caller", "web", kind=28) == (0, [])
    assert await web.dig("caller", "web", server="127.0.0.11") == (0, [VIP])
    assert await web.dig("web1", "web", server="127.0.0.11") == (0, [VIP])


async def test_withdrawn_is_gone_at_once_and_the_last_one_refuses(web):
    await web.plane.withdraw("web2")
    assert await web.count("caller", VIP, 80, 20) == {"web1": 10, "web3": 10}
    assert await web.dig("caller", "tasks.web") == (0, ["10.0.1.3", "10.0.1.5"])
    await web.plane.withdraw("web1")
    await web.plane.withdraw("web3")
    for where, address, port in (
        ("caller", VIP, 80),
        ("outside", HOST, 8000),
        ("host", "127.0.0.1", 8000),
    ):
        with pytest.raises(ConnectionRefusedError):
            await web.ask(where, address, port)
    with pytest.raises(ConnectionRefusedError):
        await web.ask_udp("caller", VIP, 80)


async def test_withdraw_under_traffic_loses_nothing(web):
    failures, done = [], asyncio.Event()

    async def client(where, address, port):
        while not done.is_set():
            try:
                await web.ask(where, address, port)
            except OSError as error:
                failures.append((where, error))

    async with asyncio.TaskGroup() as group:
        for where, address, port in (
            ("outside", HOST, 8000),
            ("host", "127.0.0.1", 8000),
            ("caller", VIP, 80),
        ):
            group.create_task(client(where, address, port))
        for _ in range(10):
            for name in ("web1", "web2", "web3"):
                await web.plane.withdraw(name)
                await web.plane.admit(backend(web.sandboxes[name], name))
        done.set()
    assert failures == []


async def test_connections_are_counted_until_they_end(web):
    reader, writer = await web.connect("outside", HOST, 8000)
    writer.write(b"hello\n")
    name = (await reader.readline()).decode().split()[0]
    assert await web.plane.connections(name) == 1
    await web.plane.withdraw(name)
    assert await web.plane.connections(name) == 1
    writer.write(b"still there\n")
    assert (await reader.readline()).split()[0].decode() == name
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(2):
        while await web.plane.connections(name):
            await asyncio.sleep(0.01)


async def test_a_restart_adopts_everything(web):
    before = sh("nft list table ip hivelet | grep -c dnat")
    await web.restart()
    assert await web.count("outside", HOST, 8000) == EVEN  # while held, the old rules stand
    web.plane.set_services(web_service())
    for name in ("web1", "web2", "web3"):
        await web.plane.admit(backend(web.sandboxes[name], name))
    await web.plane.resume()
    assert await web.count("outside", HOST, 8000) == EVEN
    assert sh("nft list table ip hivelet | grep -c dnat") == before
    assert await web.dig("caller", "web") == (0, [VIP])
    assert web.plane.sandbox("caller".ljust(64, "0")) == web.sandboxes["caller"]


async def test_tear_down_leaves_nothing(web):
    await web.plane.tear_down()
    async with asyncio.timeout(5):
        while len(sh("ip -o link").splitlines()) > 2:
            await asyncio.sleep(0.02)
    assert sh("ip -o link | cut -d: -f2").split() == ["lo", "uplink@if2"]
    assert sh("nft list ruleset") == ""
    assert not list((web.run / "netns").iterdir())
    with contextlib.suppress(FileNotFoundError):
        assert not [p for p in (web.run / "network").rglob("*") if p.is_file()]
    assert sh(f"pgrep -f '[d]nsmasq -C {web.run}' || true") == ""
