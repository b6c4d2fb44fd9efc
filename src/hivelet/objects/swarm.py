"""What is asked of a swarm and answered about it as a whole: init, join, leave, how it stands."""

from __future__ import annotations

from msgspec import field

from hivelet.objects.cluster import Cluster, ClusterSpec
from hivelet.objects.common import NodeId, ServiceId, Struct, UInt32


class SwarmInit(Struct, frozen=True, kw_only=True):
    """A new swarm (API: `SwarmInitRequest`). Without a subnet size, or where it is 0, the default is used."""

    listen_addr: str = ""
    advertise_addr: str = ""
    data_path_addr: str = ""
    data_path_port: UInt32 = 0
    force_new_cluster: bool = False
    spec: ClusterSpec = ClusterSpec()
    auto_lock_managers: bool = False
    availability: str = "active"
    default_addr_pool: list[str] = []
    subnet_size: UInt32 = 0


class SwarmJoin(Struct, frozen=True, kw_only=True):
    """To become a node of an existing swarm (API: `SwarmJoinRequest`)."""

    listen_addr: str = ""
    advertise_addr: str = ""
    data_path_addr: str = ""
    remote_addrs: list[str] = []
    join_token: str = ""
    availability: str = "active"


class SwarmRotation(Struct, frozen=True, kw_only=True):
    """Which secrets of the swarm are to be made anew along with an update."""

    worker_token: bool = False
    manager_token: bool = False
    unlock_key: bool = False


class SwarmUnlock(Struct, frozen=True, kw_only=True):
    """To open the state of a locked manager (API: `SwarmUnlockRequest`)."""

    unlock_key: str = ""


class RemoteManager(Struct, frozen=True, kw_only=True):
    """A manager that this node knows of."""

    node_id: NodeId = field(name="NodeID")
    addr: str = ""


class SwarmStatus(Struct, frozen=True, kw_only=True):
    """How this node stands to a swarm (local_node_state: inactive, pending, active, error, locked).

    `cluster` is set on managers alone.
    """

    local_node_state: str = "inactive"
    node_id: NodeId = NodeId("")
    node_addr: str = ""
    control_available: bool = False
    error: str = ""
    remote_managers: list[RemoteManager] = []
    nodes: int = 0
    managers: int = 0
    cluster: Cluster | None = None
    warnings: list[str] = []


class ServiceUpdate(Struct, frozen=True, kw_only=True):
    """How a service update is meant, besides the spec.

    `rollback` ("" or "previous") makes the previous spec the new one and the given spec void. `registry_auth` is the
    base64 header as it came; `registry_auth_from` ("spec", "previous-spec") says whose is kept where none came.
    """

    rollback: str = ""
    registry_auth: str = ""
    registry_auth_from: str = ""


class ServiceCreated(Struct, frozen=True, kw_only=True):
    """The new service's id and what its author should know."""

    id: ServiceId
    warnings: list[str] = []
