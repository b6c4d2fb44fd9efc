"""The story of the tasks: their newest moves, remembered so that an `InvalidTransition` explains itself."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from functools import cache
from typing import NamedTuple

from hivelet.objects.task import Task, TaskState
from hivelet.objects.transitions import Actor
from hivelet.store.events import Action, Event

STORY_LENGTH = 8192
"""Moves of all tasks that are remembered."""

Standing = tuple[TaskState, TaskState] | None
"""A task's status and desired state; None before and after its life."""


class Move(NamedTuple):
    """One task's move, as the story remembers it."""

    task_id: str
    at: datetime
    by: Actor
    before: Standing
    after: Standing

    def told(self) -> str:
        """The move in words."""
        before, after = (
            "/".join(each) if each else "nothing" for each in (self.before, self.after)
        )
        return f"{self.at:%H:%M:%S.%f} {self.by} {before}->{after}"


class Story:
    """The remembered moves of all tasks, oldest first."""

    def __init__(self) -> None:
        self._moves: deque[Move] = deque(maxlen=STORY_LENGTH)

    def of(self, task_id: str) -> list[str]:
        """The moves of one task in words."""
        return [move.told() for move in self._moves if move.task_id == task_id]

    def remember(self, event: Event, by: Actor, now: datetime) -> None:
        """Take in what an event did to a task; an event that moves none is no part of it."""
        task, old = event.obj, event.old
        if not isinstance(task, Task):
            return
        before = None
        if isinstance(old, Task) and event.action is Action.UPDATE:
            before = _standing(old.status.state, old.desired_state)
            if before == _standing(task.status.state, task.desired_state):
                return
        after = None
        if event.action is not Action.REMOVE:
            after = _standing(task.status.state, task.desired_state)
        self._moves.append(Move(task.id, now, by, before, after))


@cache
def _standing(state: TaskState, desired: TaskState) -> Standing:
    """One value for all tasks that stand alike: thousands of moves are remembered, and there are few standings."""
    return state, desired
