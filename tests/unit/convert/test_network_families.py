"""How networks, services and endpoints of both families look in JSON."""

from __future__ import annotations

import pytest

from hivelet.convert.network import (
    encode_network,
    parse_network_spec,
)
from hivelet.convert.network_services import Surroundings, encode_services
from hivelet.errors import InvalidParameter
from hivelet.objects.common import Annotations
from hivelet.objects.network import IpamConfig, IpamOptions, Network, NetworkSpec
from hivelet.objects.service import Endpoint, EndpointVirtualIP, Service, ServiceSpec
from hivelet.objects.task import NetworkAttachment, Task, TaskState, TaskStatus

POOLS = [
    {"Subnet": "10.1.0.0/24", "Gateway": "10.1.0.1"},
    {"Subnet": "fd01::/64", "Gateway": "fd01::1", "IPRange": "fd01::/80"},
]


def test_a_request_of_the_docker_command_line():
    spec = parse_network_spec(
        {"Name": "back", "Driver": "overlay", "EnableIPv6": True, "IPAM": {"Config": POOLS}}
    )
    assert spec.ipv6_enabled
    assert spec.ipam.configs == [
        IpamConfig(subnet="10.1.0.0/24", gateway="10.1.0.1"),
        IpamConfig(subnet="fd01::/64", gateway="fd01::1", ip_range="fd01::/80"),
    ]
    with pytest.raises(InvalidParameter, match="--ipv4=false"):
        parse_network_spec({"Name": "back", "Driver": "overlay", "EnableIPv4": False})


def test_a_network_shows_both_pools():
    configs = [IpamConfig(subnet=pool["Subnet"], gateway=pool["Gateway"]) for pool in POOLS]
    spec = NetworkSpec(annotations=Annotations(name="back"), ipv6_enabled=True)
    answer = encode_network(Network(id="net", spec=spec, ipam=IpamOptions(configs=configs)))
    assert answer["EnableIPv6"] is True
    assert [config["Subnet"] for config in answer["IPAM"]["Config"]] == ["10.1.0.0/24", "fd01::/64"]


def test_services_in_a_network_are_shown_once_with_both_addresses():
    vips = ["10.1.0.2/24", "fd01::2/64"]
    service = Service(
        id="web",
        spec=ServiceSpec(name="web"),
        endpoint=Endpoint(virtual_ips=[EndpointVirtualIP(network_id="net", addr=a) for a in vips]),
    )
    place = NetworkAttachment(network_id="net", addresses=["10.1.0.3/24", "fd01::3/64"])
    task = Task(
        id="t",
        service_id="web",
        networks=[place],
        status=TaskStatus(state=TaskState.RUNNING),
        desired_state=TaskState.RUNNING,
    )
    web = encode_services("net", [service], [task], Surroundings())["web"]
    assert (web["VIP"], web["VIPv6"]) == ("10.1.0.2", "fd01::2")
    (member,) = web["Tasks"]
    assert (member["EndpointIP"], member["EndpointIPv6"]) == ("10.1.0.3", "fd01::3")
