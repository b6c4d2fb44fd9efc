"""What a node's data plane must know: services as entries with addresses and ports, tasks as backends.

Entries come from the manager with the assignments; backends of local tasks come from the agent itself, so that a
dead task leaves the balancer in the moment of its death and a new one is reachable before it is announced.
"""

from __future__ import annotations

from hivelet.objects.common import NetworkId, ServiceId, Struct, TaskId
from hivelet.objects.task import PortConfig


class BridgeNetwork(Struct, frozen=True, kw_only=True):
    """A network as one node sees it: a Linux bridge. Subnet in CIDR notation, gateway a plain address.

    `subnet6` and `gateway6` are the same of IPv6, "" where the network has none.
    `kind` is "overlay" (a stack's or user's network), "ingress", "gateway" (`docker_gwbridge`) or "bridge".
    """

    id: NetworkId
    name: str
    kind: str = "overlay"
    subnet: str = ""
    gateway: str = ""
    subnet6: str = ""
    gateway6: str = ""
    bridge: str = ""
    """The link's name; "" lets `hivelet.network.names` derive it from the id."""
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    mtu: int = 1500
    ip_range: str = ""
    ip_range6: str = ""
    """Where the node itself chooses addresses, the parts of the subnets to choose from; "" is all."""
    host_binding: str = ""
    """The host's address at which members publish ports for which none is named; "" is all."""
    reserved: list[str] = []
    """Addresses that are somebody else's."""


class ServiceEntry(Struct, frozen=True, kw_only=True):
    """A service as callers see it: its names, its VIPs (plain addresses) in each network, its published ports.

    `host_ports` are those that its new tasks publish themselves. A service that is `leaving` has its VIPs, and nothing else by
    which it could be found.
    """

    service_id: ServiceId
    name: str
    mode: str = "vip"
    vips: dict[NetworkId, str] = {}
    vips6: dict[NetworkId, str] = {}
    ports: list[PortConfig] = []
    host_ports: list[PortConfig] = []
    leaving: bool = False
    aliases: dict[NetworkId, list[str]] = {}
    """Network aliases (a stack's short service names among them) that resolve like the service's name."""
    affinity: bool = False
    """Whether connections of one client address should stay with one backend."""


class Backend(Struct, frozen=True, kw_only=True):
    """A task that can take connections: its plain addresses in each network.

    `host_ports` are the host-mode ports it holds. `ipv4_only` are TCP ports inside the container that it listens on for IPv4
    and not for IPv6: whoever comes by IPv6 is given to another task, or refused at once.
    """

    task_id: TaskId
    service_id: ServiceId
    service_name: str
    addresses: dict[NetworkId, str] = {}
    addresses6: dict[NetworkId, str] = {}
    host_ports: list[PortConfig] = []
    ingress_ports: list[PortConfig] = []
    """The ports that the service published when the task was made; an update may have moved their targets since."""
    ipv4_only: list[int] = []
    hostname: str = ""
