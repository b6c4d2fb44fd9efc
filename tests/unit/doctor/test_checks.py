"""Each check: facts in, findings out. A finding that is not ok says what it means and what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hivelet.doctor.clock import ClockFacts, check_clock
from hivelet.doctor.control_groups import CgroupFacts, check_cgroups
from hivelet.doctor.daemon import DaemonFacts, check_daemon
from hivelet.doctor.finding import is_serious
from hivelet.doctor.kernel import KernelFacts, check_kernel
from hivelet.doctor.limits import LimitFacts, check_limits
from hivelet.doctor.network import NetworkFacts, check_network
from hivelet.doctor.programs import ProgramFacts, check_programs
from hivelet.doctor.storage import Volume, check_storage
from hivelet.network.firewall.passes import Step
from hivelet.packages import Package

GIB = 1 << 30
NOW = datetime(2026, 5, 1, tzinfo=UTC)
CONMON = Package("run", "conmon", "conmon", "watches each container")
CRUN = Package("run", "crun", "crun", "starts containers")
RUNC = Package("run", "runc", "runc", "starts containers")
STEP = Step(place="iptables-nft, chain FORWARD", argv=("iptables-nft-restore",), script="*filter\n")


def kernel(**fields):
    values = {
        "release": "6.1.0",
        "version": (6, 1),
        "file_systems": frozenset({"overlay", "tmpfs"}),
    }
    return check_kernel(KernelFacts(**values | fields))


def programs(**fields):
    values = {"packages": (CONMON, CRUN, RUNC), "runtime": "crun 1.8: runs"}
    return check_programs(ProgramFacts(**values | fields))


def volume(**fields):
    values = {
        "purpose": "root",
        "path": "/var/lib/hivelet",
        "bytes_free": 50 * GIB,
        "bytes_total": 100 * GIB,
        "inodes_free": 500,
        "inodes_total": 1000,
    }
    return check_storage([Volume(**values | fields)])


def cgroups(**fields):
    values = {"version": 2, "controllers": frozenset({"memory", "cpu", "pids", "cpuset", "io"})}
    return check_cgroups(CgroupFacts(**values | fields))


def network(**fields):
    return check_network(NetworkFacts(**{"resolv_conf": "nameserver 192.0.2.53\n"} | fields))


def clock(**fields):
    values = {"now": NOW, "built": NOW - timedelta(days=30), "synchronised": True}
    return check_clock(ClockFacts(**values | fields))


def daemon(**fields):
    values = {"address": "unix:///run/hivelet.sock", "name": "node1", "mode": 0o140660}
    return check_daemon(DaemonFacts(**values | {"group": "docker"} | fields))


@pytest.mark.parametrize(
    ("findings", "bad"),
    [
        pytest.param(kernel(), {}, id="kernel"),
        pytest.param(
            kernel(release="4.19.0", version=(4, 19)), {"kernel": "serious"}, id="old-kernel"
        ),
        pytest.param(
            kernel(release="5.10.0", version=(5, 10)), {"kernel": "note"}, id="not-so-old-kernel"
        ),
        pytest.param(kernel(pidfd=False), {"kernel": "serious"}, id="no-pidfd"),
        pytest.param(
            kernel(file_systems=frozenset({"tmpfs"})),
            {"file-system-overlay": "serious"},
            id="no-overlay",
        ),
        pytest.param(kernel(links="cannot make it"), {"links": "serious"}, id="no-links"),
        pytest.param(
            kernel(nft={"nat": "no such thing"}), {"nftables-nat": "serious"}, id="no-nft-nat"
        ),
        pytest.param(
            kernel(nft={"ct timeout": "no"}), {"nftables-ct-timeout": "note"}, id="no-ct-timeout"
        ),
        pytest.param(
            kernel(nft={"bridge": "no"}), {"nftables-bridge": "note"}, id="no-tables-of-bridges"
        ),
        pytest.param(
            kernel(nft=None, links=None), {"nftables": "note", "links": "note"}, id="not-root"
        ),
        pytest.param(
            kernel(bridge_netfilter=False), {"bridge-netfilter": "serious"}, id="br-netfilter"
        ),
        pytest.param(kernel(forwarding=False), {"forwarding": "note"}, id="no-forwarding"),
        pytest.param(kernel(connections=(10, 262144)), {}, id="conntrack"),
        pytest.param(
            kernel(connections=(900, 1000)), {"connection-tracking": "serious"}, id="conntrack-full"
        ),
        pytest.param(
            kernel(neighbours={"net.ipv4.neigh.default.gc_thresh3": 1024}),
            {"neighbours": "note"},
            id="neighbours",
        ),
        pytest.param(programs(), {}, id="programs"),
        pytest.param(programs(missing=(CONMON,)), {"package-conmon": "serious"}, id="no-conmon"),
        pytest.param(programs(missing=(CRUN,)), {"package-crun": "note"}, id="one-runtime"),
        pytest.param(
            programs(missing=(CRUN, RUNC), runtime="", refusal="none is installed"),
            {"package-crun": "serious", "package-runc": "serious", "runtime": "serious"},
            id="no-runtime",
        ),
        pytest.param(programs(runtime=""), {"runtime": "note"}, id="runtime-not-tried"),
        pytest.param(volume(), {}, id="disk"),
        pytest.param(volume(bytes_free=5 * GIB), {"disk-root": "note"}, id="disk-little"),
        pytest.param(volume(bytes_free=GIB), {"disk-root": "serious"}, id="disk-full"),
        pytest.param(
            volume(bytes_free=GIB // 8, bytes_total=GIB), {"disk-root": "serious"}, id="disk-small"
        ),
        pytest.param(volume(inodes_free=1), {"inodes-root": "serious"}, id="inodes-full"),
        pytest.param(volume(inodes_free=0, inodes_total=0), {}, id="inodes-of-btrfs"),
        pytest.param(cgroups(), {}, id="cgroup-v2"),
        pytest.param(cgroups(version=1, hybrid=True), {}, id="cgroup-hybrid"),
        pytest.param(cgroups(version=0), {"cgroups": "serious"}, id="no-cgroups"),
        pytest.param(
            cgroups(controllers=frozenset({"cpu", "cpuset"})),
            {"cgroup-memory": "note", "cgroup-pids": "note"},
            id="controllers",
        ),
        pytest.param(cgroups(swap_limit=False), {"cgroup-swap": "note"}, id="swap"),
        pytest.param(network(), {}, id="network"),
        pytest.param(
            network(subnets={"10.0.0.0/8": "route through tun0"}),
            {"addresses-services": "serious"},
            id="a-vpn-has-all-of-10",
        ),
        pytest.param(
            network(subnets={"172.16.0.0/12": "route", "192.168.0.0/16": "route"}),
            {"addresses-bridges": "serious"},
            id="no-bridge-pool",
        ),
        pytest.param(
            network(subnets={"fd00::/64": "interface docker_gwbridge", "10.0.0.0/24": "ingress"}),
            {},
            id="ipv6-is-in-use",
        ),
        pytest.param(network(firewalls=None), {"firewalls": "note"}, id="firewalls-not-root"),
        pytest.param(
            network(firewalls=(STEP,), bridges=2), {"firewalls": "serious"}, id="firewall-drops"
        ),
        pytest.param(network(firewalls=(STEP,)), {}, id="firewall-before-the-first-network"),
        pytest.param(network(resolv_conf=None), {"name-servers": "note"}, id="no-resolv-conf"),
        pytest.param(network(resolv_conf="search x\n"), {"name-servers": "note"}, id="no-server"),
        pytest.param(check_limits(LimitFacts()), {}, id="limits-not-told"),
        pytest.param(
            check_limits(LimitFacts(inotify_instances=16, inotify_watches=100)),
            {"inotify-instances": "note", "inotify-watches": "note"},
            id="inotify",
        ),
        pytest.param(
            check_limits(LimitFacts(files=(95, 100), threads=(95, 100))),
            {"open-files": "serious", "processes": "serious"},
            id="used-up",
        ),
        pytest.param(clock(), {}, id="clock"),
        pytest.param(
            clock(now=datetime(1970, 1, 1, tzinfo=UTC)), {"clock": "serious"}, id="clock-of-1970"
        ),
        pytest.param(clock(synchronised=False), {"clock-synchronised": "note"}, id="drifts"),
        pytest.param(clock(synchronised=None), {}, id="synchronised-not-told"),
        pytest.param(daemon(), {}, id="daemon"),
        pytest.param(daemon(refusal="no socket", mode=None), {"daemon": "note"}, id="no-daemon"),
        pytest.param(daemon(locked=True), {"swarm": "serious"}, id="locked"),
        pytest.param(daemon(mode=0o140666), {"socket": "serious"}, id="socket-open-to-everybody"),
        pytest.param(
            daemon(warnings=("WARNING: it drops",)), {"daemon-warning": "note"}, id="warning"
        ),
    ],
)
def test_findings(findings, bad):
    findings = list(findings)
    assert {f.name: f.level for f in findings if f.level != "ok"} == bad
    assert is_serious(findings) is ("serious" in bad.values())
    for finding in findings:
        assert finding.seen
        if finding.level != "ok":
            assert finding.meaning
            assert finding.way


@pytest.mark.parametrize(
    ("findings", "command"),
    [
        pytest.param(kernel(bridge_netfilter=False), "modprobe br_netfilter", id="module"),
        pytest.param(kernel(forwarding=False), "sysctl -w net.ipv4.ip_forward=1", id="switch"),
        pytest.param(
            programs(missing=(CONMON,)),
            "apt-get install -y --no-install-recommends conmon",
            id="package",
        ),
        pytest.param(
            network(firewalls=(STEP,), bridges=1),
            "iptables-nft-restore <<'END'\n*filter\nEND",
            id="firewall",
        ),
    ],
)
def test_what_is_safe_is_repaired(findings, command):
    (finding,) = [f for f in findings if f.level != "ok"]
    assert [repair.command for repair in finding.repairs] == [command]


def test_no_packages_are_installed_where_there_is_no_apt():
    (finding, *_) = programs(missing=(CONMON,), apt=False)
    assert finding.repairs == ()
    assert "install" in finding.way


def test_who_may_use_the_socket():
    (_, socket) = daemon()
    assert "members of the group docker" in socket.seen
    (_, socket) = daemon(group="root", mode=0o140660)
    assert "members" not in socket.seen
