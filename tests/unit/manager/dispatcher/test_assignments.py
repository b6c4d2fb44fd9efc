import pytest

from hivelet.manager.dispatcher.assignments import build_entry, concerns
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.service import Endpoint, EndpointVirtualIP, Service, ServiceSpec
from hivelet.objects.task import PortConfig


def service(*ports, networks=(), endpoint=True, labels=None):
    attachments = [NetworkAttachmentConfig(target=network) for network in networks]
    return Service(
        id="s",
        spec=ServiceSpec(name="web", networks=attachments, labels=labels or {}),
        endpoint=Endpoint(ports=list(ports)) if endpoint else None,
    )


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        pytest.param(service(), False, id="reached-by-nobody"),
        pytest.param(service(networks=["net"]), True, id="in-a-network-of-the-node"),
        pytest.param(service(networks=["other"]), False, id="elsewhere"),
        pytest.param(service(PortConfig(target_port=80)), True, id="published"),
        pytest.param(
            service(PortConfig(target_port=80, publish_mode="host")),
            True,
            id="published-by-its-host",
        ),
        pytest.param(service(networks=["net"], endpoint=False), False, id="not-allocated-yet"),
    ],
)
def test_a_node_knows_the_services_that_can_be_called_there(known, answer):
    assert concerns(known, ["net"]) is answer


def test_ports_are_told_by_who_publishes_them():
    ingress, host = PortConfig(target_port=80), PortConfig(target_port=81, publish_mode="host")
    entry = build_entry(service(ingress, host))
    assert (entry.ports, entry.host_ports, entry.leaving) == ([ingress], [host], False)


def test_a_service_that_is_being_removed_keeps_its_vips_until_it_is_gone():
    published = PortConfig(target_port=80, published_port=80)
    leaving = service(published).replaced(
        pending_delete=True,
        endpoint=Endpoint(
            ports=[published], virtual_ips=[EndpointVirtualIP(network_id="net", addr="10.0.1.2/24")]
        ),
    )
    entry = build_entry(leaving)
    assert entry.vips == {"net": "10.0.1.2"}
    assert (entry.ports, entry.leaving) == ([], True)


@pytest.mark.parametrize(
    ("labels", "affinity"),
    [
        ({}, False),
        ({"com.hivelet.affinity": "none"}, False),
        ({"com.hivelet.affinity": "client-ip"}, True),
    ],
)
def test_the_label_keeps_a_clients_connections_together(labels, affinity):
    assert build_entry(service(labels=labels)).affinity is affinity
