"""The network plane: the one door through which the engine and the agent use this node's network.

It holds what is desired (networks, sandboxes, services, backends) and makes the kernel and the resolvers follow.
What always holds: `admit` and `withdraw` return only when rules *and* names say so; an error names the thing and the
way out; `stop` leaves everything running; `tear_down` leaves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hivelet.kit.clock import Clock
from hivelet.network.sandbox import Sandbox, SandboxRequest
from hivelet.objects.common import ContainerId, NetworkId, ServiceId, TaskId
from hivelet.objects.endpoint import Backend, BridgeNetwork, ServiceEntry
from hivelet.objects.task import PortConfig


class NetworkPlane:
    """This node's data plane. Between `start` and `resume` rule writes are held, so that adoption never flaps."""

    def __init__(self, *, run: Path, root: Path, clock: Clock) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Bring the host's prerequisites about and adopt what exists; rules stay as they are until `resume`."""
        raise NotImplementedError

    async def resume(self) -> None:
        """Write all rules and names in one transaction; what was admitted since `start` never left."""
        raise NotImplementedError

    async def ensure_network(self, network: BridgeNetwork) -> None:
        """Make the network's bridge exist as described; idempotent, repairs what was removed by hand."""
        raise NotImplementedError

    async def remove_network(self, network_id: NetworkId) -> None:
        """Remove the network's bridge and rules; a network that is not there is no error.

        Raises:
            Conflict: a sandbox still has a leg in it.
        """
        raise NotImplementedError

    async def create_sandbox(self, request: SandboxRequest) -> Sandbox:
        """Make the container's network namespace; its networks are ensured on the way."""
        raise NotImplementedError

    async def remove_sandbox(self, container_id: ContainerId) -> None:
        """Remove the namespace, its links and names; idempotent."""
        raise NotImplementedError

    def sandbox(self, container_id: ContainerId) -> Sandbox | None:
        """The sandbox of a container, adopted ones included."""
        raise NotImplementedError

    def set_services(self, entries: Mapping[ServiceId, ServiceEntry]) -> None:
        """State all services of this node's concern; the writer applies what changed, in one transaction."""
        raise NotImplementedError

    async def admit(self, backend: Backend) -> None:
        """Let a task take connections; returns once rules and names are in effect (at once while held)."""
        raise NotImplementedError

    async def withdraw(self, task_id: TaskId) -> None:
        """Take a task out; returns once no new connection can reach it by VIP, port or name. Idempotent."""
        raise NotImplementedError

    async def connections(self, task_id: TaskId) -> int:
        """How many established connections through VIPs and published ports the task still has."""
        raise NotImplementedError

    def used_subnets(self) -> dict[str, str]:
        """Subnets in use on this host, each with who uses it ("route of eth0", "network myapp_webnet")."""
        raise NotImplementedError

    async def check_port_free(self, port: PortConfig) -> None:
        """Refuse a published port that a foreign process holds.

        Raises:
            Conflict: naming the port and, where it can be seen, the process.
        """
        raise NotImplementedError

    async def stop(self) -> None:
        """End this process's part; all links, rules and resolvers stay."""
        raise NotImplementedError

    async def tear_down(self) -> None:
        """Remove all that is hivelet's: sandboxes, bridges, tables, resolvers, files."""
        raise NotImplementedError
