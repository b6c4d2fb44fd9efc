from __future__ import annotations

import pytest

from hivelet.network.usable import find_unusable
from hivelet.objects.network import IpamConfig


def pool(subnet: str, gateway: str = "", **auxiliary: str) -> IpamConfig:
    return IpamConfig(subnet=subnet, gateway=gateway, auxiliary_addresses=auxiliary)


@pytest.mark.parametrize(
    "config",
    [
        pool("10.1.0.0/24"),
        pool("10.1.0.0/30", "10.1.0.2"),
        pool("10.1.0.0/16", "10.1.255.254", printer="10.1.0.7", router="10.1.0.8"),
        pool(""),
        pool("no subnet"),
        pool("fd00::/64", "fd00::1"),
        pool("fd00::/126"),
        pool("10.1.0.0/29", p="10.1.0.1"),
    ],
)
def test_usable(config):
    assert find_unusable(config) == ""


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (pool("fd01::/127"), "fd01::/127 is too small"),
        (pool("fd01::/128", "fd01::1"), "fd01::/128 is too small"),
        (pool("::1/128"), "::1/128 is too small"),
        (pool("::/64"), "overlaps ::1/128"),
        (pool("::/0"), "overlaps"),
        (pool("ff05::/64"), "multicast"),
        (pool("fe80::/64"), "single links"),
        (pool("::ffff:10.1.0.0/112"), "IPv4 addresses in IPv6"),
        (pool("fd01::/64", "fd02::1"), "does not contain gateway fd02::1"),
        (pool("fd01::/64", "fd01::1", p="fd01:0::0001"), "p is fd01::1, and so is the gateway"),
        (pool("10.1.0.0/31"), "10.1.0.0/31 is too small"),
        (pool("10.1.0.1/32"), "10.1.0.1/32 is too small"),
        (pool("127.0.0.0/16"), "overlaps 127.0.0.0/8"),
        (pool("169.254.52.0/24"), "name servers"),
        (pool("239.1.0.0/16"), "multicast"),
        (pool("0.0.0.0/0"), "overlaps"),
        (pool("10.1.0.0/24", "10.1.0.0"), "gateway 10.1.0.0"),
        (pool("10.1.0.0/24", "10.1.0.255"), "gateway 10.1.0.255"),
        (pool("10.1.0.0/24", "10.1.0.1", p="10.1.0.1"), "p is 10.1.0.1, and so is the gateway"),
        (pool("10.1.0.0/24", p="10.1.0.9", q="10.1.0.9"), "so is the auxiliary address p"),
    ],
)
def test_unusable(config, words):
    assert words in find_unusable(config)


def test_an_overlay_network_needs_room_for_a_gateway_a_vip_and_a_task():
    for small, large in (("10.1.0.0/30", "10.1.0.0/29"), ("fd01::/126", "fd01::/125")):
        assert "a gateway, a VIP and a task; take a /" in find_unusable(pool(small), overlay=True)
        assert find_unusable(pool(large), overlay=True) == ""


@pytest.mark.parametrize(
    ("config", "overlay"),
    [
        (pool("10.1.0.0/24").replaced(ip_range="10.1.0.0/31"), False),
        (pool("10.1.0.0/24").replaced(ip_range="10.1.0.9/32"), False),
        (pool("10.1.0.0/24").replaced(ip_range="10.1.0.8/31"), True),
        (pool("10.1.0.0/24", "10.1.0.1").replaced(ip_range="10.1.0.9/32"), True),
        (pool("10.1.0.0/24", "10.1.0.1", p="10.1.0.9").replaced(ip_range="10.1.0.9/32"), False),
        (pool("fd01::/64").replaced(ip_range="fd01::9/128"), False),
    ],
)
def test_a_range_must_have_an_address_to_give(config, overlay):
    assert f"range {config.ip_range} is too small" in find_unusable(config, overlay=overlay)


def test_a_range_may_be_small_where_it_suffices():
    one = pool("10.1.0.0/24", "10.1.0.1").replaced(ip_range="10.1.0.9/32")
    assert find_unusable(one) == ""
    assert "no address left for the gateway" in find_unusable(
        pool("10.1.0.0/24", p="10.1.0.9").replaced(ip_range="10.1.0.9/32")
    )
