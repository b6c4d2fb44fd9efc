"""The services in a network, with their tasks: what `network inspect --verbose` adds to a network. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hivelet.convert.backends import backend_state
from hivelet.convert.shape import Json
from hivelet.objects.common import NetworkId, NodeId, ServiceId, TaskId
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.service import Endpoint, Service
from hivelet.objects.task import Task, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is shown of a network's services beside what they say themselves: endpoint ids by task name, nodes' addresses.

    And on request the tasks' `traffic`: then those that leave are shown as well, and where each stands in the balancer.
    """

    ingress: bool = False
    endpoints: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[NodeId, str] = field(default_factory=dict)
    traffic: Mapping[TaskId, BackendTraffic] | None = None

    def shows(self, task: Task) -> bool:
        """Whether a task is one of its service's in this network."""
        if self.traffic is not None:
            return task.id in self.traffic
        return task.status.state is TaskState.RUNNING and task.wanted

    def info(self, task: Task) -> dict[str, str]:
        """What Docker tells of a task's driver, and what was asked for."""
        info = {"Host IP": self.hosts.get(task.node_id, "")}
        if self.traffic is not None:
            traffic = self.traffic[task.id]
            info["State"] = backend_state(task, traffic)
            info["Connections"] = f"{traffic.busy} busy, {traffic.idle} idle"
        return info


def encode_services(
    network: NetworkId, services: Iterable[Service], tasks: Sequence[Task], around: Surroundings
) -> Json:
    """The services in a network with their running tasks, as `network inspect --verbose` shows them.

    Ports are those of the ingress network, as in Docker; there is no load balancer with a number (`LocalLBIndex`).
    """
    by_service: dict[ServiceId, list[Task]] = {}
    for task in tasks:
        if around.shows(task):
            by_service.setdefault(task.service_id, []).append(task)
    answer: Json = {}
    for service in services:
        endpoint = service.endpoint or Endpoint()
        vips = [
            vip.addr.partition("/")[0] for vip in endpoint.virtual_ips if vip.network_id == network
        ]
        members = [
            {
                "Name": task.name,
                "EndpointID": around.endpoints.get(task.name, ""),
                **_of_each_family(
                    "EndpointIP", [a.partition("/")[0] for a in attachment.addresses]
                ),
                "Info": around.info(task),
            }
            for task in by_service.get(service.id, ())
            for attachment in task.networks
            if attachment.network_id == network and attachment.addresses
        ]
        if vips or members:
            ports = [p for p in endpoint.ports if around.ingress and p.publish_mode == "ingress"]
            answer[service.spec.name] = {
                **_of_each_family("VIP", vips or ["<nil>"]),
                "Ports": [f"Target: {p.target_port}, Publish: {p.published_port}" for p in ports],
                "LocalLBIndex": 0,
                "Tasks": members,
            }
    return answer


def _of_each_family(key: str, addresses: Sequence[str]) -> Json:
    """An address as Docker shows it, and beside it the IPv6 one where there is one; Docker has no key for that."""
    ipv4 = next((a for a in addresses if ":" not in a), "")
    ipv6 = next((a for a in addresses if ":" in a), "")
    return {key: ipv4} | ({f"{key}v6": ipv6} if ipv6 else {})
