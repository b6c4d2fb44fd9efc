"""IPv6 where it is another way than IPv4's, or where the two must not be mixed up; and a host that has none."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from network_lab import (
    GATEWAY,
    HOST,
    HOST6,
    INGRESS,
    INSIDE,
    OTHER,
    OUTSIDE6,
    VIP,
    VIP6,
    WEBNET,
    Lab,
    backend,
    sh,
    six,
    web_service,
)

from hivelet.network.names import LOCAL_CLIENT, LOCAL_LINK, bridge_name
from hivelet.objects.task import PortConfig

EVEN = {"web1": 30, "web2": 30, "web3": 30}
WAYS_IN = [("outside", HOST6, 8000), ("host", "::1", 8000), ("caller", VIP6, 80)]


async def test_the_last_one_gone_refuses_at_once(web):
    await web.plane.withdraw("web2")
    assert await web.count("caller", VIP6, 80, 20) == {"web1": 10, "web3": 10}
    for name in ("web1", "web3"):
        await web.plane.withdraw(name)
    for where, address, port in (*WAYS_IN, ("host", VIP6, 80)):
        with pytest.raises(ConnectionRefusedError):
            await web.ask(where, address, port)
    with pytest.raises(ConnectionRefusedError):
        await web.ask_udp("caller", VIP6, 80)


async def test_withdraw_and_restart_under_traffic_lose_nothing(web):
    failures, done = [], asyncio.Event()

    async def client(where, address, port):
        while not done.is_set():
            try:
                await web.ask(where, address, port)
            except (OSError, TimeoutError) as error:
                failures.append((where, error))

    async with asyncio.TaskGroup() as group:
        for way in WAYS_IN:
            group.create_task(client(*way))
        for _ in range(5):
            for name in EVEN:
                await web.plane.withdraw(name)
                await web.plane.admit(backend(web.sandboxes[name], name))
        await web.restart()
        web.plane.set_services(web_service())
        for name in EVEN:
            await web.plane.admit(backend(web.sandboxes[name], name))
        await web.plane.resume()
        done.set()
    assert failures == []


@pytest.mark.parametrize(("where", "address", "port"), WAYS_IN)
async def test_connections_are_counted_until_they_end(web, where, address, port):
    reader, writer = await web.connect(where, address, port)
    writer.write(b"hello\n")
    name = (await reader.readline()).decode().split()[0]
    assert (await web.plane.traffic(name, 60)).busy == 1
    await web.plane.withdraw(name)
    writer.write(b"still there\n")
    assert (await reader.readline()).split()[0].decode() == name
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while (await web.plane.traffic(name, 60)).total:
            await asyncio.sleep(0.01)


async def test_a_silent_connection_is_kept_for_weeks(web):
    _, writer = await web.connect("caller", VIP6, 80)
    left = sh(f"conntrack -L -f ipv6 -p tcp -d {VIP6} --state ESTABLISHED").split()
    writer.close()
    assert int(left[2]) > 20 * 24 * 3600


async def test_a_udp_client_is_given_to_a_living_backend(web):
    door = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    door.setblocking(False)
    loop = asyncio.get_running_loop()
    with door:
        await loop.sock_connect(door, (HOST6, 8000))
        names = []
        for _ in range(3):
            await loop.sock_sendall(door, b"hello")
            async with asyncio.timeout(2):
                names.append((await loop.sock_recv(door, 100)).decode().split()[0])
            await web.plane.withdraw(names[-1])
    assert sorted(names) == sorted(EVEN)


@pytest.mark.parametrize(
    ("host_ip", "open_at", "closed"),
    [
        pytest.param("::1", ["::1"], [HOST6, HOST, "127.0.0.1"], id="loopback"),
        pytest.param(HOST6, [HOST6], ["::1", HOST, "127.0.0.1"], id="one-address"),
        pytest.param("::", [HOST6, "::1"], [HOST, "127.0.0.1"], id="all-of-IPv6"),
        pytest.param("0.0.0.0", [HOST, "127.0.0.1"], [HOST6, "::1"], id="all-of-IPv4"),
        pytest.param("127.0.0.1", ["127.0.0.1"], [HOST6, "::1", HOST], id="loopback-of-IPv4"),
    ],
)
async def test_host_ip_is_honoured_and_never_widened(web, host_ip, open_at, closed):
    ports = [PortConfig(target_port=80, published_port=8001, host_ip=host_ip)]
    web.plane.set_services(web_service(ports=ports))
    await web.plane.admit(backend(web.sandboxes["web1"], "web1"))
    for address in open_at:
        assert await web.count("host", address, 8001, 3) == dict.fromkeys(EVEN, 1)
    for address in closed:
        with pytest.raises(ConnectionRefusedError):
            await web.ask("host", address, 8001)
    for address in (HOST, HOST6):
        if address not in open_at:
            with pytest.raises(ConnectionRefusedError):
                await web.ask("outside", address, 8001)


async def test_host_mode_leads_to_the_task_that_holds_the_port(lab):
    lab.plane.set_services(web_service(ports=[], vips={}, vips6={}))
    sandbox = await lab.task("web1", (WEBNET, "10.0.1.3/24"), (GATEWAY, None))
    port = PortConfig(target_port=80, published_port=8002, publish_mode="host")
    await lab.plane.admit(
        backend(sandbox, "web1", host_ports=[port, port.replaced(protocol="udp")])
    )
    assert (await lab.ask("outside", HOST6, 8002))[:2] == ["web1", OUTSIDE6]
    assert (await lab.ask_udp("outside", HOST6, 8002))[:2] == ["web1", OUTSIDE6]
    assert (await lab.ask("host", "::1", 8002))[0] == "web1"
    assert (await lab.ask("web1", HOST6, 8002))[:2] == ["web1", GATEWAY.gateway6]


async def test_who_listens_for_ipv4_alone_takes_no_part_in_ipv6(web):
    """Whoever comes by IPv6 is given to the others, or refused at once, so that his next try is IPv4."""

    async def ipv4_only(*names):
        for name in names:
            await web.plane.admit(backend(web.sandboxes[name], name, ipv4_only=[80]))

    await ipv4_only("web1")
    assert await web.count("outside", HOST6, 8000, 4) == {"web2": 2, "web3": 2}
    assert await web.count("outside", HOST, 8000, 3) == dict.fromkeys(EVEN, 1)
    await ipv4_only("web2", "web3")
    for where, address in (("outside", HOST6), ("host", "::1")):
        with pytest.raises(ConnectionRefusedError):
            await web.ask(where, address, 8000)
    assert await web.count("host", "127.0.0.1", 8000, 3) == dict.fromkeys(EVEN, 1)


async def test_networks_are_closed_to_each_other(web):
    other = await web.task("other", (OTHER, "10.0.2.3/24"), (GATEWAY, None))
    inner = await web.task("inner", (INSIDE, "10.0.3.3/24"))
    hidden = await web.task("hidden", (INSIDE, "10.0.3.4/24"))
    assert (await web.ask("inner", hidden.addresses6[INSIDE.id], 80))[0] == "hidden"
    neighbour = sh(f"nsenter --net={other.netns} ip -6 -br addr show dev eth1 scope link").split()[
        2
    ]
    closed = [
        ("caller", other.addresses6[OTHER.id], 80, "another network's task"),
        ("caller", other.addresses6[GATEWAY.id], 80, "a neighbour on docker_gwbridge"),
        ("caller", f"{neighbour.partition('/')[0]}%eth1", 80, "a neighbour's link-local address"),
        ("web1", six(INGRESS, "10.0.0.4/24").partition("/")[0], 80, "a neighbour on ingress"),
        ("other", six(WEBNET, "10.0.1.3/24").partition("/")[0], 80, "another network's task"),
        ("other", VIP6, 80, "another network's service"),
        ("outside", six(WEBNET, "10.0.1.3/24").partition("/")[0], 80, "a task's address"),
        ("caller", inner.addresses6[INSIDE.id], 80, "an internal network"),
        ("caller", LOCAL_CLIENT, 8000, "the way of [::1]"),
        ("outside", LOCAL_CLIENT, 8000, "the way of [::1]"),
        ("inner", OUTSIDE6, 80, "the world, from an internal network"),
    ]

    async def is_closed(where, address, port, what):
        try:
            answer = await web.ask(where, address, port, within=0.3)
        except (OSError, TimeoutError):
            return None
        return f"{where} reached {what}: {answer}"

    assert [x for x in await asyncio.gather(*(is_closed(*c) for c in closed)) if x] == []
    assert (await web.ask("other", HOST6, 8000))[0] in EVEN


async def test_the_way_out_shows_the_hosts_address(web):
    ways = ["web1", "caller"]  # by ingress, by docker_gwbridge
    assert await web.seen_outside(OUTSIDE6, ways) == [HOST6, HOST6]


async def test_what_vanishes_is_restored(web):
    sh("nft delete table ip6 hivelet")
    sh(f"ip link del {LOCAL_LINK}")
    sh(f"ip link del {bridge_name(WEBNET)}")
    async with asyncio.timeout(10):
        for where, address, port in WAYS_IN:
            while True:
                try:
                    await web.ask(where, address, port, within=0.5)
                    break
                except (OSError, TimeoutError):
                    await asyncio.sleep(0.05)
    for way in WAYS_IN:
        assert await web.count(*way, 9) == dict.fromkeys(EVEN, 3)


async def test_a_member_is_no_router(web):
    """Sandboxes take no advertisement, and the bridge passes none on."""
    conf = f"nsenter --net={web.sandboxes['caller'].netns} cat /proc/sys/net/ipv6/conf"
    assert sh(f"{conf}/eth0/accept_ra {conf.split()[-1]}/eth0/accept_dad").split() == ["0", "0"]
    assert "nd-router-advert" in sh("nft list chain ip6 hivelet filter-forward")


async def test_a_network_without_ipv6_beside_one_that_has_it(lab):
    plain = OTHER.replaced(subnet6="", gateway6="")
    lab.plane.set_services(
        web_service(vips={WEBNET.id: VIP, OTHER.id: "10.0.2.2"}, aliases={}, ports=[])
    )
    sandbox = await lab.task("web1", (WEBNET, "10.0.1.3/24"), (plain, "10.0.2.3/24"))
    await lab.task("both", (WEBNET, "10.0.1.9/24"), (plain, "10.0.2.9/24"), serve=False)
    await lab.task("ipv4", (plain, "10.0.2.10/24"), serve=False)
    await lab.plane.admit(backend(sandbox, "web1"))
    assert await lab.dig("both", "myapp_web", kind=28) == (0, [VIP6])
    assert await lab.dig("ipv4", "myapp_web", kind=28) == (0, [])
    assert await lab.dig("ipv4", "myapp_web") == (0, ["10.0.2.2"])
    assert (await lab.ask("ipv4", "10.0.2.2", 80))[0] == "web1"
    addresses = sh(f"nsenter --net={lab.sandboxes['ipv4'].netns} ip -6 -o addr")
    assert addresses == ""


async def test_every_task_has_a_name_without_a_vip(lab):
    lab.plane.set_services(web_service(mode="dnsrr", vips={}, vips6={}, ports=[]))
    for number in (1, 2):
        sandbox = await lab.task(f"web{number}", (WEBNET, f"10.0.1.{number + 2}/24"))
        await lab.plane.admit(backend(sandbox, f"web{number}"))
    assert await lab.dig("web1", "web", kind=28) == (0, ["fd00:0:0:1::3", "fd00:0:0:1::4"])
    assert await lab.dig("web1", "web") == (0, ["10.0.1.3", "10.0.1.4"])


async def test_used_subnets_name_their_users(web):
    sh(f"ip -6 route add fd99::/48 via {OUTSIDE6}")
    used = await web.plane.used_subnets()
    assert used["fd99::/48"] == "route through uplink"
    assert used[WEBNET.subnet6] == "network myapp_webnet"
    assert used["2001:db8::/64"] == "interface uplink"
    assert not [subnet for subnet in used if subnet.startswith(("fe80", "ff"))]


async def test_a_host_that_lives_by_router_advertisements_goes_on_to(web):
    """Forwarding would end that, unless its links say that they listen all the same."""
    assert Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text().strip() == "1"
    assert Path("/proc/sys/net/ipv6/conf/lo/accept_ra").read_text().strip() == "2"


async def test_a_host_without_ipv6_has_all_the_rest(home):
    Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
    lab = Lab(home)
    await lab.start()
    try:
        assert "net.ipv6.conf.all.disable_ipv6=0" in lab.plane.without_ipv6
        lab.plane.set_services(web_service())
        legs = ((WEBNET, "10.0.1.3/24"), (INGRESS, "10.0.0.3/24"))
        sandbox = await lab.task("web1", *legs)
        await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
        await lab.plane.admit(backend(sandbox, "web1"))
        assert sandbox.addresses6 == {}
        for where, address, port in (("host", "127.0.0.1", 8000), ("caller", VIP, 80)):
            assert (await lab.ask(where, address, port))[0] == "web1"
        assert await lab.dig("caller", "web", kind=28) == (0, [])
        assert sh("nft list tables") == "table ip hivelet\ntable bridge hivelet\n"
        assert sh("ip -6 -o addr") == ""
    finally:
        await lab.close()
