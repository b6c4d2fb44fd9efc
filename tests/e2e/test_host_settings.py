"""What a stack file asks of the host beyond Docker's services: the containers have it, and a Docker engine says it has not."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Dockerd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HOST = """
services:
  plain:
    image: bb
    command: sleep 10000
  devices:
    image: bb
    command: sh -c 'head -c 3 /dev/probe | od -An -tx1; sleep 10000'
    devices: ["/dev/zero:/dev/probe:rw"]
    shm_size: 96m
    domainname: example.org
    hostname: named
    cpu_shares: 512
    cpuset: "0"
    mem_limit: 64m
    pids_limit: 50
    cgroup_parent: special
    security_opt: ["no-new-privileges:true", "seccomp:unconfined"]
  joined:
    image: bb
    command: sleep 10000
    pid: host
    ipc: host
    uts: host
  privileged:
    image: bb
    command: sleep 10000
    privileged: true
"""


def deploy(hivelet: Cli, folder: Path) -> Any:
    file = folder / "stack.yml"
    file.write_text(HOST)
    return hivelet("stack", "deploy", "-c", str(file), "host", timeout=120)


def only_process(swarm: Swarm, service: str) -> Path:
    """The `/proc` directory of a service's one task."""
    (task,) = swarm.tasks(service, running=True)
    return Path(f"{swarm.machine.proc}/{swarm.process(task)}")


def status(process: Path) -> dict[str, str]:
    lines = (process / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def settings(swarm: Swarm, service: str) -> dict[str, Any]:
    with swarm.api() as api:
        spec = api.inspect_service(service)["Spec"]["TaskTemplate"]["ContainerSpec"]
    return {
        key: value for key, value in spec.items() if key in {"Privileged", "Devices", "ShmSize"}
    }


def test_containers_have_what_the_file_asks_of_their_host(
    swarm: Swarm, docker: Cli, hivelet_cli: Cli, tmp_path: Path
) -> None:
    deploy(hivelet_cli, tmp_path)
    plain, asked = only_process(swarm, "host_plain"), only_process(swarm, "host_devices")

    device = os.stat(f"{asked}/root/dev/probe")
    assert stat.S_ISCHR(device.st_mode)
    assert device.st_rdev == os.stat("/dev/zero").st_rdev
    assert not Path(f"{plain}/root/dev/probe").exists()
    log = docker("service", "logs", "--raw", "host_devices").lines
    assert [line.strip() for line in log] == ["00 00 00"]

    shm = [line for line in (asked / "mountinfo").read_text().splitlines() if " /dev/shm " in line]
    assert "size=98304k" in shm[0]
    assert (status(asked)["NoNewPrivs"], status(asked)["Seccomp"]) == ("1", "0")
    assert (status(plain)["NoNewPrivs"], status(plain)["Seccomp"]) == ("0", "2")
    assert status(asked)["Cpus_allowed_list"] == "0"
    assert "/special/" in (asked / "cgroup").read_text()
    assert "/special/" not in (plain / "cgroup").read_text()
    (container,) = list(swarm.container_ids("host_devices"))
    with swarm.api() as api:
        host = api.inspect_container(container)["HostConfig"]
        config = api.inspect_container(container)["Config"]
        statistics = api.stats(container, stream=False)
    assert (host["Memory"], host["PidsLimit"], host["CpuShares"]) == (64 << 20, 50, 512)
    assert (config["Hostname"], config["Domainname"]) == ("named", "example.org")
    assert statistics["pids_stats"]["current"] >= 1, "its own cgroup is read, below the parent"

    joined, daemon = only_process(swarm, "host_joined"), f"/proc/{swarm.daemon.pid}"
    for kind in ("pid", "ipc", "uts"):
        assert os.readlink(f"{joined}/ns/{kind}") == os.readlink(f"{daemon}/ns/{kind}"), kind
        assert os.readlink(f"{plain}/ns/{kind}") != os.readlink(f"{daemon}/ns/{kind}"), kind

    privileged = only_process(swarm, "host_privileged")
    free, bound = status(privileged), status(plain)
    assert free["Seccomp"] == "0"
    assert int(free["CapEff"], 16) > int(bound["CapEff"], 16)
    assert free["CapBnd"] == status(Path(daemon))["CapBnd"]
    devices = {
        entry.name
        for entry in os.scandir("/dev")
        if not entry.is_symlink() and stat.S_ISCHR(entry.stat().st_mode)
    }
    assert devices - {"console"} <= set(os.listdir(f"{privileged}/root/dev"))
    assert not (set(os.listdir(f"{plain}/root/dev")) & {"kmsg", "fuse", "mem", "loop-control"})


def test_a_redeploy_and_dockers_own_updates_leave_them_alone(
    swarm: Swarm, docker: Cli, hivelet_cli: Cli, tmp_path: Path
) -> None:
    deploy(hivelet_cli, tmp_path)
    before = {name: swarm.task_ids(f"host_{name}") for name in ("plain", "devices", "privileged")}
    again = deploy(hivelet_cli, tmp_path)
    assert "nothing to do" in again.out
    assert before == {name: swarm.task_ids(f"host_{name}") for name in before}

    docker("service", "scale", "--detach", "host_privileged=2")
    docker("service", "update", "--detach", "--env-add", "A=1", "host_devices")
    swarm.until_running("host_privileged", 2)
    assert settings(swarm, "host_privileged") == {"Privileged": True}
    assert settings(swarm, "host_devices") == {
        "ShmSize": 96 << 20,
        "Devices": [
            {
                "PathOnHost": "/dev/zero",
                "PathInContainer": "/dev/probe",
                "CgroupPermissions": "rw",
            }
        ],
    }


def test_what_no_node_could_give_is_refused_with_the_service(
    swarm: Swarm, hivelet_cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "stack.yml"
    file.write_text("services: {a: {image: bb, security_opt: [colour=red]}}")
    refused = hivelet_cli.fails("stack", "deploy", "-c", str(file), "host")
    assert (
        'SecurityOpt "colour=red" is not one of apparmor, label, no-new-privileges, seccomp'
        in refused.err
    )
    file.write_text("services: {a: {image: bb, command: sleep 1000, devices: [/dev/gone]}}")
    rejected = hivelet_cli.fails("stack", "deploy", "--timeout", "10s", "-c", str(file), "host2")
    assert 'adding custom device "/dev/gone": no such file or directory' in rejected.err


def test_a_docker_engine_is_sent_what_it_has_and_the_rest_is_named(
    machine: Machine, tmp_path: Path
) -> None:
    engine = Dockerd(machine)
    engine.start()
    try:
        docker = make_cli("docker-20", engine.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        hivelet = make_cli("hivelet", engine.host, machine.dir)
        file = tmp_path / "stack.yml"
        file.write_text(HOST)
        words = ("stack", "deploy", "--detach", "-c", str(file), "host")
        first = hivelet(*words, timeout=120)
        told = [
            line for line in first.err.splitlines() if "not honoured by a Docker engine" in line
        ]
        assert len(told) == 3, first.err
        assert any("service privileged" in line and "privileged" in line for line in told)
        spec = docker.json("service", "inspect", "host_devices")[0]["Spec"]["TaskTemplate"]
        assert "Devices" not in spec["ContainerSpec"]
        assert spec["Resources"]["Limits"] == {"MemoryBytes": 64 << 20, "Pids": 50}
        assert "nothing to do" in hivelet(*words, timeout=120).out
    finally:
        engine.stop()
