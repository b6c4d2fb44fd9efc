"""The OCI spec: rules one by one, and whole specs as goldens in `tests/golden/oci` (HIVELET_GOLDEN=1 rewrites them)."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from hivelet.errors import InvalidParameter, Unavailable
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerConfig, HostConfig, Mount, Ulimit
from hivelet.runtime.capabilities import KNOWN_CAPABILITIES
from hivelet.runtime.cgroups import Device
from hivelet.runtime.oci_spec import (
    ExecInput,
    HostFacts,
    OciInput,
    ProcessUser,
    build_exec_process,
    build_oci_spec,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "oci"
RICH = HostFacts(
    architecture="amd64",
    kernel=(6, 1),
    cgroup_version=2,
    swap_limit=True,
    capabilities=frozenset(KNOWN_CAPABILITIES),
    hard_limits={"nofile": 20000},
    init_path="/usr/bin/tini-static",
)
POOR = replace(
    RICH,
    cgroup_version=1,
    capabilities=RICH.capabilities - {"CAP_SYS_RESOURCE"},
    architecture="arm64",
)
ID = ContainerId("0123456789ab" + "0" * 52)


def given(facts=RICH, host=None, **changes):
    config = {"cmd": ["/bin/true"], **changes.pop("config", {})}
    return OciInput(
        id=ID,
        config=ContainerConfig(**config),
        host=HostConfig(**(host or {})),
        facts=facts,
        rootfs="/var/lib/hivelet/rootfs",
        cgroup_parent="/hivelet",
        **changes,
    )


def build(facts=RICH, host=None, **changes):
    return build_oci_spec(given(facts, host, **changes))


TASK = {
    "config": {
        "entrypoint": ["/entry.sh"],
        "cmd": ["uwsgi", "--ini", "app.ini"],
        "env": ["A=1", "PATH=/app/bin"],
        "working_dir": "/app",
    },
    "user": ProcessUser(uid=1000, gid=1000, additional_gids=(1000, 44), home="/home/app"),
    "hostname": "0123456789ab",
    "netns": "/run/hivelet/netns/0123",
    "files": {
        "/etc/hosts": "/run/hivelet/c/hosts",
        "/etc/hostname": "/run/hivelet/c/hostname",
        "/etc/resolv.conf": "/run/hivelet/c/resolv.conf",
    },
    "volumes": {"media": "/var/lib/hivelet/volumes/media"},
}
TASK_HOST = {
    "mounts": [Mount(type="volume", source="media", target="/app/media")],
    "nano_cpus": 500_000_000,
    "memory": 256 << 20,
    "pids_limit": 200,
    "cap_drop": ["ALL"],
    "cap_add": ["NET_BIND_SERVICE"],
    "init": True,
    "readonly_rootfs": True,
    "tmpfs": {"/tmp": "size=64m"},
    "sysctls": {"net.core.somaxconn": "1024"},
    "ulimits": [Ulimit(name="nofile", soft=65536, hard=65536)],
}


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        pytest.param("plain", build(netns="/run/netns/x", hostname="web"), id="plain"),
        pytest.param("task", build(host=TASK_HOST, **TASK), id="task"),
        pytest.param("poor-machine", build(POOR, TASK_HOST, **TASK), id="poor-machine"),
        pytest.param(
            "privileged",
            build(
                host={"privileged": True, "pid_mode": "host", "ipc_mode": "host"},
                netns=None,
                devices=(Device(path="/dev/fuse", type="c", major=10, minor=229),),
            ),
            id="privileged",
        ),
    ],
)
def test_golden(name, spec):
    text = json.dumps(spec, indent=2) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("HIVELET_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_no_command_is_refused():
    with pytest.raises(InvalidParameter, match="no command specified"):
        build(config={"cmd": None})


@pytest.mark.parametrize(
    ("config", "args"),
    [
        ({"entrypoint": ["a"], "cmd": ["b"]}, ["a", "b"]),
        ({"entrypoint": ["a"], "cmd": None}, ["a"]),
        ({"cmd": ["b", "c"]}, ["b", "c"]),
    ],
)
def test_args(config, args):
    assert build(config=config)["process"]["args"] == args


def test_environment():
    spec = build(
        config={"env": ["A=1", "HOME=/x", "A=2", "B=a=b", "HOSTNAME"], "tty": True}, hostname="web"
    )
    assert spec["process"]["env"][1:] == ["TERM=xterm", "A=2", "HOME=/x", "B=a=b"]
    assert build(user=ProcessUser(home="/root"))["process"]["env"][-1] == "HOME=/root"


@pytest.mark.parametrize(
    ("host", "args"),
    [
        ({"init": True}, ["/sbin/docker-init", "--", "/bin/true"]),
        ({"init": False}, ["/bin/true"]),
        ({"init": True, "pid_mode": "host"}, ["/bin/true"]),
        ({}, ["/sbin/docker-init", "--", "/bin/true"]),
    ],
)
def test_init(host, args):
    assert build(host=host, init=True)["process"]["args"] == args


def test_init_that_is_not_installed_names_the_packages():
    with pytest.raises(Unavailable, match="tini or catatonit"):
        build(replace(RICH, init_path=None), {"init": True})


@pytest.mark.parametrize(
    ("facts", "hard", "expected"),
    [
        pytest.param(RICH, 65536, 65536, id="may-raise"),
        pytest.param(POOR, 65536, 20000, id="may-not-raise"),
        pytest.param(POOR, 100, 100, id="lower"),
        pytest.param(POOR, -1, 20000, id="unlimited-for-the-poor"),
        pytest.param(RICH, -1, 2**64 - 1, id="unlimited"),
    ],
)
def test_ulimits_are_cut_to_what_the_machine_allows(facts, hard, expected):
    limit = build(facts, {"ulimits": [Ulimit(name="nofile", soft=hard, hard=hard)]})["process"][
        "rlimits"
    ]
    assert limit == [{"type": "RLIMIT_NOFILE", "soft": expected, "hard": expected}]


def test_soft_limit_above_the_hard_one():
    with pytest.raises(InvalidParameter, match="soft limit"):
        build(host={"ulimits": [Ulimit(name="core", soft=2, hard=1)]})


@pytest.mark.parametrize(
    ("netns", "network"),
    [
        ("/run/netns/x", [{"type": "network", "path": "/run/netns/x"}]),
        ("", [{"type": "network"}]),
        (None, []),
    ],
)
def test_network_namespace(netns, network):
    spec = build(netns=netns)
    assert [space for space in spec["linux"]["namespaces"] if space["type"] == "network"] == network
    assert ("net.ipv4.ip_unprivileged_port_start" in spec["linux"]["sysctl"]) is bool(network)


@pytest.mark.parametrize(
    ("facts", "mode", "private"),
    [(RICH, "", True), (POOR, "", False), (RICH, "host", False), (POOR, "private", True)],
)
def test_cgroup_namespace(facts, mode, private):
    spaces = build(facts, {"cgroupns_mode": mode})["linux"]["namespaces"]
    assert ({"type": "cgroup"} in spaces) is private


def test_joined_namespaces():
    spaces = build(joined={"pid": "/proc/7/ns/pid"})["linux"]["namespaces"]
    assert {"type": "pid", "path": "/proc/7/ns/pid"} in spaces


@pytest.mark.parametrize(
    ("options", "filtered", "no_new"),
    [
        ([], True, False),
        (["seccomp=unconfined"], False, False),
        (["seccomp:unconfined"], False, False),
        (["seccomp=builtin"], True, False),
        (["no-new-privileges"], True, True),
        (["no-new-privileges:true"], True, True),
        (["no-new-privileges=false"], True, False),
        (["apparmor=unconfined", "label=disable"], True, False),
    ],
)
def test_security_options(options, filtered, no_new):
    spec = build(host={"security_opt": options})
    assert ("seccomp" in spec["linux"]) is filtered
    assert spec["process"]["noNewPrivileges"] is no_new


def test_a_seccomp_profile_of_the_users():
    profile = '{"defaultAction": "SCMP_ACT_LOG", "syscalls": []}'
    assert build(host={"security_opt": [f"seccomp={profile}"]})["linux"]["seccomp"] == {
        "defaultAction": "SCMP_ACT_LOG",
        "syscalls": [],
    }


@pytest.mark.parametrize("option", ["odd", "no-new-privileges=maybe", "seccomp={"])
def test_bad_security_option(option):
    with pytest.raises(InvalidParameter):
        build(host={"security_opt": [option]})


def test_paths_can_be_unmasked():
    spec = build(host={"masked_paths": [], "readonly_paths": ["/proc/x"]})
    assert spec["linux"]["maskedPaths"] == []
    assert spec["linux"]["readonlyPaths"] == ["/proc/x"]


def test_exec_differs_only_where_it_says_so():
    first = build(config={"env": ["A=1", "B=2"], "working_dir": "/w"})["process"]
    process = build_exec_process(
        first, ExecInput(args=("id",), env=("A=3",), user=ProcessUser(uid=5, gid=6), cwd="/x")
    )
    changed = {key for key in process if process[key] != first[key]}
    assert changed == {"args", "env", "user", "cwd"}
    assert process["env"][-1] == "A=3"
    assert "A=1" not in process["env"]
    plain = build_exec_process(first, ExecInput(args=("id",)))
    assert {key for key in plain if plain[key] != first[key]} == {"args"}


def test_exec_of_nothing():
    with pytest.raises(InvalidParameter):
        build_exec_process({}, ExecInput(args=()))


def test_the_hosts_own_namespaces():
    spec = build(
        host={"uts_mode": "host", "ipc_mode": "host", "pid_mode": "host"},
        config={"domainname": "d"},
        hostname="named",
    )
    kinds = {namespace["type"] for namespace in spec["linux"]["namespaces"]}
    assert not kinds & {"uts", "ipc", "pid"}
    # The host keeps its names.
    assert "hostname" not in spec
    assert "kernel.domainname" not in spec["linux"]["sysctl"]
    (shm,) = [mount for mount in spec["mounts"] if mount["destination"] == "/dev/shm"]
    assert (shm["source"], shm["type"]) == ("/dev/shm", "bind")
