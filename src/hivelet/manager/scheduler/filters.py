"""Which nodes can run a task, and why the others can't. Pure; each filter is a check with its reason, as SwarmKit has them.

The sentences are SwarmKit's: `service ps` shows them as "no suitable node (insufficient resources on 1 node)".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hivelet.kit.architecture import go_architecture
from hivelet.manager.constraints import parse_constraints, unmet
from hivelet.manager.scheduler.nodeinfo import NodeInfo, PortKey, SlotKey, host_ports, reserved
from hivelet.objects.common import Platform
from hivelet.objects.task import Task

Check = Callable[[Task, NodeInfo], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A check that a node must pass, and the words for one node and for several that don't."""

    passes: Check
    one: str
    many: str

    def explain(self, count: int) -> str:
        """The reason, for so many nodes."""
        return self.one if count == 1 else self.many.format(count)


def _on(what: str) -> tuple[str, str]:
    return f"{what} on 1 node", f"{what} on {{}} nodes"


def is_ready(_: Task, info: NodeInfo) -> bool:
    """Up, and not told to take nothing new."""
    return info.node.status.state == "ready" and info.node.spec.availability == "active"


def has_resources(task: Task, info: NodeInfo) -> bool:
    """Has left what the task reserves."""
    return info.fits(reserved(task))


def meets_constraints(task: Task, info: NodeInfo) -> bool:
    """Satisfies every placement constraint."""
    placement = task.spec.placement
    if placement is None or not placement.constraints:
        return True
    return unmet(parse_constraints(placement.constraints), info.node) is None


def has_platform(task: Task, info: NodeInfo) -> bool:
    """Is of one of the platforms that the image was built for."""
    placement = task.spec.placement
    if placement is None or not placement.platforms:
        return True
    there = info.node.description.platform
    return any(_same_platform(wanted, there) for wanted in placement.platforms)


def has_host_ports(task: Task, info: NodeInfo) -> bool:
    """Has the task's host-mode ports free, or with a task of the same slot, which hands them over.

    Such a port is a rule of the balancer's and no socket, so both may be behind it while the one takes over from the other.
    """
    return not any(_clashes(key, task.slot_key, info) for key in host_ports(task))


def has_room(task: Task, info: NodeInfo) -> bool:
    """Runs fewer tasks of the service than the placement allows on one node."""
    placement = task.spec.placement
    limit = placement.max_replicas if placement else 0
    return not limit or info.by_service[task.service_id] < limit


FILTERS: tuple[Filter, ...] = (
    Filter(is_ready, "1 node not available for new tasks", "{} nodes not available for new tasks"),
    Filter(has_resources, *_on("insufficient resources")),
    Filter(meets_constraints, *_on("scheduling constraints not satisfied")),
    Filter(has_platform, *_on("unsupported platform")),
    Filter(has_host_ports, *_on("host-mode port already in use")),
    Filter(has_room, *["max replicas per node limit exceed"] * 2),
)
"""In the order in which SwarmKit asks; the first one that fails is the node's reason."""

OF_THE_SLOT = has_host_ports
"""The filter whose answer differs between tasks of one spec."""

STATIC = (is_ready, meets_constraints, has_platform)
"""Filters whose answer is the same for all tasks of one spec, whatever has been placed meanwhile."""


def failed_filter(task: Task, info: NodeInfo) -> Filter | None:
    """The first filter that the node does not pass."""
    return next((each for each in FILTERS if not each.passes(task, info)), None)


def explain(failures: Iterable[Filter]) -> str:
    """Why there is no node for a task: the reasons of all nodes, the most common first."""
    counted = Counter(failures)
    if not counted:
        return "no suitable node"
    reasons = "; ".join(failure.explain(count) for failure, count in counted.most_common())
    return f"no suitable node ({reasons})"


def _same_platform(wanted: Platform, there: Platform) -> bool:
    one = go_architecture(wanted.architecture)
    other = go_architecture(there.architecture)
    return (not wanted.os or wanted.os == there.os) and (not one or one == other)


def _clashes(key: PortKey, slot: SlotKey, info: NodeInfo) -> bool:
    protocol, port, address = key
    return any(
        (protocol, port) == (p, n)
        and (not address or not other or address == other)
        and any(holder != slot for holder in holders)
        for (p, n, other), holders in info.host_ports.items()
    )
