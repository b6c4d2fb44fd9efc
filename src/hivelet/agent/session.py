"""The contract between an agent and its manager, as the agent sees it. On one node it is a call, on several mutual TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from hivelet.errors import HiveletError
from hivelet.objects.assignment import Assignments, SessionInfo, StatusUpdate
from hivelet.objects.common import NodeId
from hivelet.objects.node import NodeDescription


class SessionLost(HiveletError):
    """The session ended under the agent; it registers anew."""


class Dispatcher(Protocol):
    """What a manager offers to agents.

    Whatever is wrong with a session is raised as some `HiveletError`; the agent then registers anew after a moment. Tasks go on
    running all the while.
    """

    async def register(self, node_id: NodeId, description: NodeDescription) -> SessionInfo:
        """Begin a session; an older one of the same node ends. The node counts as ready from here on."""
        ...

    def assignments(self, session_id: str) -> AsyncIterator[Assignments]:
        """First everything, then every change. Only what can't be lost any more is assigned."""
        ...

    async def heartbeat(self, session_id: str) -> float:
        """Say that the agent lives; the answer is the number of seconds until the next one is due."""
        ...

    async def update_task_status(self, session_id: str, updates: Sequence[StatusUpdate]) -> None:
        """Report statuses. What the cluster knows better, or no longer knows, is ignored."""
        ...
