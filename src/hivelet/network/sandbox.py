"""What a container's place in the network is asked to be, and what it has become.

A *sandbox* is a network namespace made before its container: `<run>/netns/<container id>`, with one *leg* (a veth
pair) in each network. These are the values that the engine and the network plane exchange; nothing here acts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hivelet.objects.common import ContainerId, NetworkId, TaskId
from hivelet.objects.endpoint import BridgeNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One network of a container. `address` is in CIDR notation; None lets the plane choose (`docker_gwbridge`).

    `address6` is the same of IPv6; nothing comes of it where the network has no IPv6.

    `aliases` resolve to this container in this network only.
    """

    network: BridgeNetwork
    address: str | None = None
    address6: str | None = None
    aliases: tuple[str, ...] = ()
    asked: bool = False
    """Whether a user chose the addresses, who is told where they are taken."""
    mac: str = ""
    """The link address; "" is the one that follows from the address."""
    priority: int = 0
    """Of several legs that could be the way out, the one with the highest is."""
    ordinal: int | None = None
    """The number of its interface; None is the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """Resolver settings of a container; what is empty comes from the host's resolv.conf, as in Docker."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRequest:
    """A container's wish to be joined to networks.

    `names` resolve to the container in each of its networks (its name, its short id, its host name);
    `extra_hosts` are "name:address" as `--add-host` has them, with "host-gateway" for the host itself.
    A task with an `ingress` leg needs no `docker_gwbridge` leg: ingress is then its way out (see `layout`).
    """

    container_id: ContainerId
    legs: tuple[Leg, ...] = ()
    task_id: TaskId | None = None
    hostname: str = ""
    names: tuple[str, ...] = ()
    dns: DnsSettings = DnsSettings()
    extra_hosts: tuple[str, ...] = ()
    linked: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Other containers that this one knows by names of its own: address and names."""
    moves: bool = False
    """Whether its networks may change while it runs: then it asks 127.0.0.11, whoever answers there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A container's place in the network as it now is. Addresses are plain, per network; files are text to be written."""

    container_id: ContainerId
    netns: Path
    addresses: dict[NetworkId, str] = field(default_factory=dict)
    addresses6: dict[NetworkId, str] = field(default_factory=dict)
    macs: dict[NetworkId, str] = field(default_factory=dict)
    gateway: str = ""
    """The default gateway, "" where there is no way out."""
    gateway6: str = ""
    resolv_conf: str = ""
    hosts: str = ""
    way_out: NetworkId | None = None
    """The network of its default route."""
