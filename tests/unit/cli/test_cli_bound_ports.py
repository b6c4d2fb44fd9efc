"""Ports that are bound to one address of the host: where they are open is seen."""

from datetime import UTC, datetime

import pytest

from hivelet.cli.render.service_pretty import render_service
from hivelet.cli.render.services import published_ports


def port(published, host="", target=80):
    bound = {"HostIP": host} if host else {}
    return {"Protocol": "tcp", "TargetPort": target, "PublishedPort": published, **bound}


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ([port(8000, "127.0.0.1")], "127.0.0.1:8000->80/tcp"),
        ([port(8000, "::1")], "[::1]:8000->80/tcp"),
        ([port(8000), port(8001, "127.0.0.1")], "*:8000->80/tcp, 127.0.0.1:8001->80/tcp"),
        (
            [port(8000, "127.0.0.1"), port(8001, "127.0.0.1", 81), port(8002, "", 82)],
            "*:8002->82/tcp, 127.0.0.1:8000-8001->80-81/tcp",
        ),
    ],
)
def test_in_lists(ports, told):
    assert published_ports(ports) == told


def test_of_one_service():
    service = {
        "ID": "s",
        "Spec": {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "web:1"}}},
        "Endpoint": {"Ports": [port(8000, "127.0.0.1"), port(8001)]},
    }
    shown = render_service(service, networks={}, now=datetime(2026, 1, 2, tzinfo=UTC))
    assert shown.count("HostIP") == 1
    assert (
        "PublishedPort = 8000\n  Protocol = tcp\n  TargetPort = 80\n  PublishMode = \n  HostIP = 127.0.0.1\n"
        in shown
    )
