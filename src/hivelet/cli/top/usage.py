"""From counters to what services and tasks use: two looks at a swarm become rows. Pure.

CPU is in percent of one CPU, from two readings of a container's counters; memory leaves out the page cache that could be dropped, as
`docker stats` does. A task on another node has no numbers here: its node has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from hivelet.cli.render.human import parse_time
from hivelet.cli.render.services import natural_key

Json: TypeAlias = dict[str, Any]

_ENDED = frozenset({"failed", "rejected", "complete", "shutdown", "orphaned", "remove"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look: services with their counts, their tasks, counters by container, connections by task (None: not told)."""

    services: tuple[Json, ...] = ()
    tasks: tuple[Json, ...] = ()
    stats: Mapping[str, Json] = field(default_factory=dict)
    connections: Mapping[str, tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What something uses; None is "not known"."""

    cpu: float | None = None
    memory: int | None = None
    limit: int = 0
    busy: int | None = None
    idle: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task that is not over."""

    name: str
    state: str
    seconds: float
    error: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """A service, the sum of its tasks, and how many of its tasks died that are remembered."""

    name: str
    running: int
    wanted: int
    failed: int
    usage: Usage
    tasks: tuple[TaskRow, ...]


def usage_rows(before: Look, now: Look, moment: datetime) -> list[ServiceRow]:
    """A row for each service, by name, with the rates between two looks."""
    rows = [_service_row(service, before, now, moment) for service in now.services]
    return sorted(rows, key=lambda row: natural_key(row.name))


def sort_rows(rows: list[ServiceRow], by: str) -> list[ServiceRow]:
    """The rows with those that use most first; by name they already are."""
    if by == "cpu":
        return sorted(rows, key=lambda row: -(row.usage.cpu or 0.0))
    if by == "memory":
        return sorted(rows, key=lambda row: -(row.usage.memory or 0))
    return rows


def _service_row(service: Json, before: Look, now: Look, moment: datetime) -> ServiceRow:
    own = [task for task in now.tasks if task.get("ServiceID") == service["ID"]]
    name = str(service["Spec"]["Name"])
    tasks = tuple(
        sorted(
            (_task_row(task, name, before, now, moment) for task in own if _is_there(task)),
            key=lambda row: natural_key(row.name),
        )
    )
    counts = service.get("ServiceStatus") or {}
    return ServiceRow(
        name=name,
        running=int(counts.get("RunningTasks", sum(t.state == "running" for t in tasks))),
        wanted=int(counts.get("DesiredTasks", len(tasks))),
        failed=sum(task["Status"]["State"] in {"failed", "rejected"} for task in own),
        usage=_sum([row.usage for row in tasks]),
        tasks=tasks,
    )


def _is_there(task: Json) -> bool:
    return task["Status"]["State"] not in _ENDED


def _task_row(task: Json, service: str, before: Look, now: Look, moment: datetime) -> TaskRow:
    status = task["Status"]
    container = (status.get("ContainerStatus") or {}).get("ContainerID", "")
    since = parse_time(status.get("Timestamp", ""))
    busy, idle = (now.connections or {}).get(task["ID"], (None, None))
    told = status.get("Err") or ""
    if not told and str(status.get("Message", "")).startswith(("draining", "stopping")):
        told = status["Message"]
    latest = now.stats.get(container)
    return TaskRow(
        name=f"{service}.{task.get('Slot') or str(task.get('NodeID', ''))[:12]}",
        state=str(status["State"]),
        seconds=max(0.0, (moment - since).total_seconds()) if since else 0.0,
        error=" ".join(str(told).split()),
        usage=Usage(
            cpu=cpu_percent(before.stats.get(container), latest),
            memory=memory_in_use(latest) if latest else None,
            limit=int(((latest or {}).get("memory_stats") or {}).get("limit") or 0),
            busy=busy,
            idle=idle,
        ),
    )


def cpu_percent(before: Json | None, now: Json | None) -> float | None:
    """Percent of one CPU between two readings; None where there are not two of them."""
    if not before or not now:
        return None
    start, end = parse_time(before.get("read", "")), parse_time(now.get("read", ""))
    if start is None or end is None or end <= start:
        return None
    used = _total(now) - _total(before)
    return max(0.0, used / ((end - start).total_seconds() * 1_000_000_000) * 100)


def _total(stats: Json) -> int:
    return int(((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage") or 0)


def memory_in_use(stats: Json) -> int:
    """Memory without what the kernel only keeps because nobody else needs it (cgroup v1 and v2 name it differently)."""
    memory = stats.get("memory_stats") or {}
    usage, details = int(memory.get("usage") or 0), memory.get("stats") or {}
    cache = int(details.get("total_inactive_file") or details.get("inactive_file") or 0)
    return usage - cache if cache < usage else usage


def _sum(usages: Iterable[Usage]) -> Usage:
    usages = list(usages)

    def total(values: Iterable[Any]) -> Any:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    return Usage(
        cpu=total(each.cpu for each in usages),
        memory=total(each.memory for each in usages),
        busy=total(each.busy for each in usages),
        idle=total(each.idle for each in usages),
    )
