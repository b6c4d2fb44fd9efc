"""Networks of the cluster (overlay, `ingress`) and what attaches to them."""

from __future__ import annotations

from msgspec import field

from hivelet.objects.common import (
    Annotations,
    ContainerId,
    Driver,
    Meta,
    NetworkId,
    NodeId,
    Struct,
)


class NetworkAttachmentConfig(Struct, frozen=True, kw_only=True):
    """A service's wish to join a network, by id or name."""

    target: str = ""
    aliases: list[str] = []
    driver_opts: dict[str, str] = {}


class IpamConfig(Struct, frozen=True, kw_only=True):
    """One address pool: subnet and ip_range in CIDR notation, gateway a plain address."""

    subnet: str = ""
    ip_range: str = field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] = {}


class IpamOptions(Struct, frozen=True, kw_only=True):
    """The IPAM driver and the address pools asked for or given."""

    driver: Driver = Driver(name="default")
    configs: list[IpamConfig] = []


class NetworkSpec(Struct, frozen=True, kw_only=True):
    """A network as the user asked for it."""

    annotations: Annotations = Annotations()
    driver_configuration: Driver = Driver(name="overlay")
    ipv6_enabled: bool = False
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    ipam: IpamOptions | None = field(default=None, name="IPAM")
    scope: str = "swarm"

    @property
    def name(self) -> str:
        """The network's name."""
        return self.annotations.name


class NodeAttachment(Struct, frozen=True, kw_only=True):
    """A container without a task in a network of the cluster: `wanted` are the plain addresses that its user asked for.

    The allocator gives `addresses`, in CIDR notation, or says in `err` why there are none.
    """

    container_id: ContainerId
    node_id: NodeId
    wanted: list[str] = []
    addresses: list[str] = []
    err: str = ""


class Network(Struct, frozen=True, kw_only=True):
    """A network of the cluster. `ipam` is what the allocator gave it; None until then (state "not allocated")."""

    id: NetworkId = field(name="ID")
    meta: Meta = Meta()
    spec: NetworkSpec = NetworkSpec()
    ipam: IpamOptions | None = field(default=None, name="IPAM")
    attachments: list[NodeAttachment] = []
    """Containers that were joined by hand, while they run."""
    pending_delete: bool = False
    """Removed by the user; kept without being shown until the last task that is attached to it is gone."""
