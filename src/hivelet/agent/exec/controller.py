"""The contract between the agent, which knows tasks, and whatever runs them, which knows containers.

SwarmKit's `Executor` (one a node) and `Controller` (one a task). Rules that hold for every implementation, fakes included:

- Every call is idempotent: after a crash of the daemon, the step that was under way is simply called again.
- A call may be cancelled at any await (the task's desired state moved on); what it leaves behind must be something
  that `shutdown`, `terminate` and `remove` can deal with.
- Failures are `TemporaryError` (called again after `delay`) or any other `HiveletError` (final: the task is REJECTED before
  it was started, FAILED after). The error's sentence is what `service ps` shows.
- A controller never writes to a store; what it knows of its container it tells by `details`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from hivelet.errors import HiveletError
from hivelet.objects.common import ConfigId, NetworkId, SecretId, ServiceId, TaskId
from hivelet.objects.endpoint import ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import ContainerStatus, PortStatus, Task


class TemporaryError(HiveletError):
    """A step failed in a way that may pass: it is called again after `delay` seconds."""

    def __init__(self, message: str, delay: float = 1.0) -> None:
        super().__init__(message)
        self.delay = delay


class PermanentError(HiveletError):
    """A step failed for good. Any other `HiveletError` but TemporaryError means the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a task's container ended. `reason` adds what the code doesn't say ("unhealthy container", "OOM killed")."""

    code: int = 0
    reason: str = ""


class TaskExited(PermanentError):
    """The container ended while it was being started, so before it counted as RUNNING."""

    def __init__(self, how: Exit) -> None:
        super().__init__(
            f"task: non-zero exit ({how.code})" + (f": {how.reason}" if how.reason else "")
        )
        self.how = how


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a controller knows of its container; put into each reported status."""

    container: ContainerStatus | None = None
    ports: PortStatus | None = None


Tell = Callable[[str], None]
"""Takes a message for the status of a task whose state stays as it is. Never waits; each one is written to the store."""


def tell_nobody(_: str) -> None:
    """A `Tell` to begin with."""


class Controller(Protocol):
    """Runs one task. At most one call is under way at a time, save `details` and `close`."""

    def listen(self, tell: Tell) -> None:
        """Where to tell what holds the task up on its way out. Called once, before anything else."""
        ...

    async def adopt(self) -> bool:
        """Take over what an earlier daemon left of this task, and say whether there is a container (running or not).

        Called once, before any step, for a task that was PREPARING or further when this agent first saw it.
        A running container is a backend again where the data plane lost it, unless the task is to go.
        """
        ...

    async def prepare(self) -> None:
        """Make everything ready but the start: image, networks, volumes, the created container."""
        ...

    async def start(self) -> None:
        """Start the container; return once it runs, is healthy where it has a health check, and is in the balancer.

        Returns at once for a container that runs already.

        Raises:
            TaskExited: it ended before that.
        """
        ...

    async def wait(self) -> Exit:
        """Return when the container has ended, by itself or by force from outside; at once if it has already.

        An unhealthy container is stopped by the controller and ends here with a reason.
        """
        ...

    async def shutdown(self) -> None:
        """Leave the balancer, drain connections, stop signal, grace period, SIGKILL; return when it is down.

        Also right for a container that was never created, never started, or has ended.
        """
        ...

    async def terminate(self) -> None:
        """As `shutdown`, without drain and grace."""
        ...

    async def remove(self) -> None:
        """Leave nothing of the task on the node. Called after it is down; the controller is not used again."""
        ...

    async def update(self, task: Task) -> None:
        """The task's description changed in a way that needs no restart (labels, annotations)."""
        ...

    def details(self) -> Details:
        """What is known of the container just now. Never waits."""
        ...

    async def close(self) -> None:
        """Let go of file descriptors and background work; the container, if any, goes on running."""
        ...


class Executor(Protocol):
    """What a node can do: describes itself, carries the data plane, makes controllers."""

    async def describe(self) -> NodeDescription:
        """The node's platform, resources and engine."""
        ...

    async def configure(self, node: Node) -> None:
        """The node object changed (labels, role, availability); also the first thing after a session began."""
        ...

    async def configure_networks(
        self,
        networks: Mapping[NetworkId, Network],
        services: Mapping[ServiceId, ServiceEntry],
    ) -> None:
        """Bring the data plane to exactly these networks and services; always the whole set.

        Comes before the first task that needs them, and again whenever they change. A network that is no longer in
        the set has no task left on the node. A service that left gets no new connections, established ones stay.

        Raises:
            HiveletError: it could not be done in full; it is called again after a moment.
        """
        ...

    async def configure_dependencies(
        self, secrets: Mapping[SecretId, Secret], configs: Mapping[ConfigId, Config]
    ) -> None:
        """Exactly the secrets and configs that this node's tasks may read; kept in memory only."""
        ...

    def controller(self, task: Task) -> Controller:
        """A controller for `task`. Cheap: does nothing yet."""
        ...

    async def known_tasks(self) -> Collection[TaskId]:
        """Every task of which something is left on the node, running or not; asked once at the start of the agent."""
        ...

    async def discard(self, task_id: TaskId) -> None:
        """Stop and remove what is left of a task that the cluster no longer knows."""
        ...

    async def resume(self) -> None:
        """Every task that an earlier daemon left has been adopted or given up; called once, after the first session.

        Until then the data plane may hold its rules as they were, so that adoption never shows in the traffic.
        """
        ...
