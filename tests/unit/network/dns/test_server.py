from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hivelet.network.dns.configuration import ResolverConfig, render_conf
from hivelet.network.dns.keeper import resolver_name
from hivelet.network.dns.query import build_query, parse_address

HOME = Path("/run/hivelet/network/dns/r1")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(
            {},
            ["resolv-file=/etc/resolv.conf", f"resolv-file={HOME / 'host-resolv.conf'}"],
            id="the-hosts-servers",
        ),
        pytest.param(
            {"upstreams": ("192.0.2.1",)}, ["no-resolv", "server=192.0.2.1"], id="own-servers"
        ),
        pytest.param({"forward": False}, ["no-resolv"], id="internal"),
    ],
)
def test_conf(config, expected):
    text = render_conf(
        ResolverConfig(name="r1", address="169.254.52.1", **config), HOME, user="nobody"
    )
    lines = text.splitlines()
    assert [
        line for line in lines if "resolv" in line.split("=")[0] or line.startswith("server=")
    ] == expected
    assert {"listen-address=169.254.52.1", "bind-interfaces", "user=nobody", "no-hosts"} <= set(
        lines
    )


def test_query_and_answer():
    query = build_query(7, "web.net")
    assert query[:2] == b"\0\x07"
    assert query[12:] == b"\x03web\x03net\0\0\x01\0\x01"
    alias = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 0, 2) + b"\xc0\x0c"
    address = b"\x01x\0" + struct.pack(">HHIH", 1, 1, 0, 4) + bytes([10, 0, 1, 2])
    answer = query[:6] + struct.pack(">3H", 2, 0, 0) + query[12:] + alias + address
    assert parse_address(answer) == "10.0.1.2"
    assert parse_address(query) is None


def test_a_resolvers_name_follows_from_what_it_is_for():
    first = resolver_name(("a", "b"), (), True)
    assert first == resolver_name(("a", "b"), (), True)
    assert (
        len({first, resolver_name(("a",), ("b",), True), resolver_name(("a", "b"), (), False)}) == 3
    )
