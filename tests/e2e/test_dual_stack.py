"""Networks with IPv6 beside IPv4, made and looked at with the docker CLI, and published ports on IPv6 without a word about it."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address, ip_network

from harness import programs
from harness.cli import make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import INSIDE, OUTSIDE, Machine
from harness.swarm import Swarm, Task
from harness.traffic import burst

WHOAMI = "/cgi-bin/whoami"
HOST6, OUTSIDE6 = "2001:db8::2", "2001:db8::1"


def give_addresses(machine: Machine) -> None:
    """IPv6 addresses for the host and for whoever is outside."""
    machine.run(["ip", "addr", "add", f"{HOST6}/64", "dev", "uplink0", "nodad"])
    machine.run(["ip", "addr", "add", f"{OUTSIDE6}/64", "dev", "eth0", "nodad"], where=OUTSIDE)


def evenly(swarm: Swarm, service: str, each: int) -> dict[str, int]:
    return dict.fromkeys((one[:12] for one in swarm.container_ids(service)), each)


def addresses(task: Task, network: str) -> list[str]:
    """A task's addresses on a network, as the API tells them."""
    (found,) = [
        attachment["Addresses"]
        for attachment in task["NetworksAttachments"]
        if attachment["Network"]["Spec"]["Name"] == network
    ]
    return found


def resolve6(swarm: Swarm, task: Task, name: str) -> set[str]:
    words = ["busybox", "nslookup", "-type=aaaa", f"{name}.", swarm.name_server(task)]
    answer = swarm.machine.run(words, where=swarm.process(task), check=False).stdout
    _, _, records = answer.partition("Name:")
    return set(re.findall(r"Address[^:]*:\s*([0-9a-f:]+)", records))


def test_a_network_of_both_families(swarm: Swarm) -> None:
    """Docker's shapes; each task and each VIP has both, names too, and the callee sees the caller's own address."""
    pools = ("--subnet", "10.77.0.0/24", "--subnet", "fd77::/64", "--gateway", "fd77::1")
    swarm.cli("network", "create", "--driver", "overlay", "--ipv6", *pools, "back")
    swarm.create("web", 3, "--network", "back")
    sleep = {"image": "bb:latest", "command": ("/bin/sleep", "10000")}
    swarm.create("caller", 1, "--network", "back", **sleep)
    (caller,) = swarm.tasks("caller", running=True)
    tasks = swarm.tasks("web", running=True)

    with swarm.api() as api:
        network = api.inspect_network("back")
        vips = [
            one["Addr"]
            for one in api.inspect_service("web")["Endpoint"]["VirtualIPs"]
            if one["NetworkID"] == network["Id"]
        ]
        container = api.inspect_container(swarm.container_ids("caller")[0])
    assert network["EnableIPv6"] is True
    assert [(c["Subnet"], c["Gateway"]) for c in network["IPAM"]["Config"]] == [
        ("10.77.0.0/24", "10.77.0.1"),
        ("fd77::/64", "fd77::1"),
    ]
    vip4, vip6 = (ip_address(vip.partition("/")[0]) for vip in vips)
    assert (vip4.version, vip6.version) == (4, 6)
    own4, own6 = addresses(caller, "back")
    assert (own4.partition("/")[2], own6.partition("/")[2]) == ("24", "64")
    settings = container["NetworkSettings"]["Networks"]["back"]
    assert f"{settings['IPAddress']}/{settings['IPPrefixLen']}" == own4
    assert f"{settings['GlobalIPv6Address']}/{settings['GlobalIPv6PrefixLen']}" == own6
    member = network["Containers"][container["Id"]]
    assert (member["IPv4Address"], member["IPv6Address"]) == (own4, own6)

    assert resolve6(swarm, caller, "web") == {str(vip6)}
    assert swarm.resolve(caller, "web") == {str(vip4)}
    plain = {addresses(task, "back")[1].partition("/")[0] for task in tasks}
    assert resolve6(swarm, caller, "tasks.web") == plain
    for vip, own in ((f"[{vip6}]", own6), (str(vip4), own4)):
        done = burst(swarm.machine, f"http://{vip}:8000{WHOAMI}", 30, swarm.process(caller))
        assert done.tally() == evenly(swarm, "web", 10)
        assert done.clients() == {own.partition("/")[0]}


def test_a_published_port_answers_on_ipv6_unasked(swarm: Swarm) -> None:
    """On [::1], the host's own address and from outside, in turn; the application sees who it is."""
    give_addresses(swarm.machine)
    swarm.create("web", 3, "--publish", "8080:8000")
    for host, where, seen in (
        ("[::1]", INSIDE, None),
        (f"[{HOST6}]", INSIDE, HOST6),
        (f"[{HOST6}]", OUTSIDE, OUTSIDE6),
    ):
        done = burst(swarm.machine, f"http://{host}:8080{WHOAMI}", 30, where)
        assert not done.failures
        assert done.tally() == evenly(swarm, "web", 10)
        (client,) = done.clients()
        assert client == seen or seen is None
    # Who listens for IPv4 alone refuses at once, so that a client goes on to that.
    listen = ("/bin/httpd", "-f", "-p", "0.0.0.0:8000", "-h", "/www")
    swarm.create("old", 1, "--publish", "8081:8000", command=listen)
    done = burst(swarm.machine, f"http://[::1]:8081{WHOAMI}", 3)
    assert len(done.failures) == 3
    assert all("ConnectionRefusedError" in each.error and each.took < 1 for each in done.failures)
    done = burst(swarm.machine, f"http://127.0.0.1:8081{WHOAMI}", 3)
    assert not done.failures


def test_the_doctor_looks_at_networks_of_both_families(swarm: Swarm) -> None:
    swarm.cli("network", "create", "--driver", "overlay", "--ipv6", "back")
    swarm.create("web", 1, "--network", "back", "--publish", "8080:8000")
    words = [*programs.hivelet(), "-H", swarm.daemon.host, "doctor", "--format", "json"]
    done = swarm.machine.run(words, check=False)
    assert done.stderr == ""
    findings = {one["Name"]: one for one in map(json.loads, done.stdout.splitlines())}
    # Those of ingress and of the network; docker_gwbridge's is of the other pool.
    assert "2 in use in the default pools" in findings["addresses-services"]["Seen"]
    assert "1 in use in the default pools" in findings["addresses-bridges"]["Seen"]


def test_subnets_are_chosen_and_checked(swarm: Swarm) -> None:
    """A /64 of a prefix of the swarm's own where none is given; what cannot be is refused by name."""
    create = ("network", "create", "--driver", "overlay", "--ipv6")
    for name in ("one", "two"):
        swarm.cli(*create, name)
    swarm.create("web", 1, "--network", "one", "--network", "two")
    with swarm.api() as api:
        first, second = (
            ip_network(api.inspect_network(name)["IPAM"]["Config"][1]["Subnet"])
            for name in ("one", "two")
        )
    assert first.prefixlen == second.prefixlen == 64
    assert first != second
    assert first.supernet(new_prefix=48) == second.supernet(new_prefix=48)
    assert first.subnet_of(ip_network("fd00::/8"))
    for words, message in (
        (("--subnet", str(first), "three"), f"{first} .* in use by network one"),
        (("--subnet", "fd78::/64", "--gateway", "fd79::1", "three"), "fd79::1"),
        (("--subnet", "fd78::/64", "--subnet", "fd79::/64", "three"), "one of each family"),
    ):
        done = swarm.cli(*create, *words, status=1)
        assert re.search(message, done.err), done.err


def test_a_host_without_ipv6(machine: Machine) -> None:
    """All goes by IPv4 as ever; a network that asks for IPv6 is refused with the reason."""
    machine.run(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"])
    daemon = Hiveletd(machine)
    daemon.start()
    docker = make_cli("docker-28", daemon.host, machine.dir)
    import_busybox(docker, machine.dir)
    docker("swarm", "init")
    swarm = Swarm(machine, daemon, docker)
    for driver in ("overlay", "bridge"):
        done = docker("network", "create", "--driver", driver, "--ipv6", "back", status=1)
        assert "net.ipv6.conf.all.disable_ipv6=0" in done.err
    swarm.create("web", 2, "--publish", "8080:8000")
    done = burst(machine, f"http://127.0.0.1:8080{WHOAMI}", 20)
    assert done.tally() == evenly(swarm, "web", 10)
    assert machine.run(["ip", "-6", "-o", "addr"]).stdout == ""
    assert daemon.stop() == 0
