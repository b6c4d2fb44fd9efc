"""Nodes: the machines of the cluster, what the user wants of them and what their agents say."""

from __future__ import annotations

from msgspec import field

from hivelet.objects.common import Meta, NodeId, Platform, Struct
from hivelet.objects.task import Resources


class NodeSpec(Struct, frozen=True, kw_only=True):
    """What the user wants of a node (role manager, worker; availability active, pause, drain)."""

    name: str = ""
    labels: dict[str, str] = {}
    role: str = "worker"
    availability: str = "active"


class PluginDescription(Struct, frozen=True, kw_only=True):
    """A driver that a node has."""

    type: str = ""
    name: str = ""


class EngineDescription(Struct, frozen=True, kw_only=True):
    """The engine of a node: version, labels and drivers."""

    engine_version: str = ""
    labels: dict[str, str] = {}
    plugins: list[PluginDescription] = []


class TlsInfo(Struct, frozen=True, kw_only=True):
    """The node's trust root: PEM certificate, and issuer fields in base64 DER."""

    trust_root: str = ""
    cert_issuer_subject: str = ""
    cert_issuer_public_key: str = ""


class NodeDescription(Struct, frozen=True, kw_only=True):
    """What an agent says of its node."""

    hostname: str = ""
    platform: Platform = Platform()
    resources: Resources = Resources()
    engine: EngineDescription = EngineDescription()
    tls_info: TlsInfo = field(default=TlsInfo(), name="TLSInfo")


class NodeStatus(Struct, frozen=True, kw_only=True):
    """Whether a node is there (state unknown, down, ready, disconnected) and its address."""

    state: str = "unknown"
    message: str = ""
    addr: str = ""


class ManagerStatus(Struct, frozen=True, kw_only=True):
    """A manager's standing (reachability unknown, unreachable, reachable)."""

    leader: bool = False
    reachability: str = "reachable"
    addr: str = ""


class Node(Struct, frozen=True, kw_only=True):
    """A machine of the cluster."""

    id: NodeId = field(name="ID")
    meta: Meta = Meta()
    spec: NodeSpec = NodeSpec()
    description: NodeDescription = NodeDescription()
    status: NodeStatus = NodeStatus()
    manager_status: ManagerStatus | None = None
