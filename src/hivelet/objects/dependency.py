"""What a service waits for before it starts: the label by which `depends_on` travels through the Docker API. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hivelet.objects.service import DEPENDS_ON_LABEL, STACK_LABEL, ServiceSpec

HELD = "waiting for "
"""How the error of a task begins that the scheduler holds for others."""


class Condition(StrEnum):
    """What must be true of a dependency."""

    STARTED = "started"
    HEALTHY = "healthy"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Dependency:
    """The service that is waited for: its name as written, the full names it may have, and what must be true of it."""

    name: str
    candidates: tuple[str, ...]
    condition: Condition


_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")

_SPELLINGS = {
    "": Condition.STARTED,
    "service_started": Condition.STARTED,
    "service_healthy": Condition.HEALTHY,
    "service_completed_successfully": Condition.COMPLETED,
    **{condition.value: condition for condition in Condition},
}


def dependencies_of(spec: ServiceSpec) -> list[Dependency]:
    """The dependencies in the service's label, whole names before those of its own stack.

    Raises:
        ValueError: says what of the label can't be understood.
    """
    found: list[Dependency] = []
    for part in spec.labels.get(DEPENDS_ON_LABEL, "").split(","):
        if not part.strip():
            continue
        name, _, word = (piece.strip() for piece in part.partition(":"))
        condition = _SPELLINGS.get(word)
        if condition is None:
            raise ValueError(
                f'"{word}" in "{part.strip()}" is no condition; use started, healthy or completed'
            )
        if not _NAME.fullmatch(name):
            raise ValueError(f'"{name}" is no name of a service')
        found.append(Dependency(name, _candidates(name, spec.labels), condition))
    return found


def awaits_completion(spec: ServiceSpec) -> bool:
    """Whether a job of others may hold the tasks of a new spec, and so an update, in the middle."""
    if DEPENDS_ON_LABEL not in spec.labels:
        return False
    return any(each.condition is Condition.COMPLETED for each in dependencies_of(spec))


def find_cycle(graph: Mapping[str, list[str]], start: str) -> list[str]:
    """A way from `start` back to itself along what each waits for, its end included; empty where there is none."""
    entered: set[str] = set()
    stack = [(start, [start])]
    while stack:
        name, path = stack.pop()
        for awaited in graph.get(name, ()):
            if awaited == start:
                return [*path, start]
            if awaited not in entered:
                entered.add(awaited)
                stack.append((awaited, [*path, awaited]))
    return []


def _candidates(name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    stack = labels.get(STACK_LABEL)
    return (f"{stack}_{name}", name) if stack else (name,)
