from __future__ import annotations

import pytest

from hivelet.errors import InvalidParameter
from hivelet.network.dns.files import (
    HostResolver,
    parse_resolv_conf,
    render_hosts,
    render_resolv_conf,
)
from hivelet.network.sandbox import DnsSettings

HOST = HostResolver(
    nameservers=("192.0.2.1",), search=("corp.example",), options=("edns0", "ndots:2")
)


def test_parse():
    text = "# made by x\nnameserver 192.0.2.1 ; first\nsearch a\nsearch corp.example b\noptions edns0\nsortlist x\n"
    assert parse_resolv_conf(text) == HostResolver(
        nameservers=("192.0.2.1",), search=("corp.example", "b"), options=("edns0",)
    )


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        pytest.param(DnsSettings(), ["search corp.example", "options edns0 ndots:0"], id="host"),
        pytest.param(
            DnsSettings(search=("x",), options=("timeout:1",)),
            ["search x", "options timeout:1 ndots:0"],
            id="own",
        ),
        pytest.param(
            DnsSettings(options=("ndots:3",)),
            ["search corp.example", "options ndots:3"],
            id="own-ndots",
        ),
        pytest.param(DnsSettings(search=(".",)), ["options edns0 ndots:0"], id="no-search"),
    ],
)
def test_resolv_conf(settings, lines):
    text = render_resolv_conf("169.254.52.1", settings, HOST)
    assert text.splitlines() == ["nameserver 169.254.52.1", *lines]


def test_hosts():
    text = render_hosts("web.example", ["10.0.1.3"], ["db:10.9.9.9", "me:host-gateway"], "10.0.0.1")
    assert text.splitlines()[0] == "127.0.0.1\tlocalhost"
    assert text.splitlines()[-3:] == ["10.9.9.9\tdb", "10.0.0.1\tme", "10.0.1.3\tweb.example web"]


@pytest.mark.parametrize("extra", ["nonsense", "x:", ":1.2.3.4", "me:host-gateway"])
def test_bad_extra_host(extra):
    with pytest.raises(InvalidParameter, match=extra):
        render_hosts("web", [], [extra])
