"""What a restarted hiveletd must know of sandboxes and resolvers and cannot see in the kernel; the ledger writes it down."""

from __future__ import annotations

from dataclasses import dataclass, field

from hivelet.objects.common import ContainerId, NetworkId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverRecord:
    """A resolver for the members of exactly these networks, with these servers for outside names."""

    name: str
    address: str
    networks: tuple[NetworkId, ...]
    upstreams: tuple[str, ...] = ()
    forward: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord:
    """A container's place: what a restarted hiveletd must know of a sandbox and cannot see in the kernel."""

    container_id: ContainerId
    task_id: TaskId | None
    addresses: dict[NetworkId, str]
    addresses6: dict[NetworkId, str] = field(default_factory=dict)
    macs: dict[NetworkId, str] = field(default_factory=dict)
    names: dict[NetworkId, tuple[str, ...]] = field(default_factory=dict)
    ports: dict[NetworkId, str] = field(default_factory=dict)
    """The host's end of the veth pair in each network."""
    gateway: str = ""
    gateway6: str = ""
    resolver: str | None = None
    resolv_conf: str = ""
    hosts: str = ""
    way_out: NetworkId | None = None
    priorities: dict[NetworkId, int] = field(default_factory=dict)
