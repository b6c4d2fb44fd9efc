"""Published ports of plain containers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.engine.plain.ports import EPHEMERAL, asked_ports, choose_ports, port_configs
from hivelet.errors import Conflict, InvalidParameter
from hivelet.objects.container import ContainerConfig, HostConfig, PortBinding


def binding(port="", ip=""):
    return PortBinding(host_ip=ip, host_port=port)


def ask(bindings, exposed=(), **more):
    config = ContainerConfig(exposed_ports={port: {} for port in exposed})
    return asked_ports(config, HostConfig(port_bindings=bindings, **more))


def test_exposed_and_published_ports_are_told_apart():
    asked = ask({"80": [binding("8080")], "53/udp": []}, exposed=["443/tcp", "80/tcp"])
    assert asked == {"443/tcp": [], "53/udp": [binding()], "80/tcp": [binding("8080")]}
    assert ask({}, exposed=["443/tcp"], publish_all_ports=True) == {"443/tcp": [binding()]}


@pytest.mark.parametrize(
    ("bindings", "message"),
    [
        ({"80/tcp": [binding("x")]}, 'invalid port specification: "x"'),
        ({"80/tcp": [binding("70000")]}, "invalid port specification"),
        ({"80/tcp": [binding("1-70000")]}, "invalid port specification"),
        ({"80/icmp": [binding()]}, 'invalid port specification: "80/icmp"'),
        ({"0/tcp": [binding()]}, "invalid port specification"),
        ({"80/tcp": [binding("1", "here")]}, "invalid IP address: here"),
    ],
)
def test_what_is_no_port(bindings, message):
    with pytest.raises(InvalidParameter, match=message):
        ask(bindings)


def test_open_ports_are_chosen_and_ranges_searched():
    held = {("", "tcp", 32768), ("", "tcp", 8000), ("127.0.0.1", "tcp", 8001)}
    asked = {"80/tcp": [binding(), binding("8000-8002")], "53/udp": [binding()]}
    assert choose_ports(asked, held) == {
        "80/tcp": [binding("32769", "0.0.0.0"), binding("8002", "0.0.0.0")],
        "53/udp": [binding("32768", "0.0.0.0")],
    }


def test_a_network_may_say_where_ports_are_published():
    asked = {"80/tcp": [binding("80"), binding("81", "192.0.2.1")]}
    assert choose_ports(asked, (), default_ip="127.0.0.1") == {
        "80/tcp": [binding("80", "127.0.0.1"), binding("81", "192.0.2.1")]
    }


@pytest.mark.parametrize(
    ("wish", "other", "clash"),
    [
        (binding("80"), ("", "tcp", 80), True),
        (binding("80", "127.0.0.1"), ("", "tcp", 80), True),
        (binding("80"), ("127.0.0.1", "tcp", 80), True),
        (binding("80", "127.0.0.1"), ("127.0.0.2", "tcp", 80), False),
        (binding("80"), ("", "udp", 80), False),
    ],
)
def test_a_port_is_held_by_one(wish, other, clash):
    if clash:
        with pytest.raises(Conflict, match="failed: port is already allocated"):
            choose_ports({"80/tcp": [wish]}, {other})
    else:
        assert choose_ports({"80/tcp": [wish]}, {other})


@given(
    st.dictionaries(
        st.tuples(st.integers(1, 65535), st.sampled_from(["tcp", "udp"])).map(
            lambda p: f"{p[0]}/{p[1]}"
        ),
        st.lists(st.just(binding()), min_size=1, max_size=3),
        max_size=5,
    ),
    st.sets(st.integers(32768, 32780).map(lambda p: ("", "tcp", p))),
)
def test_no_port_is_given_twice(asked, held):
    configs = port_configs(choose_ports(asked, held))
    given = [(c.host_ip, c.protocol, c.published_port) for c in configs]
    assert len(given) == len(set(given)) == sum(map(len, asked.values()))
    assert not held & set(given)
    assert all(c.published_port in EPHEMERAL for c in configs)
