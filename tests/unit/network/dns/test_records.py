from __future__ import annotations

import pytest
from addresses import WEBNET, task, web

from hivelet.network.dns.records import (
    ContainerNames,
    build_records,
    is_resolvable,
    render_hosts_file,
    render_servers_file,
    serial_address,
)

NETS = {WEBNET.id: WEBNET}


def build(entry, backends=(), containers=()):
    records = build_records(NETS, [entry], {entry.service_id: backends}, containers)
    return {name: addresses for name, addresses in records.items() if "webnet" not in name}


def test_vip_service():
    assert build(web(), [task(2), task(1)]) == {
        "myapp_web": ("10.0.1.2",),
        "web": ("10.0.1.2",),
        "tasks.myapp_web": ("10.0.1.3", "10.0.1.4"),
        "tasks.web": ("10.0.1.3", "10.0.1.4"),
    }


def test_names_also_resolve_with_their_network():
    records = build_records(NETS, [web()], {}, [])
    assert records["web.myapp_webnet"] == ("10.0.1.2",)


def test_dnsrr_resolves_to_all_tasks():
    assert build(web(mode="dnsrr", vips={}), [task(1), task(2)])["web"] == ("10.0.1.3", "10.0.1.4")


def test_a_service_without_tasks_stays_known():
    assert build(web(mode="dnsrr", vips={}))["web"] == ()
    assert build(web())["tasks.web"] == ()


def test_services_of_other_networks_are_unknown():
    entry = web(vips={"elsewhere": "10.9.0.2"}, aliases={})
    assert build_records(NETS, [entry], {}, []) == {}


def test_container_names_without_case():
    names = ContainerNames(
        network_id="webnetid", address="10.0.1.9", names=("App_DB", "bad name", "x..y")
    )
    assert build(web(vips={}, aliases={}), containers=[names]) == {"app_db": ("10.0.1.9",)}


def test_hosts_file():
    text = render_hosts_file({"a": ("10.0.1.3", "10.0.1.20"), "b": ("10.0.1.3",), "c": ()}, 6)
    assert text == "0.0.0.7 serial.hivelet-resolver\n10.0.1.3 a b\n10.0.1.20 a\n"


def test_only_the_exact_name_is_ours():
    assert "server=/app/\nserver=/*.app/#\n" in render_servers_file({"app": ("10.0.1.3",)})


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
    ],
)
def test_resolvable(name, good):
    assert is_resolvable(name) is good
