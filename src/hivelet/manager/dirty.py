"""Whether a task is still right where it is. Pure.

New placement alone moves no task off a node that satisfies it, as in SwarmKit: what runs in the container is the same. Such a
task is held to the constraints of its service from then on, as the service's are the newer ones.
"""

from __future__ import annotations

from hivelet.manager.constraints import parse_constraints, unmet
from hivelet.objects.dirty import differs_in_placement_alone, is_task_dirty
from hivelet.objects.node import Node
from hivelet.objects.service import Service
from hivelet.objects.task import Task, TaskSpec


def is_dirty(service: Service, task: Task, node: Node | None) -> bool:
    """Whether a task on `node` (None: on none yet) is not what its service asks for."""
    if not is_task_dirty(service, task):
        return False
    suits = node is not None and not broken_constraint(service.spec.task_template, node)
    return not (suits and differs_in_placement_alone(service, task))


def present_spec(service: Service, task: Task) -> TaskSpec:
    """The spec whose constraints hold for the task now."""
    wanted = service.spec.task_template
    if wanted.placement != task.spec.placement and differs_in_placement_alone(service, task):
        return wanted
    return task.spec


def broken_constraint(spec: TaskSpec, node: Node) -> str:
    """Which constraint the node does not meet; "" where it meets all."""
    if spec.placement is None or not spec.placement.constraints:
        return ""
    broken = unmet(parse_constraints(spec.placement.constraints), node)
    if broken is None:
        return ""
    constraint = f"{broken.key}{'==' if broken.equal else '!='}{broken.value}"
    return f"assigned node no longer meets constraints ({constraint})"
