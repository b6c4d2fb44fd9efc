"""All doors together: what the API stands in front of."""

from __future__ import annotations

from dataclasses import dataclass

from hivelet.api.backend.backups import BackupBackend
from hivelet.api.backend.engine import EngineBackend
from hivelet.api.backend.metrics import MetricsBackend
from hivelet.api.backend.swarm import SwarmBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """The backends of one API; without metrics or backups their routes say that there are none."""

    swarm: SwarmBackend
    engine: EngineBackend
    metrics: MetricsBackend | None = None
    backups: BackupBackend | None = None
