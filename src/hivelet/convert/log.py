"""Log records on the wire: Docker's multiplexed frames, timestamps, and the details that `service logs` relies on."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from hivelet.convert.shape import rfc3339_fixed
from hivelet.objects.log import LogRecord, TaskLogRecord

_HEADER = struct.Struct(">BxxxL")

MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
"""Content type of framed streams (API 1.42 and later)."""

RAW = "application/vnd.docker.raw-stream"
"""Content type of streams of containers with a terminal, and of every stream before API 1.42."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """How a reader wants lines: with their time, with details, and without frames where there is a terminal."""

    timestamps: bool = False
    details: bool = False
    raw: bool = False


def encode_record(record: LogRecord, form: LogFormat, details: Mapping[str, str]) -> bytes:
    """One record as the bytes that the client reads."""
    if not form.timestamps and not form.details:
        return record.line if form.raw else frame(record.stream, record.line)
    prefix = f"{rfc3339_fixed(record.time_ns)} " if form.timestamps else ""
    if form.details:
        prefix += ",".join(f"{key}={value}" for key, value in sorted(details.items())) + " "
    line = prefix.encode() + record.line
    return line if form.raw else frame(record.stream, line)


def frame(stream: int, payload: bytes) -> bytes:
    """A payload with Docker's header: the stream's number, three zeros, the length in four bytes."""
    return _HEADER.pack(stream, len(payload)) + payload


def task_details(entry: TaskLogRecord) -> dict[str, str]:
    """What the docker CLI needs to name the task that a line comes from."""
    return {
        "com.docker.swarm.node.id": entry.node_id,
        "com.docker.swarm.service.id": entry.service_id,
        "com.docker.swarm.task.id": entry.task_id,
    }
