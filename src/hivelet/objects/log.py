"""Lines that containers have written, and what a reader wants of them. Moments are nanoseconds since 1970."""

from __future__ import annotations

from hivelet.objects.common import ContainerId, NodeId, ServiceId, Struct, TaskId

STDOUT = 1
"""The stream's number in Docker's multiplexed format."""

STDERR = 2
"""The stream's number in Docker's multiplexed format."""


class LogRecord(Struct, frozen=True, kw_only=True):
    """One line with its newline (or a part of a very long one, without)."""

    stream: int = STDOUT
    time_ns: int = 0
    line: bytes = b""


class LogOptions(Struct, frozen=True, kw_only=True):
    """Which records a reader wants. `tail` counts lines from the end, None means all; `until_ns` 0 means no end."""

    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    since_ns: int = 0
    until_ns: int = 0
    tail: int | None = None


class TaskLogRecord(Struct, frozen=True, kw_only=True):
    """A line and the task it comes from, as `docker service logs` shows it."""

    record: LogRecord
    node_id: NodeId
    service_id: ServiceId
    task_id: TaskId
    container_id: ContainerId = ContainerId("")
