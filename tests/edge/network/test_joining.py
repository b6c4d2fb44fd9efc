"""Networks that a sandbox joins and leaves while processes run in it."""

from __future__ import annotations

import pytest
from network_lab import OTHER, WEBNET, sh

from hivelet.errors import Conflict, InvalidParameter, NotFound
from hivelet.network.netns import inside
from hivelet.network.sandbox import Leg, SandboxRequest
from hivelet.objects.endpoint import BridgeNetwork

FIRST = BridgeNetwork(
    id="first0000000000000000000000000000",
    name="first",
    kind="bridge",
    subnet="172.25.1.0/24",
    gateway="172.25.1.1",
    ip_range="172.25.1.128/25",
    reserved=["172.25.1.128"],
)
SECOND = BridgeNetwork(
    id="second000000000000000000000000000",
    name="a-second",
    kind="bridge",
    subnet="172.25.2.0/24",
    gateway="172.25.2.1",
    subnet6="fd00:0:0:252::/64",
    gateway6="fd00:0:0:252::1",
)


def wish(name: str, *legs: Leg) -> SandboxRequest:
    return SandboxRequest(
        container_id=name.ljust(64, "0"), legs=legs, hostname=name, names=(name,), moves=True
    )


def facts(sandbox) -> tuple[list[str], list[str]]:
    """The IPv4 addresses of a sandbox by interface, and its default route."""
    with inside(sandbox.netns):
        addresses = sh("ip -o -4 addr show").splitlines()
        routes = sh("ip route show default").splitlines()
    found = [f"{line.split()[1]} {line.split()[3]}" for line in addresses if " lo " not in line]
    return sorted(found), [" ".join(line.split()[:5]) for line in routes]


async def test_a_network_is_joined_and_left(lab):
    home = Leg(network=FIRST)
    box = await lab.plane.create_sandbox(wish("box", home))
    assert facts(box) == (["eth0 172.25.1.129/24"], ["default via 172.25.1.1 dev eth0"])
    assert box.resolv_conf.startswith("nameserver 127.0.0.11\n")
    other = await lab.plane.create_sandbox(wish("peer", Leg(network=SECOND)))
    lab.sandboxes |= {"box": box, "peer": other}
    assert (await lab.dig("box", "peer"))[1] == []

    both = (home, Leg(network=SECOND, mac="02:42:ac:00:00:07", aliases=("alias",)))
    box = await lab.plane.change_sandbox(wish("box", *both))
    assert facts(box) == (
        ["eth0 172.25.1.129/24", "eth1 172.25.2.3/24"],
        ["default via 172.25.2.1 dev eth1"],  # the first by name
    )
    assert box.way_out == SECOND.id
    assert (box.macs[SECOND.id], box.addresses6[SECOND.id]) == (
        "02:42:ac:00:00:07",
        "fd00:0:0:252::3",
    )
    with inside(box.netns):
        assert "fd00:0:0:252::3/64" in sh("ip -6 -o addr show dev eth1")
        assert "02:42:ac:00:00:07" in sh("ip -o link show dev eth1")
    assert await lab.dig("box", "peer") == (0, ["172.25.2.2"])
    assert await lab.dig("peer", "alias") == (0, ["172.25.2.3"])

    box = await lab.plane.change_sandbox(wish("box", both[1]))
    assert facts(box) == (["eth1 172.25.2.3/24"], ["default via 172.25.2.1 dev eth1"])
    assert await lab.dig("box", "peer") == (0, ["172.25.2.2"])
    box = await lab.plane.change_sandbox(wish("box", both[1], home))
    assert facts(box)[0] == ["eth0 172.25.1.130/24", "eth1 172.25.2.3/24"]
    box = await lab.plane.change_sandbox(wish("box"))
    assert facts(box) == ([], [])


async def test_the_wish_for_a_way_out_counts(lab):
    first, second = Leg(network=FIRST, priority=5), Leg(network=SECOND)
    box = await lab.plane.create_sandbox(wish("box", first, second))
    assert facts(box)[1] == ["default via 172.25.1.1 dev eth0"]
    await lab.restart()
    await lab.plane.resume()
    box = await lab.plane.change_sandbox(wish("box", first, second, Leg(network=OTHER)))
    assert facts(box)[1] == ["default via 172.25.1.1 dev eth0"]
    assert facts(box)[0][2] == "eth2 10.0.2.2/24"
    assert box.gateway == "172.25.1.1"


async def test_what_cannot_be_joined_changes_nothing(lab):
    home = Leg(network=FIRST)
    box = await lab.plane.create_sandbox(wish("box", home))
    await lab.plane.create_sandbox(wish("peer", Leg(network=SECOND)))
    before = facts(box)
    taken = Leg(network=SECOND, address="172.25.2.2/24", asked=True)
    with pytest.raises(Conflict, match="Address already in use"):
        await lab.plane.change_sandbox(wish("box", home, taken))
    outside = Leg(network=SECOND, address="10.9.9.9/24", asked=True)
    with pytest.raises(InvalidParameter, match="outside of the subnet"):
        await lab.plane.change_sandbox(wish("box", home, outside))
    with pytest.raises(NotFound):
        await lab.plane.change_sandbox(wish("nobody", Leg(network=WEBNET)))
    assert facts(lab.plane.sandbox(box.container_id)) == before


async def test_who_leaves_a_swarm_keeps_the_networks_of_the_node(lab):
    box = await lab.plane.create_sandbox(wish("box", Leg(network=FIRST)))
    await lab.task("web", (WEBNET, "10.0.1.3/24"), serve=False)
    await lab.plane.remove_sandbox("web".ljust(64, "0"))
    await lab.plane.leave({FIRST.id})
    assert set(lab.plane.networks()) == {FIRST.id}
    assert facts(box) == (["eth0 172.25.1.129/24"], ["default via 172.25.1.1 dev eth0"])
    lab.sandboxes["box"] = box
    assert (await lab.dig("box", "box")) == (0, ["172.25.1.129"])
