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
    ],
)
def test_usable(config):
    assert find_unusable(config) == ""


@pytest.mark.parametrize(
    ("config", "words"),
    [
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
