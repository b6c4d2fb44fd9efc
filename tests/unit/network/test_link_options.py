from __future__ import annotations

import pytest

from hivelet.errors import InvalidParameter
from hivelet.network.link_options import (
    BRIDGE_NAME,
    HOST_BINDING,
    MTU,
    read_bridge_name,
    read_host_binding,
    read_mtu,
)


@pytest.mark.parametrize(
    ("text", "ipv6", "mtu"),
    [("", True, 1500), ("68", False, 68), ("1280", True, 1280), ("65535", True, 65535)],
)
def test_mtu(text, ipv6, mtu):
    assert read_mtu({MTU: text}, ipv6=ipv6) == mtu


def test_no_mtu_is_ethernets():
    assert read_mtu({}, ipv6=True) == 1500


@pytest.mark.parametrize(
    ("text", "ipv6"),
    [
        ("abc", False),
        ("67", False),
        ("65536", False),
        ("1279", True),
        ("-1", False),
        ("１５００", False),
    ],
)
def test_no_mtu(text, ipv6):
    with pytest.raises(InvalidParameter, match=MTU):
        read_mtu({MTU: text}, ipv6=ipv6)


@pytest.mark.parametrize("name", ["", "docker_gwbridge", "br0", "br-a.1_b", "fifteen-letters"])
def test_bridge_name(name):
    assert read_bridge_name({BRIDGE_NAME: name}) == name


@pytest.mark.parametrize(
    "name",
    [
        "lo",
        ".",
        "..",
        "all",
        "sixteen-letters-",
        "a/b",
        "a b",
        'x"}',
        "br:1",
        "a\n",
        "brü",
        "hv-resolvers",
        "hv0123456789a_0",
    ],
)
def test_no_bridge_name(name):
    with pytest.raises(InvalidParameter, match=BRIDGE_NAME):
        read_bridge_name({BRIDGE_NAME: name})


def test_where_ports_are_published_by_default():
    assert read_host_binding({}) == ""
    assert read_host_binding({HOST_BINDING: "0.0.0.0"}) == ""
    assert read_host_binding({HOST_BINDING: "127.0.0.1"}) == "127.0.0.1"
    with pytest.raises(InvalidParameter, match="give an IPv4 address"):
        read_host_binding({HOST_BINDING: "localhost"})
