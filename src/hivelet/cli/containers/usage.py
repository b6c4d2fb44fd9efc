"""From a container's counters to the columns of `stats`. Pure."""

from __future__ import annotations

from typing import Any, TypeAlias

from hivelet.cli.render.human import binary_size, human_size, truncate_id
from hivelet.cli.render.listing import Row, View
from hivelet.cli.top.usage import cpu_percent, memory_in_use

Json: TypeAlias = dict[str, Any]

NOTHING = "--"
STATS = View(
    headers={
        "Container": "CONTAINER",
        "ID": "CONTAINER ID",
        "Name": "NAME",
        "CPUPerc": "CPU %",
        "MemUsage": "MEM USAGE / LIMIT",
        "MemPerc": "MEM %",
        "NetIO": "NET I/O",
        "BlockIO": "BLOCK I/O",
        "PIDs": "PIDS",
    },
    table=("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"),
)


def stats_row(ref: str, before: Json | None, now: Json | None, *, trunc: bool) -> Row:
    """The row of a container: dashes where its counters are not known."""
    if before is None or now is None:
        unknown = dict.fromkeys(STATS.headers, NOTHING)
        return {
            **unknown,
            "Container": ref,
            "MemUsage": f"{NOTHING} / {NOTHING}",
            "Name": NOTHING,
            "ID": NOTHING,
        }
    identity = str(now.get("id", ""))
    memory, limit = memory_in_use(now), int((now.get("memory_stats") or {}).get("limit", 0))
    received, sent = _network(now)
    read, written = _blocks(now)
    return {
        "Container": ref,
        "ID": truncate_id(identity) if trunc else identity,
        "Name": str(now.get("name", "")).removeprefix("/"),
        "CPUPerc": f"{cpu_percent(before, now) or 0:.2f}%",
        "MemUsage": f"{binary_size(memory)} / {binary_size(limit)}",
        "MemPerc": f"{100 * memory / limit if limit else 0:.2f}%",
        "NetIO": f"{human_size(received)} / {human_size(sent)}",
        "BlockIO": f"{human_size(read)} / {human_size(written)}",
        "PIDs": str((now.get("pids_stats") or {}).get("current", 0)),
    }


def _network(reading: Json) -> tuple[int, int]:
    links = (reading.get("networks") or {}).values()
    received = sum(int(link.get("rx_bytes", 0)) for link in links)
    return received, sum(int(link.get("tx_bytes", 0)) for link in links)


def _blocks(reading: Json) -> tuple[int, int]:
    entries = (reading.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    sums = {
        verb: sum(int(e.get("value", 0)) for e in entries if str(e.get("op", "")).lower() == verb)
        for verb in ("read", "write")
    }
    return sums["read"], sums["write"]
