from __future__ import annotations

import pytest
from addresses import GATEWAY, WEBNET

from hivelet.network import names


def test_links_fit_and_are_recognised():
    container = "0123456789abcdef" * 4
    assert names.bridge_name(GATEWAY) == "docker_gwbridge"
    assert names.bridge_name(WEBNET.replaced(id="abcdefghijklmnopqrstuvwxy")) == "hv-abcdefghijkl"
    port = names.port_name(container, 11)
    assert port == "hv0123456789a_b"
    assert names.is_port_name(port)
    assert max(map(len, (port, names.bridge_name(GATEWAY)))) <= names.LINK_NAME_LIMIT


@pytest.mark.parametrize(
    "name", ["eth0", "hv-abcdefghijkl", "hvfoo", "veth1234567_0", "hv-resolvers"]
)
def test_foreign_links_are_not_ours(name):
    assert not names.is_port_name(name)


def test_an_address_has_one_mac():
    assert names.mac_address("10.0.1.255") == "02:42:0a:00:01:ff"
