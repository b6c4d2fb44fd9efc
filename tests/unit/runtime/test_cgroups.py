from pathlib import Path

import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.container import HostConfig
from hivelet.runtime.cgroupfs import (
    CgroupTree,
    parse_cgroup_mounts,
    parse_claimed_controllers,
    parse_oom_kills,
)
from hivelet.runtime.cgroups import Device, cgroup_path, linux_resources


def resources(version=1, swap=True, devices=(), **host):
    return linux_resources(
        HostConfig(**host), cgroup_version=version, swap_limit=swap, devices=devices
    )


def test_nothing_asked_limits_nothing():
    assert resources() == {"devices": [{"allow": False, "access": "rwm"}]}


@pytest.mark.parametrize(
    ("host", "swap", "expected"),
    [
        pytest.param({"memory": 100}, True, {"limit": 100, "swap": 200}, id="swap-is-twice"),
        pytest.param({"memory": 100}, False, {"limit": 100}, id="no-swap-accounting"),
        pytest.param(
            {"memory": 100, "memory_swap": -1},
            True,
            {"limit": 100, "swap": -1},
            id="unlimited-swap",
        ),
        pytest.param(
            {"memory": 100, "memory_swap": 150}, True, {"limit": 100, "swap": 150}, id="given-swap"
        ),
        pytest.param({"memory_reservation": 50}, True, {"reservation": 50}, id="reservation"),
        pytest.param({"memory_swappiness": 0}, True, {"swappiness": 0}, id="swappiness"),
        pytest.param(
            {"oom_kill_disable": True}, True, {"disableOOMKiller": True}, id="no-oom-killer"
        ),
    ],
)
def test_memory(host, swap, expected):
    assert resources(1, swap, **host)["memory"] == expected


def test_v2_has_neither_swappiness_nor_oom_switch():
    assert "memory" not in resources(2, memory_swappiness=0, oom_kill_disable=True)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"nano_cpus": 1_500_000_000}, {"period": 100_000, "quota": 150_000}),
        ({"cpu_period": 1000, "cpu_quota": 500}, {"period": 1000, "quota": 500}),
        ({"cpu_shares": 512}, {"shares": 512}),
        ({"cpuset_cpus": "0-1", "cpuset_mems": "0"}, {"cpus": "0-1", "mems": "0"}),
    ],
)
def test_cpu(host, expected):
    assert resources(**host)["cpu"] == expected


def test_nano_cpus_and_quota_conflict():
    with pytest.raises(InvalidParameter, match="Conflicting options"):
        resources(nano_cpus=1, cpu_quota=1)


@pytest.mark.parametrize(
    ("limit", "expected"), [(100, {"limit": 100}), (0, None), (-1, None), (None, None)]
)
def test_pids(limit, expected):
    assert resources(pids_limit=limit).get("pids") == expected


def test_devices_are_allowed_after_the_rest_is_forbidden():
    device = Device(path="/dev/fuse", type="c", major=10, minor=229, access="rw")
    assert resources(devices=[device], device_cgroup_rules=["c 7:* rmw", "a *:* r"])["devices"] == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "c", "access": "rmw", "major": 7},
        {"allow": True, "type": "a", "access": "r"},
    ]


def test_privileged_has_all_devices():
    assert resources(privileged=True)["devices"] == [{"allow": True, "access": "rwm"}]


@pytest.mark.parametrize("rule", ["c 7:7", "x 1:1 r", "c 1:1 rwx", ""])
def test_bad_device_rule(rule):
    with pytest.raises(InvalidParameter):
        resources(device_cgroup_rules=[rule])


@pytest.mark.parametrize("parent", ["hivelet", "/hivelet", "/hivelet/"])
def test_cgroup_path(parent):
    assert cgroup_path(parent, "abc") == "/hivelet/abc"


HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:39 / /run/other/cgroup rw,relatime - cgroup hivelet rw,hugetlb
"""


def test_hybrid_mounts():
    tree = parse_cgroup_mounts(HYBRID.splitlines())
    assert tree is not None
    assert tree.version == 1
    assert tree.roots["memory"] == Path("/sys/fs/cgroup/memory")
    assert tree.roots["cpuacct"] == Path("/sys/fs/cgroup/cpu,cpuacct")
    assert tree.roots["name=systemd"] == Path("/sys/fs/cgroup/systemd")
    assert tree.unified == Path("/sys/fs/cgroup/unified")
    assert len(tree.places("/a/b")) == 5


def test_unified_mount():
    tree = parse_cgroup_mounts(["30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"])
    assert tree is not None
    assert tree.version == 2
    assert tree.places("a") == (Path("/sys/fs/cgroup/a"),)


def test_no_mount():
    assert parse_cgroup_mounts(["1 1 0:1 / / rw - ext4 /dev/vda rw", "nonsense"]) is None


PROC_CGROUPS = """\
#subsys_name\thierarchy\tnum_cgroups\tenabled
cpu\t1\t3\t1
memory\t4\t19\t1
hugetlb\t9\t2\t1
net_cls\t0\t2\t1
rdma\t5\t1\t0
"""


def test_controllers_of_v1_hierarchies():
    assert parse_claimed_controllers(PROC_CGROUPS) == {"cpu", "memory", "hugetlb"}


def test_leftovers_are_what_is_not_beside_the_unified_hierarchy(tmp_path):
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified/cgroup.controllers").write_text("misc\n")
    roots = {
        "": tmp_path / "unified",
        "cpu": tmp_path / "cpu",
        "memory": tmp_path / "memory",
        "hugetlb": Path("/run/other/cgroup"),
    }
    tree = CgroupTree(version=1, roots=roots)
    assert tree.leftover_controllers(PROC_CGROUPS) == ("hugetlb", "misc")
    assert CgroupTree(version=2, roots={"": tmp_path}).leftover_controllers(PROC_CGROUPS) == ()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),
        ("low 0\nhigh 0\nmax 8\noom 1\noom_kill 1\noom_group_kill 0\n", 1),
        ("", 0),
    ],
)
def test_oom_kills(text, count):
    assert parse_oom_kills(text) == count


def test_remove_takes_what_is_empty_and_leaves_no_error(tmp_path):
    tree = CgroupTree(version=2, roots={"": tmp_path})
    (tmp_path / "parent/child/grandchild").mkdir(parents=True)
    tree.remove("/parent")
    assert not (tmp_path / "parent").exists()
    tree.remove("/parent")
