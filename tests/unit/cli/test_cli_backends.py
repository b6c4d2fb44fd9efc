"""What `service inspect --pretty` adds where hivelet tells of backends."""

from datetime import UTC, datetime

from hivelet.cli.render.service_pretty import render_service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = {
    "ID": "s",
    "Spec": {"Name": "web"},
    "Endpoint": {"VirtualIPs": [{"NetworkID": "net", "Addr": "10.0.1.2/24"}]},
}
BACKEND = {
    "Name": "web.1.t1",
    "State": "draining",
    "Addresses": [{"NetworkID": "net", "Addr": "10.0.1.3/24"}],
    "Connections": {"Busy": 1, "Idle": 2},
    "Err": "draining: 1 connection",
}


def test_vips_and_backends():
    shown = render_service(SERVICE | {"Backends": [BACKEND]}, networks={"net": "webnet"}, now=NOW)
    assert "Virtual IPs:\n webnet\t10.0.1.2/24\n" in shown
    assert (
        "Backends:\n draining  web.1.t1  10.0.1.3  1 busy, 2 idle connections"
        "  (draining: 1 connection)\n"
    ) in shown


def test_a_docker_engine_tells_neither():
    shown = render_service(SERVICE, networks={}, now=NOW)
    assert "Backends" not in shown
    assert "Virtual IPs" not in shown
