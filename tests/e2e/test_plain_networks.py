"""Networks of plain containers, by both docker CLIs: joined and left while they run, of this node and of the swarm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon
from harness.images import import_busybox
from harness.machine import Machine
from harness.traffic import burst
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(params=["docker-28", "docker-20"])
def cli(request: pytest.FixtureRequest, machine: Machine, hiveletd: Daemon) -> Iterator[Cli]:
    """Each docker CLI on an engine with two images and without a swarm; nothing is left at the end."""
    cli = make_cli(request.param, hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    yield cli
    for line in cli("ps", "-aq").lines:
        cli("rm", "-f", "-v", line, status=None)


def inspect(cli: Cli, name: str) -> dict[str, Any]:
    """`docker inspect`."""
    found: dict[str, Any] = json.loads(cli("inspect", name).out)[0]
    return found


def network(cli: Cli, name: str, *words: str) -> dict[str, Any]:
    """`docker network inspect`."""
    found: dict[str, Any] = json.loads(cli("network", "inspect", *words, name).out)[0]
    return found


def sleeper(cli: Cli, name: str, *words: str) -> None:
    """A container that does nothing."""
    cli("run", "-d", "--name", name, *words, "bb", "sleep", "1000")


def reaches(cli: Cli, name: str, target: str) -> Callable[[], bool]:
    """Whether one container has an answer from another by name."""
    return lambda: cli("exec", name, "ping", "-c1", "-W2", target, status=None).status == 0


def test_networks_are_joined_and_left_at_run_time(cli: Cli, hiveletd: Daemon) -> None:
    cli("network", "create", "--subnet", "172.29.1.0/24", "--ip-range", "172.29.1.64/26", "one")
    cli("network", "create", "--subnet", "172.29.2.0/24", "two")
    sleeper(cli, "first", "--network", "one", "--network-alias", "other")
    sleeper(cli, "second", "--network", "two", "--ip", "172.29.2.77")
    assert inspect(cli, "first")["NetworkSettings"]["Networks"]["one"]["IPAddress"] == "172.29.1.65"
    assert not reaches(cli, "second", "first")()
    cli("network", "connect", "--ip", "172.29.1.20", "--alias", "guest", "one", "second")
    for source, target in (("second", "other"), ("first", "guest"), ("first", "second")):
        assert reaches(cli, source, target)(), (source, target)
    shown = inspect(cli, "second")["NetworkSettings"]["Networks"]
    assert {name: each["IPAddress"] for name, each in shown.items()} == {
        "one": "172.29.1.20",
        "two": "172.29.2.77",
    }
    assert shown["one"]["IPAMConfig"] == {"IPv4Address": "172.29.1.20"}
    assert "default via 172.29.1.64 dev eth1" in cli("exec", "second", "ip", "route").out
    members = network(cli, "one")["Containers"].values()
    assert sorted(m["IPv4Address"] for m in members) == ["172.29.1.20/24", "172.29.1.65/24"]
    hosts = cli("exec", "second", "cat", "/etc/hosts").out
    assert "172.29.1.20" in hosts
    assert "172.29.2.77" in hosts

    # A daemon that is restarted knows what was joined, and a container that starts again is where it was.
    hiveletd.kill()
    hiveletd.start()
    assert reaches(cli, "first", "guest")()
    cli("restart", "-t", "0", "second")
    assert reaches(cli, "first", "guest")()
    assert (
        inspect(cli, "second")["NetworkSettings"]["Networks"]["one"]["IPAddress"] == "172.29.1.20"
    )

    cli("network", "disconnect", "two", "second")
    assert cli("exec", "second", "ls", "/sys/class/net").lines == ["eth1", "lo"]
    assert "is not connected to" in cli.fails("network", "disconnect", "two", "second").err
    assert "already exists in network one" in cli.fails("network", "connect", "one", "second").err
    busy = cli.fails("network", "connect", "--ip", "172.29.1.65", "one", "second").err
    assert "already exists" in busy
    assert "has active endpoints" in cli.fails("network", "rm", "one").err
    cli("network", "rm", "two")
    cli("kill", "first", "second")
    cli("wait", "first", "second")
    cli("network", "rm", "one")
    assert "not found" in cli.fails("start", "first").err


def test_what_cannot_be_joined(cli: Cli) -> None:
    cli("network", "create", "plain")
    sleeper(cli, "normal")
    sleeper(cli, "hosted", "--network", "host")
    sleeper(cli, "lonely", "--network", "none")
    sleeper(cli, "shared", "--network", "container:normal")
    for name, said in (
        ("hosted", "container sharing network namespace with another container or host"),
        ("shared", "container sharing network namespace with another container or host"),
        ("lonely", "one of the networks in private (none) mode"),
    ):
        assert said in cli.fails("network", "connect", "plain", name).err
    assert "connected to host network" in cli.fails("network", "connect", "host", "normal").err
    assert "private (none) mode" in cli.fails("network", "connect", "none", "normal").err
    chosen = cli.fails("network", "connect", "--ip", "172.18.0.9", "plain", "normal").err
    assert "only when connecting to networks with user configured subnets" in chosen
    link = network(cli, "bridge")["Options"]["com.docker.network.bridge.name"]
    assert link in cli("exec", "hosted", "ls", "/sys/class/net").lines
    assert set(inspect(cli, "hosted")["NetworkSettings"]["Networks"]) == {"host"}
    assert [c["Name"] for c in network(cli, "host")["Containers"].values()] == ["hosted"]


def test_links_names_and_addresses(cli: Cli) -> None:
    sleeper(cli, "db", "-e", "FOO=bar", "--expose", "5432")
    sleeper(cli, "web", "--link", "db:data", "--mac-address", "02:42:00:00:00:09")
    address = inspect(cli, "db")["NetworkSettings"]["IPAddress"]
    variables = cli("exec", "web", "cat", "/proc/1/environ").out.split("\0")
    for wanted in (
        f"DATA_PORT=tcp://{address}:5432",
        f"DATA_PORT_5432_TCP_ADDR={address}",
        "DATA_NAME=/web/data",
        "DATA_ENV_FOO=bar",
    ):
        assert wanted in variables
    assert reaches(cli, "web", "data")()
    assert inspect(cli, "web")["HostConfig"]["Links"] == ["/db:/web/data"]
    assert inspect(cli, "web")["NetworkSettings"]["MacAddress"] == "02:42:00:00:00:09"
    assert not reaches(cli, "db", "web")()
    missing = cli.fails("run", "--link", "nobody:x", "bb", "true").err
    assert "could not get container for nobody: No such container: nobody" in missing
    assert "No such container: web/nope" in cli.fails("rm", "--link", "web/nope").err
    assert "default link name" in cli.fails("rm", "--link", "web").err
    # Its new address is known to who is linked to it.
    cli("stop", "-t", "0", "db")
    sleeper(cli, "thief")
    cli("start", "db")
    moved = inspect(cli, "db")["NetworkSettings"]["IPAddress"]
    wait_until(
        lambda: f"{moved}\tdata" in cli("exec", "web", "cat", "/etc/hosts").out,
        timeout=10,
        what="the new address is in the file",
    )
    assert cli("rm", "--link", "web/data").lines == ["web/data"]
    assert inspect(cli, "web")["HostConfig"]["Links"] is None
    assert "data" not in cli("exec", "web", "cat", "/etc/hosts").out
    cli("network", "create", "user")
    sleeper(cli, "server", "--network", "user")
    sleeper(cli, "client", "--network", "user", "--link", "server:friend")
    assert reaches(cli, "client", "friend")()
    cli("rename", "server", "renamed")
    wait_until(reaches(cli, "client", "renamed"), timeout=10, what="the new name is known")
    said = cli(
        "run", "--rm", "--dns", "192.0.2.9", "--dns-search", "example.org", "--dns-option", "timeout:1",
        "--add-host", "up:host-gateway", "--hostname", "named", "bb", "sh", "-c",
        "cat /etc/resolv.conf; grep up /etc/hosts; hostname",
    ).lines  # fmt: skip
    assert said[:3] == ["nameserver 127.0.0.11", "search example.org", "options timeout:1 ndots:0"]
    assert said[3].endswith("\tup")
    assert said[4] == "named"


def test_ports_follow_the_way_out(cli: Cli, machine: Machine) -> None:
    cli("network", "create", "bnet")
    cli("network", "create", "anet")
    words = [
        "-d",
        "--name",
        "web",
        "--network",
        "bnet",
        "-p",
        "8081:8000",
        "-p",
        "9000-9002:9000/udp",
    ]
    cli("run", *words, "-P", "web:latest")
    assert cli("port", "web", "9000/udp").lines[0] == "0.0.0.0:9000"

    def served() -> bool:
        return not burst(machine, "http://127.0.0.1:8081/", 2).failures

    wait_until(served, timeout=10, what="it answers")
    cli("network", "connect", "anet", "web")
    assert served()
    cli("network", "disconnect", "bnet", "web")
    assert served()
    cli("network", "disconnect", "anet", "web")
    assert not served()
    cli("network", "connect", "bnet", "web")
    assert served()


def test_ports_of_a_network_that_names_an_address(cli: Cli, machine: Machine) -> None:
    option = "com.docker.network.bridge.host_binding_ipv4"
    assert "give an IPv4 address" in cli.fails("network", "create", "-o", f"{option}=x", "odd").err
    cli("network", "create", "-o", f"{option}=127.0.0.1", "inner")
    cli("run", "-d", "--name", "web", "--network", "inner", "-p", "8082:8000", "web:latest")
    assert cli("port", "web", "8000").lines == ["127.0.0.1:8082"]
    wait_until(
        lambda: not burst(machine, "http://127.0.0.1:8082/", 1).failures,
        timeout=10,
        what="it answers",
    )
    assert burst(machine, "http://198.18.0.2:8082/", 1).failures


def test_events_of_networks(cli: Cli) -> None:
    cli("network", "create", "net")
    sleeper(cli, "box", "--network", "net")
    cli("network", "disconnect", "net", "box")
    cli("network", "connect", "net", "box")
    cli("rm", "-f", "box")
    cli("network", "rm", "net")
    form = "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}"
    until = str(int(time.time()) + 1)
    words = ["--since", "1", "--until", until, "--filter", "type=network", "--format", form]
    told = [line for line in cli("events", *words).lines if " net " in line]
    assert told == [
        f"{action} net bridge"
        for action in ("create", "connect", "disconnect", "connect", "disconnect", "destroy")
    ]


def test_attachable_networks_of_the_swarm(cli: Cli, machine: Machine, hiveletd: Daemon) -> None:
    sleeper(cli, "before", "-p", "8085:80")
    cli("swarm", "init")
    cli("network", "create", "-d", "overlay", "--attachable", "--subnet", "10.20.0.0/24", "att")
    cli("network", "create", "-d", "overlay", "shut")
    cli("service", "create", "--network", "att", "--name", "web", "--detach=false", "web:latest")
    refused = cli.fails("run", "--rm", "--network", "shut", "bb", "true").err
    assert "Could not attach to network shut" in refused
    assert "network shut not manually attachable" in refused
    sleeper(cli, "box", "--network", "att", "--network-alias", "crate")
    fetched = cli("exec", "box", "wget", "-qO-", "http://web:8000/").out
    assert fetched
    sleeper(cli, "peer", "--network", "att", "--ip", "10.20.0.99")
    assert reaches(cli, "peer", "crate")()
    assert reaches(cli, "box", "peer")()
    taken = cli.fails("run", "--rm", "--network", "att", "--ip", "10.20.0.99", "bb", "true").err
    assert "Address already in use" in taken
    shown = network(cli, "att", "--verbose")
    assert {"box", "peer"} <= {c["Name"] for c in shown["Containers"].values()}
    assert set(shown["Services"]) == {"web"}
    assert "is in use by" in cli.fails("network", "rm", "att").err

    cli("network", "create", "own")
    cli("network", "connect", "own", "box")
    assert "dev eth" in cli("exec", "box", "ip", "route", "show", "default").out
    cli("network", "disconnect", "att", "box")
    assert not reaches(cli, "peer", "crate")()
    cli("network", "connect", "att", "box")
    assert reaches(cli, "peer", "box")()
    hiveletd.kill()
    hiveletd.start()
    assert reaches(cli, "peer", "box")()
    # Who is to start with the daemon waits for the swarm, which starts after it.
    sleeper(cli, "always", "--network", "att", "--restart", "always")
    pid = inspect(cli, "always")["State"]["Pid"]
    hiveletd.kill()
    machine.run(["kill", "-9", str(pid)])
    hiveletd.start()
    wait_until(reaches(cli, "peer", "always"), timeout=30, what="it is there again")
    cli("rm", "-f", "always")
    # A task never gets an address that a container has.
    cli("service", "scale", "--detach=false", "web=4")
    lines = cli("service", "ps", "-q", "web").lines
    addresses = [
        attachment["Addresses"][0]
        for task in json.loads(cli("inspect", *lines).out)
        for attachment in task["NetworksAttachments"]
        if attachment["Network"]["Spec"]["Name"] == "att"
    ]
    own = inspect(cli, "box")["NetworkSettings"]["Networks"]["att"]["IPAddress"]
    assert f"{own}/24" not in addresses
    assert "10.20.0.99/24" not in addresses

    taken = cli.fails("run", "-d", "--name", "late", "-p", "8085:80", "bb", "sleep", "1").err
    assert "port is already allocated" in taken
    cli("rm", "-f", "peer")
    sleeper(cli, "outer", "--network", "docker_gwbridge")
    assert set(inspect(cli, "outer")["NetworkSettings"]["Networks"]) == {"docker_gwbridge"}
    assert cli("exec", "outer", "ls", "/sys/class/net").lines == ["eth0", "lo"]
    # Who leaves the swarm keeps his other networks.
    cli("swarm", "leave", "--force")
    assert set(inspect(cli, "box")["NetworkSettings"]["Networks"]) == {"own"}
    sleeper(cli, "neighbour", "--network", "own")
    assert reaches(cli, "neighbour", "box")()
    assert set(inspect(cli, "outer")["NetworkSettings"]["Networks"]) == {"docker_gwbridge"}
    assert cli("exec", "outer", "ls", "/sys/class/net").lines == ["eth0", "lo"]
    assert inspect(cli, "before")["State"]["Running"]
    assert cli("exec", "before", "ip", "route", "show", "default").out


def test_services_in_networks_of_the_node(cli: Cli, machine: Machine) -> None:
    cli("swarm", "init")
    words = ["service", "create", "--detach=false"]
    cli(*words, "--name", "hosted", "--network", "host", "bb", "sleep", "1000")
    cli(*words, "--name", "bridged", "--network", "bridge", "bb", "sleep", "1000")
    cli(*words, "--name", "lonely", "--network", "none", "bb", "sleep", "1000")

    def links(service: str) -> list[str]:
        name = cli("ps", "-q", "--filter", f"name={service}.1").lines[0]
        return cli("exec", name, "ls", "/sys/class/net").lines

    assert "uplink0" in links("hosted")
    assert links("bridged") == ["eth0", "lo"]
    assert links("lonely") == ["lo"]
    shown = json.loads(cli("service", "inspect", "hosted").out)[0]["Spec"]["TaskTemplate"]
    assert shown["Networks"] == [{"Target": "host"}]
    cli("service", "update", "--detach=false", "--env-add", "A=b", "hosted")
    assert "uplink0" in links("hosted")


def test_a_port_belongs_to_one(cli: Cli) -> None:
    cli("swarm", "init")
    sleeper(cli, "holder", "-p", "8090:80")
    cli("service", "create", "-d", "--name", "web", "-p", "8090:8000", "web:latest")
    said = "port 8090/tcp is published by the container holder on this node"
    wait_until(
        lambda: said in cli("service", "ps", "--no-trunc", "web").out,
        timeout=20,
        what="the task says who has the port",
    )
    cli("rm", "-f", "holder")
    wait_until(
        lambda: "Running" in cli("service", "ps", "web").out, timeout=60, what="the service runs"
    )
    late = cli.fails("run", "-d", "-p", "8090:80", "bb", "sleep", "1000").err
    assert "Bind for 0.0.0.0:8090 failed: port is already allocated" in late


def test_docker_py_connects_and_disconnects(machine: Machine, hiveletd: Daemon) -> None:
    import_busybox(make_cli("docker-20", hiveletd.host, machine.dir), machine.dir)
    client = docker.DockerClient(base_url=hiveletd.host, timeout=60)
    pool = docker.types.IPAMPool(subnet="172.31.7.0/24", gateway="172.31.7.1")
    first = client.networks.create("first", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    second = client.networks.create("second", internal=True, labels={"a": "b"})
    box = client.containers.run("bb", "sleep 1000", name="box", network="first", detach=True)
    peer = client.containers.run("bb", "sleep 1000", name="peer", network="second", detach=True)
    second.connect(box, aliases=["guest"])
    assert peer.exec_run("ping -c1 -W2 guest").exit_code == 0
    box.reload()
    assert set(box.attrs["NetworkSettings"]["Networks"]) == {"first", "second"}
    first.disconnect(box)
    first.connect(box, ipv4_address="172.31.7.9")
    box.reload()
    assert box.attrs["NetworkSettings"]["Networks"]["first"]["IPAddress"] == "172.31.7.9"
    first.reload()
    assert [container.name for container in first.containers] == ["box"]
    with pytest.raises(docker.errors.APIError, match="has active endpoints") as refused:
        first.remove()
    assert refused.value.status_code == 403
    for container in (box, peer):
        container.remove(force=True)
    assert client.networks.prune(filters={"label": "a=b"})["NetworksDeleted"] == ["second"]
    first.remove()
    client.close()
