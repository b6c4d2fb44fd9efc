"""A node's engine in memory behind the API: what a test puts in is what it has; nothing runs.

For tests of the API and of clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from hivelet.convert.lookup import find
from hivelet.errors import Conflict, NotFound, System, Unauthorized
from hivelet.kit.ids import new_hex_id
from hivelet.objects.build import BuildPrune, BuildPruneRequest
from hivelet.objects.common import ContainerId, NetworkId, TaskId
from hivelet.objects.container import ContainerCreate, HostConfig
from hivelet.objects.engine import (
    BackendTraffic,
    Container,
    ContainerStats,
    DiskUsage,
    EndpointSettings,
    EngineInfo,
    EngineVersion,
    ExitResult,
    NetworkContainer,
    NodeNetwork,
    ProcessTable,
)
from hivelet.objects.event import Event
from hivelet.objects.exec import Exec, ExecConfig, ExecStart
from hivelet.objects.files import CommitRequest, FileChange, PathStat
from hivelet.objects.image import (
    Image,
    ImageHistory,
    ImageImport,
    ImageProgress,
    ImagePrune,
    ImageRemoval,
    RegistryAuth,
    RegistryImage,
)
from hivelet.objects.log import STDOUT, LogOptions, LogRecord
from hivelet.objects.network import NetworkSpec
from hivelet.objects.streams import AttachWish
from hivelet.objects.volume import Volume, VolumeRequest


class FakeStreams:
    """A process's streams that say each input again in capitals. `ending` says how a client has left."""

    def __init__(self, *, tty: bool, takes_input: bool) -> None:
        self.tty = tty
        self.takes_input = takes_input
        self.ending = ""
        self.closed = False
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        if not takes_input:
            self._said.put_nowait(b"hello\n")
            self._said.put_nowait(b"")

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What was put in, in capitals."""
        while data := await self._said.get():
            yield STDOUT, data

    async def write(self, data: bytes) -> bool:
        """Take it."""
        self._said.put_nowait(data.upper())
        return True

    def close_input(self) -> None:
        """The end of output, too."""
        self._said.put_nowait(b"")

    def detached(self) -> None:
        """Remembered."""
        self.ending = "detached"

    def close(self) -> None:
        """Remembered."""
        self.closed = True


class FakeEngine:
    """An `EngineBackend` in memory. `calls` remembers what was done to containers; `registry` what it would answer."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.containers: dict[str, Container] = {}
        self.images: dict[str, Image] = {}
        self.networks: dict[str, NodeNetwork] = {}
        self.attached: dict[str, dict[str, NetworkContainer]] = {}
        self.traffic: dict[TaskId, BackendTraffic] = {}
        self.volumes: dict[str, Volume] = {}
        self.logs: dict[str, list[LogRecord]] = {}
        self.registry: dict[str, RegistryImage] = {}
        self.credentials: dict[str, str] = {}
        self.history: list[Event] = []
        self.execs: dict[str, Exec] = {}
        self.files: dict[str, bytes] = {}
        self.streams: FakeStreams | None = None
        self.received: list[bytes] = []
        self.calls: list[tuple[object, ...]] = []
        self.exits: dict[str, ExitResult] = {}
        self.follow_forever = asyncio.Event()
        self.opened_streams = 0
        self.closed_streams = 0

    # -- containers

    async def list_containers(self, *, size: bool = False) -> Sequence[Container]:
        """All containers."""
        return [self._sized(container, size) for container in self.containers.values()]

    async def get_container(self, ref: str, *, size: bool = False) -> Container:
        """One container."""
        try:
            found = find(ref, self.containers.values(), lambda c: (c.id, c.name), noun="container")
        except NotFound as error:
            raise NotFound(f"No such container: {ref}") from error
        return self._sized(found, size)

    async def start_container(self, ref: str) -> bool:
        """True unless it runs."""
        self.calls.append(("start", ref))
        return not (await self.get_container(ref)).state.running

    async def stop_container(self, ref: str, *, timeout: int | None, signal: str = "") -> bool:
        """True where it runs."""
        self.calls.append(("stop", ref, timeout, signal))
        return (await self.get_container(ref)).state.running

    async def restart_container(self, ref: str, *, timeout: int | None, signal: str = "") -> None:
        """Only remembered."""
        self.calls.append(("restart", (await self.get_container(ref)).id, timeout, signal))

    async def kill_container(self, ref: str, signal: str) -> None:
        """Only remembered."""
        self.calls.append(("kill", (await self.get_container(ref)).id, signal))

    async def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """Forget it, a running one only by force."""
        container = await self.get_container(ref)
        if container.state.running and not force:
            raise Conflict(f"You cannot remove a running container {container.id}.")
        self.calls.append(("remove", container.id, force, volumes))
        del self.containers[container.id]

    async def remove_link(self, name: str) -> None:
        """Remember it."""
        self.calls.append(("remove_link", name))

    async def wait_container(self, ref: str, condition: str) -> AsyncIterator[ExitResult | None]:
        """What `exits` has for it."""
        container = await self.get_container(ref)
        yield None
        yield self.exits.get(container.id, ExitResult())

    async def container_logs(
        self, ref: str, options: LogOptions
    ) -> AsyncGenerator[LogRecord, None]:
        """What `logs` has for it; a follower then waits for `follow_forever`."""
        container = await self.get_container(ref)
        try:
            for record in self.logs.get(container.id, []):
                yield record
            if options.follow:
                await self.follow_forever.wait()
        finally:
            self.closed_streams += 1

    async def container_log_batches(
        self, ref: str, options: LogOptions
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """The same, one at a time."""
        async with aclosing(self.container_logs(ref, options)) as records:
            async for record in records:
                yield [record]

    async def container_top(self, ref: str, ps_args: str) -> ProcessTable:
        """One process."""
        await self.get_container(ref)
        return ProcessTable(titles=["PID", "CMD"], processes=[["1", ps_args]])

    async def container_stats(self, ref: str, *, stream: bool) -> AsyncIterator[ContainerStats]:
        """Readings a second apart, three at most."""
        await self.get_container(ref)
        for number in range(3 if stream else 1):
            yield ContainerStats(
                read=self.moment + timedelta(seconds=number), cpu_total=number * 10**9
            )

    async def prune_containers(self, refs: Sequence[str]) -> tuple[Sequence[ContainerId], int]:
        """Forget them."""
        gone = [self.containers.pop(ref).id for ref in refs]
        return gone, 0

    # -- by hand

    async def create_container(
        self, name: str, given: ContainerCreate
    ) -> tuple[ContainerId, list[str]]:
        """Keep it, created."""
        await self.get_image(given.image)
        container = Container(
            id=ContainerId(new_hex_id()),
            name=name or "calm_comb",
            created=self.moment,
            image=given.image,
            host_config=given.host_config,
        )
        self.containers[container.id] = container
        return container.id, []

    async def attach_container(self, ref: str, wish: AttachWish) -> FakeStreams:
        """Streams that say each input again in capitals."""
        container = await self.get_container(ref)
        self.streams = FakeStreams(tty=container.config.tty, takes_input=wish.stdin)
        return self.streams

    async def resize_container(self, ref: str, height: int, width: int) -> None:
        """Only remembered."""
        self.calls.append(("resize", (await self.get_container(ref)).id, height, width))

    async def pause_container(self, ref: str) -> None:
        """Only remembered."""
        self.calls.append(("pause", (await self.get_container(ref)).id))

    async def unpause_container(self, ref: str) -> None:
        """Only remembered."""
        self.calls.append(("unpause", (await self.get_container(ref)).id))

    async def rename_container(self, ref: str, name: str) -> None:
        """Keep the name."""
        container = await self.get_container(ref)
        self.containers[container.id] = container.replaced(name=name)

    async def update_container(
        self, ref: str, given: HostConfig, named: frozenset[str]
    ) -> list[str]:
        """Only remembered."""
        self.calls.append(("update", (await self.get_container(ref)).id, given, named))
        return []

    # -- files

    async def stat_path(self, ref: str, path: str) -> PathStat:
        """A file of the bytes that `files` has."""
        data = self._file(await self.get_container(ref), path)
        return PathStat(
            name=path.rpartition("/")[2], size=len(data), mode=0o100644, mtime=self.moment
        )

    async def read_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        """The bytes, and no tar."""
        yield self._file(await self.get_container(ref), path)

    async def write_archive(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool,
        as_user: bool,
    ) -> None:
        """Keep the bytes."""
        await self.get_container(ref)
        self.files[path] = b"".join([chunk async for chunk in archive])
        self.calls.append(("copy", path, keep_kinds, as_user))

    async def list_changes(self, ref: str) -> Sequence[FileChange]:
        """All files are new."""
        await self.get_container(ref)
        return [FileChange(path=path, kind=1) for path in self.files]

    async def export_container(self, ref: str) -> AsyncIterator[bytes]:
        """All bytes."""
        await self.get_container(ref)
        for data in self.files.values():
            yield data

    async def commit_container(self, request: CommitRequest) -> str:
        """Only remembered."""
        await self.get_container(request.container)
        self.calls.append(("commit", request))
        return f"sha256:{new_hex_id()}"

    def _file(self, container: Container, path: str) -> bytes:
        if path not in self.files:
            raise NotFound(f"Could not find the file {path} in container {container.name}")
        return self.files[path]

    # -- execs

    async def create_exec(self, ref: str, config: ExecConfig) -> str:
        """Note it."""
        container = await self.get_container(ref)
        found = Exec(id=new_hex_id(), container_id=container.id, config=config)
        self.execs[found.id] = found
        return found.id

    async def get_exec(self, exec_id: str) -> Exec:
        """One exec."""
        if exec_id not in self.execs:
            raise NotFound(f"No such exec instance: {exec_id}")
        return self.execs[exec_id]

    async def check_exec(self, exec_id: str) -> None:
        """Refuse one that was started."""
        if (await self.get_exec(exec_id)).started:
            raise Conflict(f"Error: Exec command {exec_id} has already run")

    async def start_exec(self, exec_id: str, start: ExecStart) -> FakeStreams | None:
        """One that answers its input in capitals, and ends with it."""
        found = await self.get_exec(exec_id)
        self.execs[exec_id] = found.replaced(started=True, exit_code=0)
        if start.detach:
            return None
        self.streams = FakeStreams(tty=found.config.tty, takes_input=found.config.attach_stdin)
        return self.streams

    async def resize_exec(self, exec_id: str, height: int, width: int) -> None:
        """Only remembered."""
        self.calls.append(("resize", exec_id, height, width))

    # -- images

    async def list_images(self) -> Sequence[Image]:
        """All images."""
        return list(self.images.values())

    async def get_image(self, ref: str) -> Image:
        """By id or tag."""
        for image in self.images.values():
            if image.id == ref or ref in image.repo_tags or f"{ref}:latest" in image.repo_tags:
                return image
        raise NotFound(f"No such image: {ref}")

    async def image_history(self, ref: str) -> Sequence[ImageHistory]:
        """One step."""
        image = await self.get_image(ref)
        return [ImageHistory(id=image.id, created=image.created, size=image.size)]

    async def pull_image(
        self, reference: str, *, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[ImageProgress]:
        """Two words where the registry has it; the error comes first or, for "broken…", in the middle."""
        self.calls.append(("pull", reference, platform, auth))
        if reference.startswith("broken"):
            yield ImageProgress(status="Pulling fs layer", id="abc")
            raise System("the connection to the registry broke")
        if reference not in self.registry:
            raise NotFound(f"pull access denied for {reference}")
        yield ImageProgress(status="Downloading", id="abc", current=1, total=2)
        yield ImageProgress(status=f"Status: Downloaded newer image for {reference}")

    async def import_image(self, archive: AsyncIterator[bytes], request: ImageImport) -> str:
        """Keep the bytes in `received` and an image of that name."""
        self.received.append(b"".join([chunk async for chunk in archive]))
        image = Image(
            id=f"sha256:{new_hex_id()}", repo_tags=[request.reference], created=self.moment
        )
        self.images[image.id] = image
        return image.id

    async def load_images(self, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Keep the bytes in `received`."""
        self.received.append(b"".join([chunk async for chunk in archive]))
        yield "loaded:latest"

    async def save_images(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """Each name as a chunk."""
        for ref in refs:
            yield (await self.get_image(ref)).id.encode()

    async def tag_image(self, ref: str, target: str) -> None:
        """Add the tag."""
        image = await self.get_image(ref)
        self.images[image.id] = image.replaced(repo_tags=[*image.repo_tags, target])

    async def remove_image(self, ref: str, *, force: bool, prune: bool) -> Sequence[ImageRemoval]:
        """Forget it."""
        image = await self.get_image(ref)
        del self.images[image.id]
        return [ImageRemoval(untagged=ref), ImageRemoval(deleted=image.id)]

    async def prune_images(self, refs: Sequence[str]) -> ImagePrune:
        """Forget them."""
        gone = [self.images.pop(ref) for ref in refs]
        return ImagePrune(removals=[ImageRemoval(deleted=image.id) for image in gone])

    async def prune_build_cache(self, rule: BuildPruneRequest) -> BuildPrune:
        """Say what was asked for: there are two steps, of which one is an image of this node."""
        gone = ["step1", "step2"] if rule.everything else ["step1"]
        return BuildPrune(deleted=gone, space_reclaimed=100 * len(gone))

    async def registry_image(
        self, reference: str, auth: RegistryAuth | None = None
    ) -> RegistryImage:
        """What `registry` has."""
        if reference not in self.registry:
            raise System(f"the registry of {reference} cannot be reached")
        return self.registry[reference]

    async def authenticate(self, auth: RegistryAuth) -> str:
        """Whoever is in `credentials`."""
        if self.credentials.get(auth.username) != auth.password:
            raise Unauthorized("incorrect username or password")
        return ""

    # -- networks

    async def list_node_networks(self) -> Sequence[NodeNetwork]:
        """All networks of the node."""
        return list(self.networks.values())

    async def get_node_network(self, ref: str) -> NodeNetwork:
        """One network of the node."""
        return find(ref, self.networks.values(), lambda n: (n.id, n.name), noun="network")

    async def network_containers(self, network_id: NetworkId) -> Mapping[str, NetworkContainer]:
        """What `attached` has."""
        return self.attached.get(network_id, {})

    async def task_traffic(self, tasks: Collection[TaskId]) -> Mapping[TaskId, BackendTraffic]:
        """What `traffic` has."""
        return {task: self.traffic[task] for task in tasks if task in self.traffic}

    async def create_node_network(self, spec: NetworkSpec) -> NetworkId:
        """Keep a network."""
        network = NodeNetwork(
            id=NetworkId(new_hex_id()),
            name=spec.name,
            created=self.moment,
            driver=spec.driver_configuration.name,
            options=spec.driver_configuration.options,
            labels=spec.annotations.labels,
        )
        self.networks[network.id] = network.replaced(ipam=spec.ipam or network.ipam)
        return network.id

    async def remove_node_network(self, ref: str) -> None:
        """Forget it."""
        del self.networks[(await self.get_node_network(ref)).id]

    async def connect_network(self, ref: str, container: str, settings: EndpointSettings) -> None:
        """Only remembered."""
        self.calls.append(("connect", ref, container, settings))

    async def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        """Only remembered."""
        self.calls.append(("disconnect", ref, container, force))

    # -- volumes and the rest

    async def list_volumes(self) -> Sequence[Volume]:
        """All volumes."""
        return list(self.volumes.values())

    async def get_volume(self, name: str) -> Volume:
        """One volume."""
        if name not in self.volumes:
            raise NotFound(f"get {name}: no such volume")
        return self.volumes[name]

    async def create_volume(self, request: VolumeRequest) -> Volume:
        """Keep a volume."""
        name = request.name or new_hex_id()
        volume = Volume(
            name=name, created_at=self.moment, labels=request.labels, anonymous=not request.name
        )
        return self.volumes.setdefault(name, volume)

    async def remove_volume(self, name: str, *, force: bool) -> None:
        """Forget it."""
        if name in self.volumes or not force:
            del self.volumes[(await self.get_volume(name)).name]

    async def prune_volumes(self, names: Sequence[str]) -> tuple[Sequence[str], int]:
        """Forget them."""
        for name in names:
            del self.volumes[name]
        return names, 0

    async def version(self) -> EngineVersion:
        """A fixed one."""
        return EngineVersion(version="0.1.0", kernel_version="6.1", components={"runc": "1.1.5"})

    async def info(self) -> EngineInfo:
        """A fixed one with true counts."""
        running = sum(container.state.running for container in self.containers.values())
        return EngineInfo(
            id="fake",
            name="node-1",
            server_version="0.1.0",
            containers=len(self.containers),
            containers_running=running,
            containers_stopped=len(self.containers) - running,
            images=len(self.images),
            cpus=2,
            memory_total=1 << 30,
        )

    async def disk_usage(self) -> DiskUsage:
        """Everything, without sizes."""
        return DiskUsage(
            images=list(self.images.values()),
            containers=list(self.containers.values()),
            volumes=list(self.volumes.values()),
        )

    def note_prune(self, kind: str, reclaimed: int) -> None:
        """Only remembered."""
        self.calls.append(("prune", kind, reclaimed))

    async def engine_events(
        self, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Event]:
        """The history, then silence until the reader leaves (at once, if `until` was given)."""
        self.opened_streams += 1
        try:
            for event in self.history:
                if since is not None and event.at >= since and (until is None or event.at <= until):
                    yield event
            if until is None:
                await asyncio.Event().wait()
        finally:
            self.closed_streams += 1

    @staticmethod
    def _sized(container: Container, size: bool) -> Container:
        return container.replaced(size_rw=0, size_root_fs=1000) if size else container
