"""One network that cannot be built is nobody's fault but its own tasks'."""

from __future__ import annotations

import pytest

from hivelet.agent.exec.executor import NodeExecutor, build_networks
from hivelet.errors import InvalidParameter
from hivelet.objects.common import Annotations, Driver, NetworkId
from hivelet.objects.network import IpamConfig, IpamOptions, Network, NetworkSpec


class Anything:
    """Parts of a node that have nothing yet."""

    def __init__(self):
        self.engine = self.plane = self.registry = self
        self.services = None
        self.before_stop = None

    def all(self):
        return []

    def networks(self):
        return {}

    def set_services(self, services):
        self.services = services


def network(name: str, **options: str) -> Network:
    return Network(
        id=NetworkId(name),
        spec=NetworkSpec(
            annotations=Annotations(name=name), driver_configuration=Driver(options=options)
        ),
        ipam=IpamOptions(configs=[IpamConfig(subnet="10.0.1.0/24", gateway="10.0.1.1")]),
    )


BAD = network("bad", **{"com.docker.network.driver.mtu": "abc"})
NETWORKS = {"good": network("good"), "bad": BAD}


def test_the_others_are_built():
    built, faults = build_networks(NETWORKS)
    assert (set(built), set(faults)) == ({"good"}, {"bad"})
    assert "network bad: invalid option com.docker.network.driver.mtu" in faults["bad"]


async def test_only_its_own_tasks_are_refused():
    parts = Anything()
    executor = NodeExecutor(parts)
    await executor.configure_networks(NETWORKS, {"web": "entry"})
    assert parts.services == {"web": "entry"}
    assert executor.network("good").subnet == "10.0.1.0/24"
    assert executor.network("unknown") is None
    with pytest.raises(InvalidParameter, match="network bad: "):
        executor.network("bad")
    await executor.configure_networks({"bad": BAD.replaced(spec=network("bad").spec)}, {})
    assert executor.network("bad").mtu == 1500
