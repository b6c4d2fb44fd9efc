from __future__ import annotations

import pytest
from addresses import WEBNET, WEBNET6, task, task6, web

from hivelet.network.dns.records import (
    ContainerNames,
    build_container_zone,
    build_service_zone,
    is_resolvable,
    render_serial,
    render_servers,
    render_zone,
    serial_address,
)

NETS = {WEBNET.id: WEBNET}


def plain(records):
    return {name: addresses for name, addresses in records.items() if "webnet" not in name}


def build(entry, backends=()):
    return plain(build_service_zone(NETS, entry, backends))


def test_vip_service():
    assert build(web(), [task(2), task(1)]) == {
        "myapp_web": ("10.0.1.2",),
        "web": ("10.0.1.2",),
        "tasks.myapp_web": ("10.0.1.3", "10.0.1.4"),
        "tasks.web": ("10.0.1.3", "10.0.1.4"),
    }


def test_a_network_with_ipv6_has_names_of_both_families():
    entry = web(vips6={WEBNET.id: "fd00:0:0:1::2"})
    assert plain(build_service_zone({WEBNET.id: WEBNET6}, entry, [task6(1), task(2)])) == {
        "myapp_web": ("10.0.1.2", "fd00:0:0:1::2"),
        "web": ("10.0.1.2", "fd00:0:0:1::2"),
        "tasks.myapp_web": ("10.0.1.3", "10.0.1.4", "fd00:0:0:1::3"),
        "tasks.web": ("10.0.1.3", "10.0.1.4", "fd00:0:0:1::3"),
    }
    # A host without IPv6 has the network without it, and no name leads there.
    assert build(entry, [task(2)])["web"] == ("10.0.1.2",)


def test_names_also_resolve_with_their_network():
    assert build_service_zone(NETS, web(), [])["web.myapp_webnet"] == ("10.0.1.2",)


def test_dnsrr_resolves_to_all_tasks():
    assert build(web(mode="dnsrr", vips={}), [task(1), task(2)])["web"] == ("10.0.1.3", "10.0.1.4")


def test_a_service_without_tasks_stays_known():
    assert build(web(mode="dnsrr", vips={}))["web"] == ()
    assert build(web())["tasks.web"] == ()


def test_services_of_other_networks_are_unknown():
    entry = web(vips={"elsewhere": "10.9.0.2"}, aliases={})
    assert build_service_zone(NETS, entry, []) == {}


def test_container_names_without_case():
    names = ContainerNames(
        network_id="webnetid", address="10.0.1.9", names=("App_DB", "bad name", "x..y")
    )
    assert plain(build_container_zone(NETS, [names])) == {"app_db": ("10.0.1.9",)}
    elsewhere = ContainerNames(network_id="elsewhere", address="10.9.0.9", names=("db",))
    assert build_container_zone(NETS, [elsewhere]) == {}


def test_a_zone_is_a_hosts_file():
    text = render_zone({"a": ("10.0.1.3", "10.0.1.20"), "b": ("10.0.1.3",), "c": ()})
    assert text == "10.0.1.3 a b\n10.0.1.20 a\n"
    assert render_serial(6) == "0.0.0.7 serial.hivelet-resolver\n"


def test_only_the_exact_name_is_ours():
    assert "server=/app/\nserver=/*.app/#\n" in render_servers(["app"])


def test_serial_never_is_a_real_address():
    assert serial_address(0) == "0.0.0.1"
    assert serial_address(0xFFFFFE) == "0.255.255.255"
    assert serial_address(0xFFFFFF) == "0.0.0.1"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("web", True),
        ("my_app.1.x-2", True),
        ("", False),
        ("a b", False),
        ("-a", False),
        ("a..b", False),
        ("serial.hivelet-resolver", False),
    ],
)
def test_resolvable(name, good):
    assert is_resolvable(name) is good
