from __future__ import annotations

from ipaddress import ip_network

import pytest

from hivelet.engine.database import Database
from hivelet.engine.events import EventBus
from hivelet.engine.networks.actions import NetworkActions
from hivelet.engine.networks.local import GATEWAY_BRIDGE, LocalNetworks
from hivelet.errors import Conflict, InvalidParameter, System
from hivelet.kit.clock import SystemClock
from hivelet.network.ipam import PoolOverlaps
from hivelet.objects.common import Annotations, Driver
from hivelet.objects.network import IpamConfig, IpamOptions, NetworkSpec

UNIQUE_LOCAL = ip_network("fd00::/8")


class Host:
    without_ipv6 = ""

    async def used_subnets(self):
        return {"fd01::/48": "interface eth0", "172.17.0.0/16": "route through eth0"}


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def networks(tmp_path, host):
    database = Database(tmp_path / "engine.db")
    yield LocalNetworks(database, EventBus(SystemClock()), SystemClock(), host)
    database.close()


def spec(name: str, *configs: IpamConfig, ipv6: bool = False) -> NetworkSpec:
    return NetworkSpec(
        annotations=Annotations(name=name),
        driver_configuration=Driver(name="bridge"),
        ipv6_enabled=ipv6,
        ipam=IpamOptions(configs=list(configs)),
    )


async def test_the_way_out_has_ipv6_whoever_made_it(networks):
    made = await networks.ensure_gateway_bridge()
    assert ip_network(made.pool6.subnet).subnet_of(UNIQUE_LOCAL)
    assert (made.bridge.subnet6, made.bridge.gateway6) == (made.pool6.subnet, made.pool6.gateway)
    networks.forget(made)
    wish = IpamConfig(subnet="172.30.0.0/24", gateway="172.30.0.1")
    users = await networks.create(spec(GATEWAY_BRIDGE, wish))
    assert users.pool == wish
    assert users.pool6 == made.pool6


async def test_other_networks_have_it_where_it_was_asked_for(networks):
    assert (await networks.create(spec("plain"))).bridge.subnet6 == ""
    first = await networks.create(spec("one", ipv6=True))
    second = await networks.create(spec("two", ipv6=True))
    assert first.pool6.subnet != second.pool6.subnet
    own = await networks.create(spec("own", IpamConfig(subnet="fd02::/64", gateway="fd02::9")))
    assert (own.pool6.subnet, own.pool6.gateway) == ("fd02::/64", "fd02::9")
    assert own.pool.subnet.startswith("172.")


@pytest.mark.parametrize(
    ("config", "refusal", "words"),
    [
        (
            IpamConfig(subnet="fd01::/64"),
            PoolOverlaps,
            r"overlaps fd01::/48, in use by interface eth0",
        ),
        (IpamConfig(subnet="fd03::/64", gateway="fd04::1"), InvalidParameter, "gateway fd04::1"),
    ],
)
async def test_what_cannot_be_is_refused(networks, config, refusal, words):
    with pytest.raises(refusal, match=words):
        await networks.create(spec("back", config, ipv6=True))


async def test_without_ipv6_all_but_ipv6_is_there(networks, host):
    host.without_ipv6 = "IPv6 is disabled on this host"
    assert (await networks.ensure_gateway_bridge()).pool6 == IpamConfig()
    with pytest.raises(InvalidParameter, match="network back wants IPv6: IPv6 is disabled"):
        await networks.create(spec("back", ipv6=True))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("com.docker.network.driver.mtu", "abc"),
        ("com.docker.network.driver.mtu", "67"),
        ("com.docker.network.bridge.name", "lo"),
        ("com.docker.network.bridge.name", "sixteen-letters-"),
        ("com.docker.network.bridge.name", "a/b"),
    ],
)
async def test_options_that_cannot_be_are_refused_and_nothing_is_kept(networks, option, value):
    wish = spec("odd").replaced(driver_configuration=Driver(name="bridge", options={option: value}))
    with pytest.raises(InvalidParameter, match=option):
        await networks.create(wish)
    assert networks.find("odd") is None


def on_bridge(name: str, bridge: str) -> NetworkSpec:
    options = {"com.docker.network.bridge.name": bridge}
    return spec(name).replaced(driver_configuration=Driver(name="bridge", options=options))


async def test_a_bridge_belongs_to_one_network(networks):
    await networks.create(on_bridge("one", "br0"))
    with pytest.raises(Conflict, match="the bridge br0 belongs to network one"):
        await networks.create(on_bridge("two", "br0"))


class FailingPlane:
    async def ensure_network(self, network):
        raise System("the kernel says no")


async def test_a_network_that_cannot_be_made_is_forgotten(networks):
    with pytest.raises(System):
        await NetworkActions(networks, None, FailingPlane(), None).create_node_network(spec("odd"))
    assert networks.find("odd") is None
