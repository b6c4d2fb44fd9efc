"""What the API asks of the metrics."""

from __future__ import annotations

from typing import Protocol


class MetricsBackend(Protocol):
    """The page for Prometheus; `hivelet.metrics` is behind it."""

    async def render(self) -> bytes:
        """The page as it is now, in Prometheus's text format."""
        ...
