"""A network's bridge may be there before it: it is used, and left as it was. What can't be made leaves nothing behind."""

from __future__ import annotations

import asyncio
import subprocess

import pytest
from network_lab import GATEWAY, WEBNET, sh

from hivelet.errors import Conflict, HiveletError, InvalidParameter, System
from hivelet.network.kernel import Kernel
from hivelet.network.names import bridge_name

OWN = WEBNET.replaced(kind="bridge", bridge="br-users", subnet6="", gateway6="")


def is_there(link: str) -> bool:
    return subprocess.run(["ip", "link", "show", link], capture_output=True).returncode == 0


def addresses(link: str) -> str:
    return sh(f"ip -o addr show dev {link}")


def recorded(lab) -> list[str]:
    return [path.name for path in (lab.run / "network").rglob("*.json")]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_bridge_that_was_there_stays_with_the_addresses_it_had(lab, restarted):
    sh("ip link add docker_gwbridge type bridge; ip addr add 192.0.2.7/24 dev docker_gwbridge")
    sh(f"ip link add br-users type bridge; ip addr add {OWN.gateway}/24 dev br-users")
    for network in (GATEWAY, OWN):
        await lab.plane.ensure_network(network)
    assert GATEWAY.gateway in addresses("docker_gwbridge")
    if restarted:
        await lab.restart()
        await lab.plane.resume()
    for network in (GATEWAY, OWN):
        await lab.plane.remove_network(network.id)
    assert "192.0.2.7/24" in addresses("docker_gwbridge")
    assert GATEWAY.gateway not in addresses("docker_gwbridge")
    assert GATEWAY.gateway6 not in addresses("docker_gwbridge")
    assert OWN.gateway in addresses("br-users")
    assert recorded(lab) == []


async def test_one_that_hivelet_made_goes_and_so_does_one_made_anew(lab):
    await lab.plane.ensure_network(OWN)
    await lab.plane.remove_network(OWN.id)
    assert not is_there("br-users")
    sh("ip link add br-users type bridge")
    await lab.plane.ensure_network(OWN)
    sh("ip link del br-users")
    await lab.plane.ensure_network(OWN)
    await lab.plane.remove_network(OWN.id)
    assert not is_there("br-users")


@pytest.mark.parametrize(
    ("bridge", "error", "words"),
    [
        ("uplink", Conflict, "the link uplink exists and is no bridge"),
        ("docker_gwbridge", Conflict, "belongs to network docker_gwbridge"),
        ("lo", InvalidParameter, "bridge.name"),
        ('x" }', InvalidParameter, "bridge.name"),
    ],
)
async def test_a_link_that_cannot_be_had_is_refused(lab, bridge, error, words):
    await lab.plane.ensure_network(GATEWAY)
    before = recorded(lab), addresses("uplink")
    with pytest.raises(error, match=words):
        await lab.plane.ensure_network(OWN.replaced(bridge=bridge))
    assert (recorded(lab), addresses("uplink")) == before
    assert set(lab.plane.networks()) == {GATEWAY.id}


async def test_of_a_network_that_cannot_be_made_nothing_is_left(lab, monkeypatch):
    call = Kernel.call

    async def refuse(self, work, *arguments):
        answer = await call(self, work, *arguments)
        if work.__name__ == "ensure_bridge":
            raise System("no more links")
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Kernel, "call", refuse)
        both = await asyncio.gather(
            lab.plane.ensure_network(WEBNET),
            lab.plane.ensure_network(WEBNET),
            return_exceptions=True,
        )
    assert [isinstance(each, HiveletError) for each in both] == [True, True]
    assert dict(lab.plane.networks()) == {}
    assert recorded(lab) == []
    assert not is_there(bridge_name(WEBNET))
    await lab.plane.ensure_network(WEBNET)
    assert is_there(bridge_name(WEBNET))
