"""What another program does to our network is seen, mended and told; what is another program's is left alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from network_lab import GATEWAY, HOST, INGRESS, VIP, WEBNET, backend, sh, web_service
from structlog.testing import capture_logs

from hivelet.network.guard import _FAULTS_EVERY, _Rhythm
from hivelet.network.joiner import RESOLVER_BRIDGE
from hivelet.network.names import (
    LOCAL_BACK,
    LOCAL_CLIENT,
    LOCAL_LINK,
    LOCAL_SOURCE,
    bridge_name,
    port_name,
)
from hivelet.network.netns import inside

TASKS = ("web1", "web2", "web3")
BRIDGE = bridge_name(WEBNET)
LOCAL_TABLE = 26742
LOCAL_WAY = "on the way of [::1] to tasks, "
"""What is told where the kernel takes away more than one thing, and a look may fall into the middle of that."""
CALLER = "caller".ljust(64, "0")
CALLERS_PORT = port_name(CALLER, 0)
WEB1S_PORT = port_name("web1".ljust(64, "0"), 0)


@pytest.fixture
async def web(lab):
    lab.plane.set_services(web_service())
    for number, name in enumerate(TASKS, 3):
        legs = ((WEBNET, f"10.0.1.{number}/24"), (INGRESS, f"10.0.0.{number}/24"))
        await lab.plane.admit(backend(await lab.task(name, *legs), name))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
    return lab


async def until(look: Callable[[], bool], what: str, within: float = 20) -> None:
    """Wait until `look` is true."""
    try:
        async with asyncio.timeout(within):
            while not await asyncio.to_thread(look):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {within} s: {what}") from None


def detail(link: str) -> str:
    return sh(f"ip -d link show dev {link}")


def link_facts(link: str) -> Callable[[], bool]:
    def is_whole() -> bool:
        try:
            text = detail(link)
        except subprocess.CalledProcessError:
            return False
        return ",UP" in text and f"master {BRIDGE} " in text and "hairpin on" in text

    return is_whole


def has_address(link: str, address: str) -> Callable[[], bool]:
    return lambda: f" {address} " in sh(f"ip -o -4 addr show dev {link}")


def local_way() -> bool:
    """Whether the links, address, routes and rule of the way of [::1] are there, as `ip` lists them."""
    try:
        links = [detail(link) for link in (LOCAL_LINK, LOCAL_BACK)]
    except subprocess.CalledProcessError:
        return False
    routes = sh("ip -6 route show table all")
    return (
        all(",UP" in link for link in links)
        and f" {LOCAL_SOURCE}/128 " in sh(f"ip -o -6 addr show dev {LOCAL_LINK}")
        and f"default dev {LOCAL_LINK} table {LOCAL_TABLE}" in routes
        and f"{LOCAL_CLIENT} dev {LOCAL_BACK}" in routes
        and f"local ::1 dev {LOCAL_LINK}" in routes
        and f"from ::1 lookup {LOCAL_TABLE}" in sh("ip -6 rule")
    )


def switch(name: str, value: str) -> Callable[[], bool]:
    return lambda: Path("/proc/sys", name).read_text().strip() == value


CASES = {
    "vip": (f"ip addr del {VIP}/32 dev {BRIDGE}", has_address(BRIDGE, f"{VIP}/32"), VIP),
    "gateway": (
        f"ip addr del {WEBNET.gateway}/24 dev {BRIDGE}; ip addr add {VIP}/32 dev {BRIDGE} || true",
        has_address(BRIDGE, f"{WEBNET.gateway}/24"),
        "has lost its address 10.0.1.1",
    ),
    "route": (
        f"ip route del {WEBNET.subnet}",
        lambda: (
            f"{WEBNET.subnet} dev {BRIDGE} proto kernel scope link src {WEBNET.gateway}"
            in sh("ip route")
        ),
        f"has lost its route to {WEBNET.subnet}",
    ),
    "bridge-down": (f"ip link set {BRIDGE} down", lambda: ",UP" in detail(BRIDGE), "is down"),
    "port-without-bridge": (
        f"ip link set {CALLERS_PORT} nomaster",
        link_facts(CALLERS_PORT),
        f"{CALLERS_PORT} of the container caller000000 is not in its bridge",
    ),
    "port-down": (f"ip link set {WEB1S_PORT} down", link_facts(WEB1S_PORT), "is down"),
    "hairpin": (
        f"ip link set {WEB1S_PORT} type bridge_slave hairpin off",
        link_facts(WEB1S_PORT),
        "has lost its hairpin mode",
    ),
    "veth": (f"ip link del {CALLERS_PORT}", link_facts(CALLERS_PORT), "is gone"),
    "forwarding": (
        "sysctl -qw net.ipv4.ip_forward=0",
        switch("net/ipv4/ip_forward", "1"),
        "net.ipv4.ip_forward is 0, not 1",
    ),
    "bridge-netfilter": (
        f"ip link set {BRIDGE} type bridge nf_call_iptables 0",
        lambda: "nf_call_iptables 1" in detail(BRIDGE),
        "does not show nftables what crosses it",
    ),
    "route-localnet": (
        f"sysctl -qw net/ipv4/conf/{BRIDGE}/route_localnet=0",
        switch(f"net/ipv4/conf/{BRIDGE}/route_localnet", "1"),
        "route_localnet is 0, not 1",
    ),
    "resolvers-bridge": (
        f"ip link del {RESOLVER_BRIDGE}",
        lambda: "169.254.52." in sh("ip -o -4 addr show"),
        "of the resolvers is gone",
    ),
    "local-way-gone": (f"ip link del {LOCAL_LINK}", local_way, LOCAL_WAY),
    "local-way-down": (
        f"ip link set {LOCAL_LINK} down",
        local_way,
        LOCAL_WAY,
    ),
    "local-way-back-down": (
        f"ip link set {LOCAL_BACK} down",
        local_way,
        LOCAL_WAY,
    ),
    "local-way-address": (
        f"ip -6 addr flush dev {LOCAL_LINK}",
        local_way,
        f"has lost its address {LOCAL_SOURCE}",
    ),
    "local-way-no-ipv6": (
        f"sysctl -qw net/ipv6/conf/{LOCAL_LINK}/disable_ipv6=1",
        local_way,
        LOCAL_WAY,
    ),
    "local-way-routes": (
        f"ip -6 route flush table {LOCAL_TABLE}",
        local_way,
        "the route to ::/0 by hv-local (table 26742) is gone",
    ),
    "local-way-client": (
        f"ip -6 route del {LOCAL_CLIENT} dev {LOCAL_BACK}",
        local_way,
        f"the route to {LOCAL_CLIENT}/128 by hv-back",
    ),
    "local-way-loopback": (
        f"ip -6 route del local ::1 dev {LOCAL_LINK} table local",
        local_way,
        "the route to ::1/128 by hv-local",
    ),
    "local-way-rule": (
        f"ip -6 rule del from ::1 lookup {LOCAL_TABLE}",
        local_way,
        "the routing rule for ::1 is gone",
    ),
    "rule": (
        "nft flush chain ip hivelet to-container",
        lambda: "ct status dnat accept" in sh("nft list chain ip hivelet to-container"),
        "the rules of to-container differ",
    ),
    "element": (
        f"nft delete element ip hivelet vips '{{ \"{BRIDGE}\" . {VIP} }}'",
        lambda: BRIDGE in sh("nft list map ip hivelet vips"),
        "is missing in vips",
    ),
    "all-rules": (
        "nft flush ruleset",
        lambda: "dnat" in sh("nft list ruleset"),
        "the table ip hivelet is missing",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_drift_is_mended_and_told_once(web, case):
    command, mended, words = CASES[case]
    with capture_logs() as logs:
        await asyncio.to_thread(sh, command)
        await until(mended, case)
        # The next look finds nothing more.
        await web.plane._guard.look()
        await web.plane._writer.settle()
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert len([entry for entry in warnings if words in str(entry["found"])]) == 1, logs
    assert await web.count("caller", VIP, 80, 6) == dict.fromkeys(TASKS, 2)
    assert await web.count("web1", VIP, 80, 3) == dict.fromkeys(TASKS, 1)
    assert (await web.ask("outside", HOST, 8000))[0] in TASKS
    assert (await web.ask("host", "::1", 8000))[0] in TASKS
    assert await web.dig("caller", "web") == (0, [VIP])
    assert await web.dig("caller", "web", server="127.0.0.11") == (0, [VIP])


async def test_a_way_of_loopback_with_one_end_is_made_anew(web):
    with inside(web.outside):
        holder = subprocess.Popen(["sleep", "60"])
    with capture_logs() as logs:
        sh(f"ip link set {LOCAL_BACK} netns {holder.pid}")
        holder.kill()
        holder.wait()
        await until(local_way, "both ends are there")
        await web.plane._guard.look()
    found = [entry["found"] for entry in logs if entry["log_level"] == "warning"]
    assert len([what for what in found if what.startswith(LOCAL_WAY)]) == 1, found
    assert (await web.ask("host", "::1", 8000))[0] in TASKS


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def resolver_home(lab) -> Path:
    (home,) = [
        path
        for path in (lab.run / "network/dns").iterdir()
        if "app_caller" in "".join(p.read_text() for p in (path / "zones").iterdir())
    ]
    return home


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        pytest.param(lambda zone: zone.write_text("10.9.9.9 web\n"), "service.webid", id="edited"),
        pytest.param(lambda zone: zone.unlink(), "service.webid", id="removed"),
        pytest.param(
            lambda zone: zone.with_name("mine").write_text("10.9.9.9 web\n"), "mine", id="added"
        ),
        pytest.param(
            lambda zone: shutil.rmtree(zone.parent.parent),
            "has been changed or removed",
            id="all-removed",
        ),
    ],
)
async def test_a_resolver_gets_its_files_back(web, tamper, words):
    home = resolver_home(web)
    with capture_logs() as logs:
        tamper(home / "zones/service.webid")
        await until(
            lambda: (
                (zone := home / "zones/service.webid").exists()
                and VIP in zone.read_text()
                and not (home / "zones/mine").exists()
            ),
            "the zone is as it was",
        )
        await web.plane._writer.settle()
    assert words in str([entry.get("found") for entry in logs])
    assert await web.dig("caller", "web") == (0, [VIP])


async def test_a_resolver_that_hangs_is_replaced(web):
    pid = int((resolver_home(web) / "pid").read_text())
    with capture_logs() as logs:
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: not runs(pid), "the hanging one is ended")
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await web.dig("caller", "web") == (0, [VIP])
                    break
                except (OSError, TimeoutError):
                    await asyncio.sleep(0.05)
    assert "it runs but does not answer" in str(logs)


async def test_what_is_not_ours_stays(web):
    """Foreign links, tables, namespaces and name servers live through a repair, a restart, and the end."""
    sh(
        "ip link add br-theirs type bridge; ip link add theirs0 type veth peer name theirs1;"
        "ip link set theirs0 master br-theirs; ip netns add theirs;"
        "nft 'add table ip theirs; add chain ip theirs c { type filter hook forward priority 7; }';"
        f"ip addr add 192.0.2.7/32 dev {BRIDGE}; ip addr add 192.0.2.8/32 dev docker_gwbridge"
    )
    theirs = await asyncio.create_subprocess_exec(
        "dnsmasq", "-k", "-C", "/dev/null", "-p", "5399", "-x", "", "-u", "root"
    )

    def look() -> list[str]:
        return [
            sh("ip -o link show dev br-theirs"),
            sh("ip -o link show dev theirs0"),
            sh("ip netns list"),
            sh("nft list table ip theirs"),
            str([a for a in sh("ip -o -4 addr show").split() if a.startswith("192.0.2.")]),
        ]

    try:
        before = look()
        await web.plane._guard.look()
        web.plane._writer.inspect("a test")
        await web.plane._writer.settle()
        assert look() == before
        await web.restart()
        web.plane.set_services(web_service())
        await web.plane.resume()
        assert look() == before
        await web.plane.tear_down()
        assert look()[:4] == before[:4]
        assert theirs.returncode is None
    finally:
        theirs.terminate()
        await theirs.wait()
        sh("ip netns del theirs")


async def test_what_a_crash_left_is_removed(web):
    """A namespace, a link, a bridge, a resolver and flows that no record names."""
    home = resolver_home(web)
    stray = home.with_name("0123456789ab")
    shutil.copytree(home, stray)
    conf = (home / "conf").read_text().replace(home.name, stray.name)
    (stray / "conf").write_text(conf.replace("port=53", "port=5398"))
    (stray / "pid").unlink()
    await asyncio.to_thread(sh, f"dnsmasq -C {stray}/conf")
    pid = int((stray / "pid").read_text())
    sh(
        f"touch {web.run}/netns/stray; ip link add hv-strayxxxxxxx type bridge;"
        "ip link add hvstrayxxxxxx_0 type veth peer name peer0"
    )
    flows = "conntrack -L -p udp --reply-src 10.0.1.3"
    await web.ask_udp("caller", VIP, 80)
    await web.ask_udp("caller", VIP, 80)
    await web.ask_udp("caller", VIP, 80)
    assert "10.0.1.3" in sh(flows)
    await web.restart()
    assert not runs(pid)
    assert not stray.exists()
    assert not (web.run / "netns/stray").exists()
    links = sh("ip -o link")
    assert "hv-stray" not in links
    assert "hvstray" not in links
    web.plane.set_services(web_service())
    for name in TASKS[1:]:
        await web.plane.admit(backend(web.sandboxes[name], name))
    await web.plane.resume()
    assert "10.0.1.3" not in sh(flows)
    assert "10.0.1.4" in sh(flows.replace("1.3", "1.4"))
    assert await web.dig("caller", "web") == (0, [VIP])


async def test_a_restart_tells_resolvers_nothing(web):
    def look() -> dict[Path, tuple[int, int]]:
        return {
            path: (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in (web.run / "network/dns").rglob("*")
            if path.is_file()
        }

    before = look()
    assert any(path.name == "serial" for path in before)
    with capture_logs() as logs:
        await web.restart()
        web.plane.set_services(web_service())
        for name in TASKS:
            await web.plane.admit(backend(web.sandboxes[name], name))
        await web.plane.resume()
        assert look() == before
        # Nor do the looks that follow find anything: a resolver that is told nothing has its files as they were.
        for _ in range(3):
            web.plane._guard._faults = _Rhythm(_FAULTS_EVERY)
            await web.plane._guard.look()
            await web.plane._writer.settle()
    assert look() == before
    assert [entry for entry in logs if "resolver" in entry["event"]] == []
    await web.plane.withdraw("web1")
    assert await web.dig("caller", "tasks.web") == (0, ["10.0.1.4", "10.0.1.5"])
