from __future__ import annotations

import pytest

from hivelet.network.listeners import parse_listeners
from hivelet.network.ports import find_clash
from hivelet.objects.task import PortConfig

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 0200A8C0:9C40 0100A8C0:0050 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4714 1
   1: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4715 1
"""


@pytest.mark.parametrize(
    ("port", "host_ip", "inode"),
    [
        pytest.param(8000, "", 4711, id="all-addresses-meet-loopback"),
        pytest.param(8000, "127.0.0.1", 4711, id="the-same-address"),
        pytest.param(8000, "192.168.0.2", None, id="another-address"),
        pytest.param(22, "192.168.0.2", 4712, id="one-address-meets-all"),
        pytest.param(40000, "", None, id="a-connections-end-is-no-listener"),
        pytest.param(8080, "", 4714, id="dual-stack"),
        pytest.param(8081, "127.0.0.1", 4715, id="mapped"),
        pytest.param(80, "", None, id="free"),
        pytest.param(22, "::1", None, id="ipv6-does-not-meet-ipv4"),
        pytest.param(8080, "::1", 4714, id="ipv6-meets-all-of-ipv6"),
        pytest.param(8081, "::1", None, id="ipv6-does-not-meet-mapped"),
    ],
)
def test_clash(port, host_ip, inode):
    listeners = [*parse_listeners(TCP, "tcp"), *parse_listeners(TCP6, "tcp")]
    clash = find_clash(PortConfig(published_port=port, host_ip=host_ip), listeners)
    assert (clash.inode if clash else None) == inode


RESOLVER_AND_OWN = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0134FEA9:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4716 1 0 100 0 0 10 0
   1: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4717 1 0 100 0 0 10 0
"""


@pytest.mark.parametrize("host_ip", ["", "0.0.0.0", "198.51.100.1"])
def test_our_resolvers_do_not_hold_port_53(host_ip):
    resolver, foreign = parse_listeners(RESOLVER_AND_OWN, "udp")
    assert (resolver.address, foreign.address) == ("169.254.52.1", "127.0.0.53")
    port = PortConfig(published_port=53, protocol="udp", host_ip=host_ip)
    assert find_clash(port, [resolver]) is None
    assert find_clash(port, [resolver, foreign]) is (None if "198" in host_ip else foreign)


def test_udp_counts_unconnected_sockets():
    line = TCP.replace(" 0A ", " 07 ")
    assert [listener.port for listener in parse_listeners(line, "udp")] == [8000, 22]
