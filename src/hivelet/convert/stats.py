"""A container's counters in the shape that `docker stats` computes its percentages from."""

from __future__ import annotations

from hivelet.convert.shape import ZERO_TIME, Json, encode, rfc3339
from hivelet.objects.engine import Container, ContainerStats, ProcessTable

_NO_CPU: Json = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}

_BLOCKS = (
    "io_service_bytes_recursive", "io_serviced_recursive", "io_queue_recursive", "io_service_time_recursive",
    "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive", "sectors_recursive",
)  # fmt: skip


def encode_stats(container: Container, now: ContainerStats, before: ContainerStats | None) -> Json:
    """One reading together with the one before it, which clients need for rates."""
    if not container.state.running:
        return _encode_nothing(container)
    blocks = [("read", now.block_read), ("write", now.block_written)]
    return {
        "read": rfc3339(now.read),
        "preread": ZERO_TIME if before is None else rfc3339(before.read),
        "pids_stats": {"current": now.pids} | ({"limit": now.pids_limit} if now.pids_limit else {}),
        "blkio_stats": dict.fromkeys(_BLOCKS, ())
        | {
            "io_service_bytes_recursive": [
                {"major": 0, "minor": 0, "op": word, "value": value} for word, value in blocks
            ]
        },
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _encode_cpu(now),
        "precpu_stats": _NO_CPU if before is None else _encode_cpu(before),
        "memory_stats": {
            "usage": now.memory_usage,
            "max_usage": now.memory_max,
            "stats": now.memory,
            "limit": now.memory_limit,
        },
        "name": f"/{container.name}",
        "id": container.id,
        "networks": encode(now.networks),
    }


def _encode_nothing(container: Container) -> Json:
    """Of a container that does not run Docker tells that there is nothing to tell."""
    return {
        "read": ZERO_TIME,
        "preread": ZERO_TIME,
        "pids_stats": {},
        "blkio_stats": dict.fromkeys(_BLOCKS),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _NO_CPU,
        "precpu_stats": _NO_CPU,
        "memory_stats": {},
        "name": f"/{container.name}",
        "id": container.id,
    }


def encode_processes(table: ProcessTable) -> Json:
    """What `GET /containers/{id}/top` answers."""
    return {"Titles": table.titles, "Processes": table.processes}


def _encode_cpu(stats: ContainerStats) -> Json:
    return {
        "cpu_usage": {
            "total_usage": stats.cpu_total,
            "usage_in_kernelmode": stats.cpu_kernel,
            "usage_in_usermode": stats.cpu_user,
        }
        | ({"percpu_usage": stats.cpu_each} if stats.cpu_each else {}),
        "system_cpu_usage": stats.cpu_system,
        "online_cpus": stats.online_cpus,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
