from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.errors import Conflict, InvalidParameter
from hivelet.network import ipam


def nets(*subnets):
    return {subnet: f"owner of {subnet}" for subnet in subnets}


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        pytest.param(nets(), "172.17.0.0/16", id="nothing-used"),
        pytest.param(nets("172.17.0.0/16"), "172.18.0.0/16", id="dockers-own-bridge"),
        pytest.param(nets("172.18.5.0/24", "172.17.0.0/16"), "172.19.0.0/16", id="part-of-one"),
        pytest.param(nets("172.16.0.0/12"), "192.168.0.0/20", id="a-wide-route"),
        pytest.param(nets("172.16.0.0/12", "192.168.1.0/24"), "192.168.16.0/20", id="home-lan"),
    ],
)
def test_local_pools(used, expected):
    assert ipam.choose_subnet(ipam.LOCAL_POOLS, used) == expected


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        pytest.param(nets(), "10.0.0.0/24", id="first"),
        pytest.param(nets("10.0.0.0/24", "10.0.1.0/24"), "10.0.2.0/24", id="next"),
        pytest.param(nets("10.0.0.0/24", "10.0.2.0/24"), "10.0.1.0/24", id="gap"),
        pytest.param(nets("10.0.0.0/16"), "10.1.0.0/24", id="skips-a-wide-route"),
        pytest.param(nets("10.0.0.64/26"), "10.0.1.0/24", id="a-small-one-inside"),
    ],
)
def test_swarm_pool(used, expected):
    assert ipam.choose_subnet([("10.0.0.0/8", 24)], used) == expected


def test_exhausted_pools_say_by_what_and_the_way_out():
    with pytest.raises(ipam.PoolExhausted) as caught:
        ipam.choose_subnet(
            ipam.LOCAL_POOLS, {"172.16.0.0/12": "route through tun0", "192.168.0.0/16": "eth1"}
        )
    message = caught.value.message
    assert message.startswith(ipam.NO_POOL)
    assert "172.16.0.0/12 (route through tun0), 192.168.0.0/16 (eth1)" in message
    assert "--subnet" in message


@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 255), st.sampled_from([16, 20, 24, 28])),
        max_size=40,
    )
)
def test_a_chosen_subnet_never_overlaps_anything(taken):
    used = {str(IPv4Network(f"10.{a}.{b}.0/{prefix}", strict=False)): "x" for a, b, prefix in taken}
    chosen = IPv4Network(ipam.choose_subnet([("10.0.0.0/8", 24)], used))
    assert not any(chosen.overlaps(IPv4Network(other)) for other in used)


def test_a_clash_names_both_sides():
    with pytest.raises(ipam.PoolOverlaps, match=r"172\.20\.0\.0/20.*172\.20\.8\.0/24.*eth9"):
        ipam.check_subnet("172.20.0.0/20", {"172.20.8.0/24": "route through eth9"})
    ipam.check_subnet("172.20.0.0/20", {"172.21.0.0/16": "network other"})


@pytest.mark.parametrize("subnet", ["10.0.0.1/24", "nonsense", "10.0.0.0/33"])
def test_no_subnet(subnet):
    with pytest.raises(InvalidParameter, match=subnet.replace("/", "/")):
        ipam.check_subnet(subnet, {})


@pytest.mark.parametrize(
    ("subnet", "options", "expected"),
    [
        pytest.param("172.20.0.0/20", {}, "172.20.0.1", id="first"),
        pytest.param("172.20.0.0/20", {"requested": "172.20.0.9"}, "172.20.0.9", id="requested"),
        pytest.param("10.0.0.0/16", {"ip_range": "10.0.5.0/24"}, "10.0.5.0", id="range"),
        pytest.param(
            "10.0.0.0/16", {"ip_range": "10.0.0.0/24"}, "10.0.0.1", id="range-at-the-start"
        ),
        pytest.param(
            "10.0.0.0/24", {"auxiliary": ["10.0.0.2", "10.0.0.1"]}, "10.0.0.3", id="not-auxiliary"
        ),
        pytest.param("fd01::/64", {"auxiliary": ["fd01:0::01"]}, "fd01::2", id="nor-in-ipv6"),
    ],
)
def test_gateway(subnet, options, expected):
    assert ipam.choose_gateway(subnet, **options) == expected


def test_gateway_outside():
    with pytest.raises(InvalidParameter, match="no matching subnet"):
        ipam.choose_gateway("10.0.0.0/24", requested="10.0.1.1")


def test_addresses_ascend_and_a_freed_one_rests():
    pool = ipam.AddressPool("10.0.0.0/29")
    pool.reserve("10.0.0.1")
    assert [pool.allocate() for _ in range(3)] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    pool.release("10.0.0.3")
    assert [pool.allocate() for _ in range(3)] == ["10.0.0.5", "10.0.0.6", "10.0.0.3"]
    with pytest.raises(ipam.AddressesExhausted, match=r"10\.0\.0\.0/29.*--subnet"):
        pool.allocate()


def test_requested_addresses():
    pool = ipam.AddressPool("10.0.0.0/24")
    assert pool.allocate("10.0.0.77") == "10.0.0.77"
    with pytest.raises(Conflict, match="already in use"):
        pool.allocate("10.0.0.77")
    with pytest.raises(InvalidParameter, match="outside of the subnet"):
        pool.allocate("10.0.1.77")


def test_an_ip_range_bounds_the_choice():
    pool = ipam.AddressPool("10.0.0.0/24", ip_range="10.0.0.128/30")
    assert [pool.allocate() for _ in range(4)] == [f"10.0.0.{n}" for n in (128, 129, 130, 131)]
    with pytest.raises(ipam.AddressesExhausted) as exhausted:
        pool.allocate()
    assert "all 4 addresses of the range 10.0.0.128/30 of 10.0.0.0/24 are in use" in str(
        exhausted.value
    )
    assert str(exhausted.value).endswith("with a larger --ip-range.")
    with pytest.raises(InvalidParameter, match="outside of the subnet"):
        ipam.AddressPool("10.0.0.0/24", ip_range="10.0.1.0/30")


def test_a_single_choice():
    assert ipam.allocate_address("10.0.0.0/24", ["10.0.0.1", "10.0.0.2"]) == "10.0.0.3"
    assert ipam.allocate_address("10.0.0.0/24", ["10.0.0.1"], after="10.0.0.9") == "10.0.0.10"


@given(st.lists(st.booleans(), max_size=60))
def test_a_pool_never_gives_an_address_twice(moves):
    pool = ipam.AddressPool("10.0.0.0/28")
    held: list[str] = []
    for take in moves:
        if take and len(held) < 14:
            address = pool.allocate()
            assert address not in held
            held.append(address)
        elif not take and held:
            pool.release(held.pop(0))


def test_who_names_a_subnet_may_take_a_part_of_a_wider_route():
    used = {"172.16.0.0/12": "route through eth0", "172.20.16.0/20": "route through eth1"}
    ipam.check_subnet("172.20.0.0/20", used)
    for subnet in ("172.16.0.0/12", "172.20.0.0/16", "172.20.16.0/20"):
        with pytest.raises(ipam.PoolOverlaps, match="in use by route through"):
            ipam.check_subnet(subnet, used)
    with pytest.raises(ipam.PoolOverlaps, match="in use by interface eth0"):
        ipam.check_subnet("172.20.0.0/20", {"172.16.0.0/12": "interface eth0"})
