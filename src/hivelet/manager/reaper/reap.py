"""Which tasks of a slot are forgotten. Pure.

Removed ones as soon as they are down; ones that were given up before they reached a node at once, as nothing happened in them; of
the rest the newest, as many as the history limit says, the present one included (SwarmKit's rule). Tasks of a job count likewise.
What an update under way has made of a slot stays until it is over, as it counts their failures.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hivelet.objects.plan import NOTHING, Plan, Write
from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import is_reapable


def reap_slot(
    tasks: Sequence[Task],
    limit: int,
    *,
    service_exists: bool = True,
    updating_since: datetime | None = None,
) -> Plan:
    """What of a slot's tasks (oldest first) is forgotten, where `limit` of them may be remembered."""
    doomed: list[Task] = []
    kept: list[Task] = []
    for task in tasks:
        gone = is_reapable(task) and (not service_exists or _is_no_history(task))
        (doomed if gone else kept).append(task)
    # A limit below zero means that everything is remembered (SwarmKit).
    surplus = len(kept) - max(limit, 1) if limit >= 0 else 0
    for task in kept:
        if surplus <= 0:
            break
        # What a job has completed stays wanted, though a later iteration came after it.
        past = not task.wanted or (task.job_iteration is not None and task is not kept[-1])
        counted = updating_since is not None and task.made_by_update == updating_since
        if is_reapable(task) and past and not (counted and task.restarts.total == 0):
            doomed.append(task)
            surplus -= 1
    if not doomed:
        return NOTHING
    why = f"{len(doomed)} tasks are forgotten"
    return Plan(writes=(Write(delete=tuple(doomed), why=why),), why=why)


def _is_no_history(task: Task) -> bool:
    return (
        task.desired_state is TaskState.REMOVE
        or task.status.state is TaskState.ORPHANED
        or task.status.state.order < TaskState.ASSIGNED.order
    )
