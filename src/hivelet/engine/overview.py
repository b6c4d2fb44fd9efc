"""What the engine says of itself as a whole: its version, its node, how much it has, and what is wrong at the moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivelet.engine.database import Database
from hivelet.engine.readings.shortages import read_shortages
from hivelet.engine.registry import Registry
from hivelet.engine.system import EngineFacts, build_info, describe_node, read_machine, read_version
from hivelet.engine.volumes.local import Volumes
from hivelet.kit.clock import Clock
from hivelet.network.plane import NetworkPlane
from hivelet.objects.engine import EngineInfo, EngineVersion, RuntimeInfo
from hivelet.objects.node import NodeDescription
from hivelet.objects.task import GenericResource
from hivelet.runtime.cgroupfs import CgroupTree
from hivelet.runtime.commands import OciRuntime
from hivelet.runtime.images.registries import InsecureRegistries
from hivelet.runtime.images.store import ImageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewParts:
    """What is asked for it."""

    root: Path
    run: Path
    runtime: OciRuntime
    labels: Mapping[str, str]
    generic_resources: Sequence[GenericResource]
    insecure: InsecureRegistries
    cgroups: CgroupTree
    plane: NetworkPlane
    images: ImageStore
    volumes: Volumes
    registry: Registry
    database: Database
    clock: Clock


class OverviewActions:
    """The side of the engine that tells of all others."""

    def __init__(self, parts: OverviewParts) -> None:
        self._parts = parts
        self.node_id: Callable[[], str] = str
        self.faults: list[Callable[[], str]] = []
        """Who is asked for what is wrong at the moment, "" for nothing; `docker info` warns of it."""

    async def describe(self) -> NodeDescription:
        """What the agent says of this node."""
        return describe_node(read_machine(), self._parts.labels, self._parts.generic_resources)

    async def version(self) -> EngineVersion:
        """The engine's version and those of its parts."""
        runtime = self._parts.runtime
        return await read_version(read_machine(), {runtime.name: runtime.version})

    async def info(self) -> EngineInfo:
        """The node, save its swarm part."""
        runtime = self._parts.runtime
        findings = await self._parts.plane.findings()
        counts = {
            "running": 0,
            "paused": 0,
            "stopped": 0,
            "images": len(await self._parts.images.list_images()),
        }
        for record in self._parts.registry.all():
            status = record.container.state.status
            counts[status if status in ("running", "paused") else "stopped"] += 1
        return build_info(
            read_machine(),
            EngineFacts(
                node_id=self.node_id(),
                root=self._parts.root,
                counts=counts,
                runtime=RuntimeInfo(path=runtime.path, version=runtime.version),
                runtime_name=runtime.name,
                warnings=[
                    *(f"WARNING: {f.meaning} {f.repair}" for f in findings),
                    *(f"WARNING: {fault}" for fault in self._present_faults()),
                ],
                now=self._parts.clock.now(),
                node=await self.describe(),
                swap_limit=self._parts.cgroups.swap_limit(),
                insecure=self._parts.insecure,
            ),
        )

    async def census(self) -> tuple[Mapping[str, int], int, int]:
        """Containers by state, images and volumes: what is cheap to count."""
        states = Counter(record.container.state.status for record in self._parts.registry.all())
        return states, len(await self._parts.images.list_images()), len(self._parts.volumes.list())

    def _present_faults(self) -> list[str]:
        told = [tell() for tell in (*self.faults, self._database_fault)]
        return [*filter(None, told), *read_shortages(self._parts.root, self._parts.run)]

    def _database_fault(self) -> str:
        failure = self._parts.database.failure
        return failure and f"the engine's database can't be written ({failure}); it is tried again."
