"""What can be done to a container while it lives: paused, attached to, resized, given other limits, held still.

Note the difference to `hivelet.engine.life.lifecycle`, which is built on this one and knows how a container comes and goes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from hivelet.engine.create import check_limits
from hivelet.engine.provision import LifecycleParts
from hivelet.engine.registry import Record
from hivelet.engine.system import read_machine
from hivelet.errors import Conflict, HiveletError, NotFound, System
from hivelet.objects.common import ContainerId, NetworkId
from hivelet.objects.container import HostConfig
from hivelet.runtime.attach import Attachment
from hivelet.runtime.cgroups import linux_resources


class Living:
    """The containers of this node as they are now. One thing at a time is done to each: whoever changes it holds its lock."""

    def __init__(self, parts: LifecycleParts) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._locks: defaultdict[ContainerId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._attaching: dict[ContainerId, list[asyncio.Future[Attachment]]] = {}
        self._hung_up: set[ContainerId] = set()

    async def pause(self, container_id: ContainerId) -> None:
        """Freeze all of its processes.

        Raises:
            Conflict: it does not run, or is paused already.
        """
        async with self._locks[container_id]:
            record = self._current(container_id)
            state = record.container.state
            if not state.running:
                raise Conflict(f"Container {container_id} is not running")
            if state.paused:
                raise Conflict(f"Container {container_id} is already paused")
            await self._parts.runtime.pause(container_id)
            self._registry.write(record.with_state(state.replaced(status="paused", paused=True)))
            await self._registry.written()
            self.publish(record, "pause")

    async def unpause(self, container_id: ContainerId) -> None:
        """Let a paused container go on.

        Raises:
            System: it is not paused (Docker's category for it).
        """
        async with self._locks[container_id]:
            record = self._current(container_id)
            state = record.container.state
            if not state.paused:
                raise System(f"Container {container_id} is not paused")
            await self._parts.runtime.resume(container_id)
            self._registry.write(record.with_state(state.replaced(status="running", paused=False)))
            await self._registry.written()
            self.publish(record, "unpause")

    async def update(self, container_id: ContainerId, host: HostConfig) -> None:
        """Give it other limits, at once where it runs.

        Raises:
            InvalidParameter: the machine does not have so much.
        """
        check_limits(host, read_machine().cpus)
        async with self._locks[container_id]:
            record = self._current(container_id)
            if record.container.state.running:
                limits = linux_resources(
                    host,
                    cgroup_version=self._parts.facts.cgroup_version,
                    swap_limit=self._parts.facts.swap_limit,
                    devices=(),
                )
                limits.pop("devices", None)
                await self._parts.runtime.update(container_id, limits)
            changed = record.container.replaced(host_config=host)
            record = record.replaced(container=changed)
            await self._registry.keep(record)
            self.publish(record, "update")

    def attach(self, container_id: ContainerId) -> asyncio.Future[Attachment]:
        """Its first process's streams: at once, or from before its next start on."""
        ready: asyncio.Future[Attachment] = asyncio.get_running_loop().create_future()
        record = self._current(container_id)
        if record.container.state.running:
            try:
                ready.set_result(self._parts.runtime.attach(container_id))
            except Conflict as error:
                _fail(ready, error)
        else:
            waiting = self._attaching.get(container_id, [])
            self._attaching[container_id] = [*(one for one in waiting if not one.done()), ready]
        return ready

    def hang_up(self, container_id: ContainerId) -> None:
        """The client whose input was to be the container's has left before it began: it begins with none (Docker)."""
        if self._registry.get(container_id) is not None:
            self._hung_up.add(container_id)

    async def resize(self, container_id: ContainerId, height: int, width: int) -> None:
        """Set the size of its terminal.

        Raises:
            Conflict: it does not run.
        """
        record = self._current(container_id)
        if not record.container.state.running:
            raise Conflict(f"Container {container_id} is not running")
        self._parts.runtime.resize(container_id, height, width)
        self.publish(record, "resize", height=str(height), width=str(width))

    @asynccontextmanager
    async def still(self, container_id: ContainerId) -> AsyncIterator[Record]:
        """The container as it is; one that does not run does not start, and is not removed, meanwhile."""
        record = self._current(container_id)
        if record.container.state.running:
            yield record
            return
        async with self._locks[container_id]:
            yield self._current(container_id)

    def publish(self, record: Record, action: str, **more: str) -> None:
        """Tell the world of an event of a container."""
        container = record.container
        attributes = (
            {"image": container.image, "name": container.name} | container.config.labels | more
        )
        self._parts.events.publish("container", action, record.id, attributes)

    def publish_volumes(self, record: Record, action: str) -> None:
        """Tell that a container has mounted its volumes, or has let go of them."""
        for point in record.container.mounts:
            if point.type != "volume":
                continue
            attributes = {"container": record.id, "driver": point.driver or "local"}
            if action == "mount":
                attributes |= {
                    "destination": point.destination,
                    "propagation": point.propagation,
                    "read/write": str(point.rw).lower(),
                }
            self._parts.events.publish("volume", action, point.name, attributes)

    def publish_networks(
        self, record: Record, action: str, names: Collection[str] | None = None
    ) -> None:
        """Tell that a container has joined its networks, or these of them, or left them."""
        for name, settings in record.container.networks.items():
            if names is None or name in names:
                kind = network_type(record, settings.network_id, name)
                self._parts.events.publish(
                    "network",
                    action,
                    settings.network_id,
                    {"container": record.id, "name": name, "type": kind},
                )

    def _current(self, container_id: ContainerId) -> Record:
        record = self._registry.get(container_id)
        if record is None or record.removing:
            raise NotFound(f"No such container: {container_id}")
        return record

    def _let_attach(self, container_id: ContainerId) -> None:
        """The container is made and has not begun: whoever waits for its streams gets them from their beginning."""
        for ready in self._attaching.pop(container_id, []):
            if not ready.done():
                ready.set_result(self._parts.runtime.attach(container_id))
        if container_id in self._hung_up:
            self._hung_up.discard(container_id)
            self._parts.runtime.attach(container_id).close()

    def _give_up(self, container_id: ContainerId, error: HiveletError) -> None:
        """Whoever attaches waits in vain."""
        self._hung_up.discard(container_id)
        for ready in self._attaching.pop(container_id, []):
            if not ready.done():
                _fail(ready, error)


def network_type(record: Record, network_id: NetworkId, name: str) -> str:
    """The driver of a network that a container is in."""
    kinds = {leg.network.id: leg.network.kind for leg in record.legs}
    if (kind := kinds.get(network_id)) is None:
        return {"none": "null"}.get(name, name)
    return "overlay" if kind in ("overlay", "ingress") else "bridge"


def _fail(ready: asyncio.Future[Attachment], error: HiveletError) -> None:
    """Nobody need have looked: an attachment that is not waited for is no error of ours."""
    ready.set_exception(error)
    ready.exception()
