"""What a deploy will do, as a value: it can be printed, compared, and carried out step by step. Pure.

The order of the steps is the order in which they are done; those with `last` wait until the services have converged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Kind = Literal["network", "secret", "config", "service"]
Action = Literal["create", "update", "remove", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that changes, by its place in a compose file; None is "not there"."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The tasks that an update replaces, and how; `parallelism` 0 is all at once.

    `misplaced_only`: only tasks whose node does not satisfy the new constraints. `job`: what runs of it is stopped, and it begins anew.
    """

    tasks: int
    why: tuple[str, ...]
    parallelism: int = 1
    order: str = "stop-first"
    delay: str = ""
    misplaced_only: bool = False
    job: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one object. `body` is what is sent, `present` what was read of the object."""

    kind: Kind
    name: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    restart: Restart | None = None
    starts: int = 0
    stops: int = 0
    why: str = ""
    last: bool = False
    image: str = ""
    body: Json = field(default_factory=dict)
    present: Json = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """The object's id; "" before it is there."""
        return str(self.present.get("ID") or self.present.get("Id") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole deploy of one stack. `warnings` tell what will not be as the file has it."""

    stack: str
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.action != "keep")

    @property
    def disruptive(self) -> bool:
        """Whether something is taken away or stopped: what a person should agree to."""
        return any(step.action == "remove" or step.restart or step.stops for step in self.steps)

    def of(self, action: Action) -> tuple[Step, ...]:
        """The steps of one kind of action."""
        return tuple(step for step in self.steps if step.action == action)


def restarted(steps: Iterable[Step]) -> int:
    """How many tasks are replaced, at most."""
    return sum(step.restart.tasks for step in steps if step.restart)
