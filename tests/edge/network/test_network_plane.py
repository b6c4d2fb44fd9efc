"""The plane end to end, with real sandboxes, rules and resolvers."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
from network_lab import (
    GATEWAY,
    HOST,
    HOST6,
    INSIDE,
    OTHER,
    OUTSIDE,
    OUTSIDE6,
    VIP,
    VIP6,
    WEBNET,
    backend,
    sh,
    web_service,
)

from hivelet.errors import Conflict
from hivelet.network.connections import Traffic
from hivelet.network.names import LOCAL_CLIENT, bridge_name
from hivelet.objects.task import PortConfig

EVEN = {"web1": 30, "web2": 30, "web3": 30}


@pytest.mark.parametrize(
    ("where", "address", "port", "seen"),
    [
        pytest.param("outside", HOST, 8000, OUTSIDE, id="outside"),
        pytest.param("host", HOST, 8000, HOST, id="host-address"),
        pytest.param("host", "127.0.0.1", 8000, "10.0.0.1", id="localhost"),
        pytest.param("caller", VIP, 80, "10.0.1.10", id="vip"),
        pytest.param("host", VIP, 80, VIP, id="vip-from-host"),
        pytest.param("caller", HOST, 8000, "172.20.0.2", id="published-from-a-task"),
        pytest.param("outside", HOST6, 8000, OUTSIDE6, id="outside-6"),
        pytest.param("host", HOST6, 8000, HOST6, id="host-address-6"),
        pytest.param("host", "::1", 8000, LOCAL_CLIENT, id="localhost-6"),
        pytest.param("caller", VIP6, 80, "fd00:0:0:1::10", id="vip-6"),
        pytest.param("host", VIP6, 80, VIP6, id="vip-from-host-6"),
        pytest.param("caller", HOST6, 8000, "fd00:0:0:20::2", id="published-from-a-task-6"),
    ],
)
async def test_spreads_strictly_in_turn_and_shows_the_client(web, where, address, port, seen):
    assert await web.count(where, address, port) == EVEN
    assert (await web.ask(where, address, port))[1] == seen
    assert (await web.ask_udp(where, address, port))[1] == seen


@pytest.mark.parametrize(
    ("address", "port"),
    [
        pytest.param(VIP, 80, id="vip"),
        pytest.param(HOST, 8000, id="published"),
        pytest.param(VIP6, 80, id="vip-6"),
        pytest.param(HOST6, 8000, id="published-6"),
    ],
)
async def test_a_task_reaches_itself_through_the_balancer(web, address, port):
    assert await web.count("web1", address, port, 9) == {"web1": 3, "web2": 3, "web3": 3}


async def test_names(web):
    assert await web.dig("caller", "web") == (0, [VIP])
    assert await web.dig("caller", "myapp_web") == (0, [VIP])
    assert await web.dig("caller", "MYAPP_WEB.myapp_webnet") == (0, [VIP])
    assert await web.dig("caller", "tasks.web") == (0, ["10.0.1.3", "10.0.1.4", "10.0.1.5"])
    assert await web.dig("caller", "app_web2") == (0, ["10.0.1.4"])
    assert await web.dig("caller", "web", kind=28) == (0, [VIP6])
    assert await web.dig("caller", "tasks.web", kind=28) == (
        0,
        [f"fd00:0:0:1::{n}" for n in (3, 4, 5)],
    )
    assert await web.dig("caller", "app_web2", kind=28) == (0, ["fd00:0:0:1::4"])
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
    assert (await web.plane.traffic(name, 60)).busy == 1
    await web.plane.withdraw(name)
    assert (await web.plane.traffic(name, 60)).busy == 1
    writer.write(b"still there\n")
    assert (await reader.readline()).split()[0].decode() == name
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(2):
        while (await web.plane.traffic(name, 60)).total:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("where", "address", "port"),
    [
        pytest.param("outside", HOST, 8000, id="a-published-port"),
        pytest.param("caller", VIP, 80, id="the-vip"),
        pytest.param("caller", "10.0.1.3", 80, id="the-address"),
    ],
)
async def test_an_idle_connection_is_told_from_one_that_is_waited_on(web, where, address, port):
    for name in ("web2", "web3"):
        await web.plane.withdraw(name)
    reader, writer = await web.connect(where, address, port)
    writer.write(b"hello\n")
    await reader.readline()
    silent = Traffic(busy=0, idle=1)
    async with asyncio.timeout(5):
        while await web.plane.traffic("web1", 0.05) != silent:
            await asyncio.sleep(0.01)
    # The laboratory's server answers whole lines: half a one leaves the client waiting.
    writer.write(b"half a")
    await asyncio.sleep(0.5)
    assert await web.plane.traffic("web1", 0.05) == Traffic(busy=1, idle=0)
    # What the task itself has opened is nobody's request.
    _, own = await web.connect("web1", "10.0.1.4", 80)
    assert (await web.plane.traffic("web1", 0.05)).total == 1
    assert (await web.plane.traffic("web2", 0.05)).total == 1
    own.close()
    writer.close()


async def test_a_task_without_a_sandbox_has_no_traffic(lab):
    assert await lab.plane.traffic("nobody", 1) == Traffic()


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


async def test_a_restart_under_traffic_loses_no_request_and_no_answer(web):
    failures, asked, done = [], 0, asyncio.Event()

    async def client(work):
        nonlocal asked
        while not done.is_set():
            asked += 1
            try:
                await work()
            except (OSError, TimeoutError) as error:
                failures.append(error)

    async with asyncio.TaskGroup() as group:
        group.create_task(client(lambda: web.ask("outside", HOST, 8000)))
        group.create_task(client(lambda: web.ask("caller", VIP, 80)))
        group.create_task(client(lambda: web.dig("caller", "tasks.web")))
        for _ in range(3):
            await web.restart()
            web.plane.set_services(web_service())
            for name in EVEN:
                await web.plane.admit(backend(web.sandboxes[name], name))
            await web.plane.resume()
        done.set()
    assert failures == []
    assert asked > 30


async def test_the_repair_lets_packets_pass_a_foreign_forward_policy(web):
    sh(
        "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'"
    )
    with pytest.raises(TimeoutError):
        await web.ask("outside", HOST, 8000, within=0.3)
    sh("nft add rule ip filter FORWARD ct state established,related accept")
    sh("nft add rule ip filter FORWARD ct status dnat accept")
    sh("nft 'add rule ip filter FORWARD iifname { hv*, docker_gwbridge } accept'")
    assert await web.count("outside", HOST, 8000, 3) == dict.fromkeys(EVEN, 1)
    assert await web.count("caller", VIP, 80, 3) == dict.fromkeys(EVEN, 1)
    assert (await web.ask("caller", "10.0.1.3", 80))[0] == "web1"


async def test_a_network_in_use_stays(web):
    with pytest.raises(Conflict, match=r"myapp_webnet.*has active endpoints"):
        await web.plane.remove_network(WEBNET.id)
    await web.plane.remove_network("unknown")
    with pytest.raises(Conflict, match="already has a network sandbox"):
        await web.task("web1", (WEBNET, "10.0.1.99/24"), serve=False)


async def test_used_subnets_name_their_users(web):
    sh(f"ip route add 10.99.0.0/16 via {OUTSIDE}")
    used = await web.plane.used_subnets()
    assert used["10.99.0.0/16"] == "route through uplink"
    assert used[WEBNET.subnet] == "network myapp_webnet"
    assert used["198.51.100.0/24"] == "interface uplink"


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


async def test_host_ip_is_honoured_and_never_widened(web):
    ports = [PortConfig(target_port=80, published_port=8001, host_ip="127.0.0.1")]
    web.plane.set_services(web_service(ports=ports))
    await web.plane.admit(backend(web.sandboxes["web1"], "web1"))
    assert await web.count("host", "127.0.0.1", 8001) == EVEN
    for where in ("host", "outside"):
        with pytest.raises(ConnectionRefusedError):
            await web.ask(where, HOST, 8001)


async def test_host_mode_leads_to_the_task_that_holds_the_port(lab):
    lab.plane.set_services(web_service(ports=[], vips={}))
    sandbox = await lab.task("web1", (WEBNET, "10.0.1.3/24"), (GATEWAY, None))
    port = PortConfig(target_port=80, published_port=8002, publish_mode="host")
    udp = port.replaced(protocol="udp")
    await lab.plane.admit(backend(sandbox, "web1", host_ports=[port, udp]))
    for where, address, seen in (
        ("outside", HOST, OUTSIDE),
        ("host", "127.0.0.1", GATEWAY.gateway),
        ("web1", HOST, GATEWAY.gateway),
    ):
        assert (await lab.ask(where, address, 8002))[:2] == ["web1", seen]
        assert (await lab.ask_udp(where, address, 8002))[:2] == ["web1", seen]
    await lab.plane.withdraw("web1")
    with pytest.raises(ConnectionRefusedError):
        await lab.ask("outside", HOST, 8002)


async def test_networks_are_closed_to_each_other(web):
    other = await web.task("other", (OTHER, "10.0.2.3/24"), (GATEWAY, None))
    inner = await web.task("inner", (INSIDE, "10.0.3.3/24"))
    hidden = await web.task("hidden", (INSIDE, "10.0.3.4/24"))
    assert (await web.ask("inner", hidden.addresses[INSIDE.id], 80))[0] == "hidden"
    closed = [
        ("caller", other.addresses[OTHER.id], 80, "another network's task"),
        ("caller", other.addresses[GATEWAY.id], 80, "a neighbour on docker_gwbridge"),
        ("web1", "10.0.0.4", 80, "a neighbour on ingress"),
        ("other", "10.0.1.3", 80, "another network's task"),
        ("other", VIP, 80, "another network's service"),
        ("outside", "10.0.1.3", 80, "a task without its port being published"),
        ("outside", VIP, 80, "a service address from outside"),
        ("caller", inner.addresses[INSIDE.id], 80, "an internal network"),
        ("inner", OUTSIDE, 80, "the world, from an internal network"),
    ]

    async def is_closed(where, address, port, what):
        try:
            answer = await web.ask(where, address, port, within=0.3)
        except (OSError, TimeoutError):
            return None
        return f"{where} reached {what}: {answer}"

    assert [x for x in await asyncio.gather(*(is_closed(*c) for c in closed)) if x] == []
    assert (await web.ask("other", HOST, 8000))[0] in EVEN
    assert (await web.dig("inner", "example.org"))[0] == 5  # refused: no names from outside


async def test_the_way_out_shows_the_hosts_address(web):
    ways = ["web1", "caller"]  # by ingress, by docker_gwbridge
    assert await web.seen_outside(OUTSIDE, ways) == [HOST, HOST]


async def test_a_udp_client_is_given_to_a_living_backend(web):
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.setblocking(False)
    loop = asyncio.get_running_loop()
    with door:
        await loop.sock_connect(door, (HOST, 8000))
        names = []
        for _ in range(3):
            await loop.sock_sendall(door, b"hello")
            async with asyncio.timeout(2):
                names.append((await loop.sock_recv(door, 100)).decode().split()[0])
            await web.plane.withdraw(names[-1])
    assert sorted(names) == sorted(EVEN)


async def test_a_bridge_flushed_rules_and_a_dead_resolver_are_restored(web):
    sh("nft flush ruleset")
    sh(f"ip link del {bridge_name(WEBNET)}")
    sh("pkill -KILL -F " + " -F ".join(str(p) for p in (web.run / "network/dns").rglob("pid")))
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                names = await web.dig("caller", "web")
                if names == (0, [VIP]) and await web.ask("caller", VIP, 80, within=0.5):
                    break
            await asyncio.sleep(0.05)
    assert await web.count("outside", HOST, 8000) == EVEN
    assert await web.count("caller", VIP, 80) == EVEN


async def test_no_answer_is_lost_while_names_change(web):
    lost, asked, done = [], 0, asyncio.Event()

    async def ask():
        nonlocal asked
        while not done.is_set():
            asked += 1
            try:
                if await web.dig("caller", "web") != (0, [VIP]):
                    lost.append("wrong")
            except (OSError, TimeoutError) as error:
                lost.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
        for _ in range(20):
            await web.plane.withdraw("web2")
            await web.plane.admit(backend(web.sandboxes["web2"], "web2"))
        done.set()
    assert asked > 40
    assert lost == []


async def test_a_foreign_listener_is_named(lab):
    with socket.create_server(("0.0.0.0", 8000)), pytest.raises(Conflict, match=r"8000/tcp.*pid"):
        await lab.plane.check_port_free(PortConfig(published_port=8000))
    await lab.plane.check_port_free(PortConfig(published_port=8000))


async def test_a_silent_connection_is_kept_for_weeks(web):
    _, writer = await web.connect("caller", VIP, 80)
    left = sh(f"conntrack -L -p tcp -d {VIP} --state ESTABLISHED").split()
    writer.close()
    assert int(left[2]) > 20 * 24 * 3600


async def test_a_sandbox_that_is_gone_leaves_no_connection(web):
    """Also not one whose end nobody has seen: it would stay for weeks, and lead its client's port to nobody."""
    reader, writer = await web.connect("caller", VIP, 80)
    writer.write(b"hello\n")
    name = (await reader.readline()).decode().split()[0]
    outgoing, back = await web.connect(name, VIP, 80)
    address = web.sandboxes[name].addresses[WEBNET.id]
    assert address in sh("conntrack -L -p tcp")
    await web.plane.withdraw(name)
    await web.plane.remove_sandbox(name.ljust(64, "0"))
    assert f"={address} " not in sh("conntrack -L -p tcp")
    # The client's next packet is answered by somebody who knows nothing of it: at once, instead of never.
    writer.write(b"still there?\n")
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(5):
            await reader.readexactly(1000)
    for one in (writer, back):
        one.close()
    del outgoing


async def test_a_backend_that_just_died_refuses_nobody(web):
    """Its process is gone and the balancer has not been told: the connection is made a second later, to another one."""
    assert await web.count("outside", HOST, 8000) == EVEN
    assert await web.count("caller", VIP, 80) == EVEN
    web.servers[0].close()
    await web.servers[0].wait_closed()
    for where, address, port in (
        ("outside", HOST, 8000),
        ("host", "127.0.0.1", 8000),
        ("caller", VIP, 80),
        ("web2", VIP, 80),
    ):
        # One after the other: in turn, so that the second attempt meets another one.
        answers = [(await web.ask(where, address, port, within=5))[0] for _ in range(3)]
        assert set(answers) == {"web2", "web3"}


async def test_where_nobody_listens_the_refusal_is_prompt(web):
    for where, address, port in (("caller", VIP, 81), ("web1", VIP, 81)):
        with pytest.raises(ConnectionRefusedError):
            await web.ask(where, address, port, within=0.5)


async def test_all_backends_dead_is_a_refusal_too(web):
    assert await web.count("outside", HOST, 8000) == EVEN
    for server in web.servers:
        server.close()
        await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await web.ask("outside", HOST, 8000, within=3)
