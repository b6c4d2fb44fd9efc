"""The address plan that the network's unit tests share: two networks, ingress, the gateway, three web tasks."""

from __future__ import annotations

from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig

INGRESS = BridgeNetwork(
    id="ingressid", name="ingress", kind="ingress", subnet="10.0.0.0/24", gateway="10.0.0.1"
)
GATEWAY = BridgeNetwork(
    id="gatewayid",
    name="docker_gwbridge",
    kind="gateway",
    subnet="172.20.0.0/20",
    gateway="172.20.0.1",
    bridge="docker_gwbridge",
    icc=False,
)
WEBNET = BridgeNetwork(id="webnetid", name="myapp_webnet", subnet="10.0.1.0/24", gateway="10.0.1.1")
INSIDE = BridgeNetwork(
    id="insideid", name="app_inside", subnet="10.0.3.0/24", gateway="10.0.3.1", internal=True
)
WEBNET6 = WEBNET.replaced(subnet6="fd00:0:0:1::/64", gateway6="fd00:0:0:1::1")
INGRESS6 = INGRESS.replaced(subnet6="fd00::/64", gateway6="fd00::1")
GATEWAY6 = GATEWAY.replaced(subnet6="fd00:0:0:20::/64", gateway6="fd00:0:0:20::1")
NETWORKS6 = {network.id: network for network in (INGRESS6, GATEWAY6, WEBNET6, INSIDE)}
NETWORKS = {network.id: network for network in (INGRESS, GATEWAY, WEBNET, INSIDE)}


def web(**changes) -> ServiceEntry:
    values = {
        "service_id": "webid",
        "name": "myapp_web",
        "vips": {"webnetid": "10.0.1.2"},
        "aliases": {"webnetid": ["web"]},
        "ports": [PortConfig(target_port=8000, published_port=8000)],
    }
    return ServiceEntry(**(values | changes))


def task(number: int, **changes) -> Backend:
    values = {
        "task_id": f"task{number}",
        "service_id": "webid",
        "service_name": "myapp_web",
        "addresses": {"webnetid": f"10.0.1.{number + 2}", "ingressid": f"10.0.0.{number + 2}"},
    }
    return Backend(**(values | changes))


def task6(number: int, **changes) -> Backend:
    """The same with IPv6 addresses."""
    six = {"webnetid": f"fd00:0:0:1::{number + 2}", "ingressid": f"fd00::{number + 2}"}
    return task(number, **({"addresses6": six} | changes))
