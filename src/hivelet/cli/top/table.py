"""Rows of usage as lines of text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from hivelet.cli.render.human import binary_size, ellipsis
from hivelet.cli.render.listing import align
from hivelet.cli.top.usage import ServiceRow, TaskRow, Usage
from hivelet.kit.durations import human_duration

Json: TypeAlias = dict[str, Any]

HEADERS = ("NAME", "TASKS", "CPU %", "MEMORY", "CONNECTIONS", "STATE")
_NONE = "-"
_ERROR = 60
_SHORTEST_STATE = 8


def table_lines(rows: Iterable[ServiceRow], *, with_tasks: bool) -> list[str]:
    """The table: a line for each service, below it one for each of its tasks."""
    cells = [HEADERS, *all_cells(rows, with_tasks=with_tasks)]
    return [line.rstrip() for line in align(["\t".join(row) for row in cells])]


def all_cells(rows: Iterable[ServiceRow], *, with_tasks: bool) -> Iterator[tuple[str, ...]]:
    """The cells of every line."""
    for row in rows:
        failed = f"{row.failed} failed" if row.failed else ""
        yield (row.name, f"{row.running}/{row.wanted}", *_usage_cells(row.usage), failed)
        for task in row.tasks if with_tasks else ():
            yield (f"  {task.name}", "", *_usage_cells(task.usage), _state(task))


def fitting_widths(cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide the columns are that a screen has room for, from the left: whole ones, and what is left of the state's."""
    natural = [max(map(len, column)) for column in zip(HEADERS, *cells, strict=True)]
    found: list[int] = []
    left = width
    for title, size in zip(HEADERS, natural, strict=True):
        if title == HEADERS[-1]:
            size = min(size, left)
            if size < _SHORTEST_STATE:
                break
        elif found and size > left:
            break
        found.append(size)
        left -= size + 1
    return found


def rows_json(rows: Iterable[ServiceRow]) -> list[Json]:
    """The rows for a program; what is not known is null."""
    return [
        {
            "Name": row.name,
            "Running": row.running,
            "Wanted": row.wanted,
            "Failed": row.failed,
            **_usage_json(row.usage),
            "Tasks": [
                {
                    "Name": task.name,
                    "State": task.state,
                    "Seconds": round(task.seconds, 1),
                    "Err": task.error,
                    **_usage_json(task.usage),
                }
                for task in row.tasks
            ],
        }
        for row in rows
    ]


def _usage_cells(usage: Usage) -> tuple[str, str, str]:
    memory = _NONE if usage.memory is None else binary_size(usage.memory)
    if usage.memory is not None and usage.limit:
        memory += f" / {binary_size(usage.limit)}"
    connections = _NONE if usage.busy is None else f"{usage.busy} busy, {usage.idle} idle"
    return _NONE if usage.cpu is None else f"{usage.cpu:.1f}", memory, connections


def _usage_json(usage: Usage) -> Json:
    return {
        "CPUPercent": None if usage.cpu is None else round(usage.cpu, 2),
        "MemoryBytes": usage.memory,
        "Connections": None if usage.busy is None else {"Busy": usage.busy, "Idle": usage.idle},
    }


def _state(task: TaskRow) -> str:
    told = f": {ellipsis(task.error, _ERROR)}" if task.error else ""
    return f"{task.state} {human_duration(task.seconds).lower()}{told}"
