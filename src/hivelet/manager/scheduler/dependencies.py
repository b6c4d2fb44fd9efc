"""Whether a service may start, or waits for another one. Pure; the reason is what `service ps` shows.

Only a service of which nothing runs waits: at its deployment, at a cold start of the host, when it is scaled up from nothing.
A replica that crashes or is updated beside others is never held, or a short trouble of one service would become one of all
that depend on it. The one exception is a job that runs anew, the migration of a release: until its iteration is completed, the
tasks of an updated spec wait, and those of the old one go on. *Started* and *healthy* mean that one task of the dependency runs (which it does only once it is healthy,
where it has a health check); *completed*, that a job is done or a task ended with exit code 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hivelet.objects.common import ServiceId
from hivelet.objects.dependency import (
    HELD,
    Condition,
    Dependency,
    dependencies_of,
    find_cycle,
)
from hivelet.objects.dirty import is_task_dirty
from hivelet.objects.service import DEPENDS_ON_LABEL, Service
from hivelet.objects.task import Task, TaskState

_DONE = {
    Condition.STARTED: "started",
    Condition.HEALTHY: "healthy",
    Condition.COMPLETED: "completed",
}


Named = Callable[[str], Service | None]
TasksOf = Callable[[ServiceId], Sequence[Task]]


def unmet_dependency(service: Service, named: Named, tasks_of: TasksOf) -> str:
    """Why the service's tasks must wait; "" where they need not. The other arguments look things up."""
    awaited = dependencies_of(service.spec)
    begun = [task for task in tasks_of(service.id) if _has_begun(task)] if awaited else []
    if any(not is_task_dirty(service, task) for task in begun):
        return ""
    if begun:
        awaited = [each for each in awaited if _is_on_job(each, named)]
    reasons = [reason for each in awaited if (reason := _unmet(each, named, tasks_of))]
    if not reasons:
        return ""
    if circle := _circle(service, named):
        return (
            f"waiting for itself, and would for ever: {' -> '.join(circle)}; "
            f"take one of these out of the label {DEPENDS_ON_LABEL}"
        )
    return f"waiting for {'; '.join(reasons)}"


def _is_on_job(dependency: Dependency, named: Named) -> bool:
    service = _find(dependency, named)
    jobs = service is not None and service.spec.mode.is_job
    return jobs and dependency.condition is Condition.COMPLETED


def _circle(service: Service, named: Named) -> list[str]:
    """A way from the service back to itself. The API refuses these, but an older state may hold one."""
    graph: dict[str, list[str]] = {}
    left = [service]
    while left:
        each = left.pop()
        found = [_find(dependency, named) for dependency in dependencies_of(each.spec)]
        graph[each.spec.name] = [other.spec.name for other in found if other is not None]
        left += [other for other in found if other is not None and other.spec.name not in graph]
    return find_cycle(graph, service.spec.name)


def _has_begun(task: Task) -> bool:
    return TaskState.ASSIGNED.order <= task.status.state.order <= TaskState.RUNNING.order


def _find(dependency: Dependency, named: Named) -> Service | None:
    found = map(named, dependency.candidates)
    return next((each for each in found if each is not None), None)


def _unmet(dependency: Dependency, named: Named, tasks_of: TasksOf) -> str:
    service = _find(dependency, named)
    if service is None:
        return f"{dependency.name}, which does not exist"
    tasks = tasks_of(service.id)
    if dependency.condition is Condition.COMPLETED:
        met, standing = _completed(service, tasks)
    else:
        met, standing = _started(service, tasks)
    if met:
        return ""
    return f"{service.spec.name} to be {_DONE[dependency.condition]} ({standing})"


def _started(service: Service, tasks: Sequence[Task]) -> tuple[bool, str]:
    if service.spec.mode.is_job:
        begun = any(t.status.state in {TaskState.RUNNING, TaskState.COMPLETE} for t in tasks)
        return begun, _trouble(tasks)
    if not service.spec.mode.is_global and service.replicas == 0:
        return False, "it is scaled to 0"
    return any(t.wanted and t.status.state is TaskState.RUNNING for t in tasks), _trouble(tasks)


def _completed(service: Service, tasks: Sequence[Task]) -> tuple[bool, str]:
    done = [task for task in tasks if task.status.state is TaskState.COMPLETE]
    if service.job_status is None:
        return bool(done), _trouble(tasks)
    iteration = service.job_status.job_iteration
    done = [task for task in done if task.job_iteration == iteration]
    job = service.spec.mode.replicated_job
    slots = {task.slot_key for task in tasks if task.job_iteration == iteration}
    wanted = job.completions if job is not None else max(len(slots), 1)
    count = len({task.slot_key for task in done})
    return count >= wanted, f"{count} of {wanted}" + _failure(tasks)


def _trouble(tasks: Sequence[Task]) -> str:
    return "nothing of it runs yet" + _failure(tasks)


def _failure(tasks: Sequence[Task]) -> str:
    """What went wrong last, where something has: the way to the cause."""
    failed = [task for task in tasks if task.status.err and not task.status.err.startswith(HELD)]
    return f": {failed[-1].status.err}" if failed else ""
