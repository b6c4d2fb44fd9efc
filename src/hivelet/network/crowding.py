"""How full the kernel's table of connections is: read, and put into words. Writes nothing.

Every packet that hivelet leads anywhere belongs to a connection in that table, as it does on any host with a stateful firewall. Once
the table is full, the kernel drops what would begin another one; those that are in it go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hivelet.network.findings import Finding

_TABLE = Path("/proc/sys/net/netfilter")
_CROWDED, _RELAXED, _FULL = 0.9, 0.8, 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowding:
    """Connections in the table, and how many there may be."""

    used: int
    limit: int

    @property
    def full(self) -> bool:
        """Whether new connections, questions to resolvers among them, are or will soon be dropped."""
        return self.used >= self.limit * _FULL

    def is_crowded(self, *, before: bool = False) -> bool:
        """Whether it will soon be full; `before`, as it was called when it was looked at last, ends some way below."""
        return self.used > self.limit * (_RELAXED if before else _CROWDED)

    def describe(self) -> Finding:
        """What it means, and the way out."""
        return Finding(
            name="connections-crowded",
            meaning=f"The kernel tracks {self.used} of {self.limit} connections. Once the table is full, new connections are dropped "
            "without a word, to services, between them and to the outside; those that there are go on.",
            repair=f"Raise the limit (sysctl -w net.netfilter.nf_conntrack_max={self.limit * 2}), or find who opens so many "
            "(conntrack -L).",
        )


def read_crowding() -> Crowding | None:
    """As it is now in the host's network; None where the kernel tracks nothing."""
    try:
        used, limit = (
            int((_TABLE / name).read_text()) for name in ("nf_conntrack_count", "nf_conntrack_max")
        )
    except FileNotFoundError:
        return None
    return Crowding(used=used, limit=limit) if limit else None
