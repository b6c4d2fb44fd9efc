from __future__ import annotations

from ipaddress import ip_network

import pytest

from hivelet.network.ipam import (
    AddressesExhausted,
    AddressPool,
    PoolExhausted,
    choose_gateway,
    choose_subnet,
)
from hivelet.network.pools import asked_pools, find_fault, given_pools, ula_pools, wants_ipv6
from hivelet.objects.network import IpamConfig, IpamOptions, NetworkSpec

FOUR = IpamConfig(subnet="10.1.0.0/24")
SIX = IpamConfig(subnet="fd01::/64")


def spec(*configs: IpamConfig, ipv6: bool = False) -> NetworkSpec:
    return NetworkSpec(ipv6_enabled=ipv6, ipam=IpamOptions(configs=list(configs)))


@pytest.mark.parametrize(
    ("asked", "pools"),
    [
        pytest.param(NetworkSpec(), (IpamConfig(), None), id="nothing"),
        pytest.param(NetworkSpec(ipv6_enabled=True), (IpamConfig(), IpamConfig()), id="any-ipv6"),
        pytest.param(spec(SIX, FOUR, ipv6=True), (FOUR, SIX), id="both-in-any-order"),
        pytest.param(spec(SIX), (IpamConfig(), SIX), id="a-subnet-is-a-wish"),
        pytest.param(spec(FOUR, ipv6=True), (FOUR, IpamConfig()), id="ipv6-to-be-chosen"),
    ],
)
def test_what_a_network_asks_for(asked, pools):
    assert asked_pools(asked) == pools
    assert wants_ipv6(asked) is (pools[1] is not None)


def test_what_a_network_has():
    assert given_pools([SIX, FOUR]) == (FOUR, SIX)
    assert given_pools([FOUR]) == (FOUR, IpamConfig())


def test_each_owner_has_a_unique_local_prefix_of_its_own():
    ((pool, size),) = ula_pools("swarm")
    network = ip_network(pool)
    assert network.subnet_of(ip_network("fd00::/8"))
    assert (network.prefixlen, size) == (48, 64)
    assert ula_pools("swarm") == ((pool, size),)
    assert ula_pools("another") != ((pool, size),)


def test_a_chosen_subnet_overlaps_nothing():
    first = choose_subnet(ula_pools("swarm"), {"10.0.0.0/8": "eth0"})
    second = choose_subnet(ula_pools("swarm"), {first: "network one"})
    assert ip_network(second)[0] == ip_network(first)[0] + 2**64
    assert choose_gateway(second) == str(ip_network(second)[1])
    assert choose_gateway(second, requested=second.removesuffix("/64").upper() + "00FF").endswith(
        "::ff"
    )
    ((pool, _),) = ula_pools("swarm")
    with pytest.raises(PoolExhausted, match=r"non-overlapping IPv6 address pool.*tun0"):
        choose_subnet(ula_pools("swarm"), {pool: "route through tun0"})


def test_ipv6_addresses_are_given_in_turn():
    pool = AddressPool("fd01::/126")
    assert [pool.allocate() for _ in range(3)] == ["fd01::1", "fd01::2", "fd01::3"]
    with pytest.raises(AddressesExhausted, match=r"no available IPv6 addresses.*all 3 addresses"):
        pool.allocate()
    assert AddressPool("fd01::/64", ip_range="fd01::ff00/120").allocate() == "fd01::ff00"


@pytest.mark.parametrize(
    ("configs", "fault"),
    [
        pytest.param([FOUR, SIX], "", id="one-of-each"),
        pytest.param([IpamConfig()], "", id="any"),
        pytest.param(
            [
                SIX.replaced(
                    gateway="fd01::1", ip_range="fd01::/80", auxiliary_addresses={"a": "fd01::9"}
                )
            ],
            "",
            id="all-inside",
        ),
        pytest.param(
            [IpamConfig(subnet="fd01::1/64")], "invalid subnet fd01::1/64", id="host-bits"
        ),
        pytest.param([IpamConfig(gateway="fd01::1")], "invalid subnet ", id="no-subnet"),
        pytest.param([IpamConfig(subnet="fe80::/64")], "link-local", id="link-local"),
        pytest.param(
            [SIX.replaced(gateway="10.1.0.1")],
            "subnet fd01::/64 does not contain gateway 10.1.0.1",
            id="gateway-of-the-other-family",
        ),
        pytest.param(
            [FOUR.replaced(ip_range="fd01::/80")],
            "subnet 10.1.0.0/24 does not contain range fd01::/80",
            id="range-of-the-other-family",
        ),
        pytest.param([SIX.replaced(gateway="x")], "invalid gateway x", id="no-address"),
        pytest.param(
            [SIX.replaced(auxiliary_addresses={"router": "fd02::1"})],
            "subnet fd01::/64 does not contain auxiliary address router fd02::1",
            id="auxiliary-outside",
        ),
        pytest.param(
            [SIX, IpamConfig(subnet="fd02::/64")],
            "2 IPv6 subnets (fd01::/64, fd02::/64): a network has one of each family",
            id="two-of-a-family",
        ),
    ],
)
def test_faults_name_the_value(configs, fault):
    found = find_fault(configs)
    assert fault in found
    assert bool(found) is bool(fault)
