"""Which containers this node has: in memory for reading, in the engine's database for the next start.

Names are unique; a container is found by its id, its name or an unambiguous beginning of its id, in that order.
"""

from __future__ import annotations

from collections.abc import Iterable

from hivelet.engine.database import Database
from hivelet.engine.dependencies.known import FileReference
from hivelet.errors import Conflict, HiveletError, InvalidParameter, NotFound
from hivelet.objects.common import ContainerId, Struct, TaskId
from hivelet.objects.container import ContainerState, EndpointIpam, Mount
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.engine import Container
from hivelet.objects.log_fields import container_fields

_KIND = "container"


class LegRecord(Struct, frozen=True, kw_only=True):
    """A container's place in one network, as it was asked for; an empty address lets the network plane choose.

    In a network of the cluster the addresses are the allocator's: a task's for its whole life, another container's while it
    runs.
    """

    network: BridgeNetwork
    address: str = ""
    address6: str = ""
    aliases: list[str] = []
    asked: EndpointIpam = EndpointIpam()
    """The addresses that the user named."""
    mac_address: str = ""
    links: list[str] = []
    """Other containers that this one knows in this network by a name of its own, as `NAME:ALIAS`."""
    driver_opts: dict[str, str] = {}
    priority: int = 0
    named: bool = False
    """Whether a user named the network; `docker_gwbridge` mostly is only the way out of others, which nobody is shown."""

    @property
    def shown(self) -> bool:
        """Whether it is one of the container's networks, for its user."""
        return self.named or self.network.kind != "gateway"


class Record(Struct, frozen=True, kw_only=True):
    """All that must be known of a container to run it, now or after a restart of the daemon.

    `removing` is written before anything of the container is taken down, so that a removal which a crash cut short
    is finished at the next start.
    """

    container: Container
    legs: list[LegRecord] = []
    task_id: TaskId = TaskId("")
    files: list[FileReference] = []
    borrowed: list[Mount] = []
    """What it mounts of others (`--volumes-from`), as it was when it was made."""
    removing: bool = False
    by_hand: bool = False
    """Stopped by the user: its restart policy does not start it again."""

    @property
    def id(self) -> ContainerId:
        """The container's id."""
        return self.container.id

    @property
    def log_fields(self) -> dict[str, str]:
        """What a log line says of it."""
        container = self.container
        return container_fields(container.id, container.name, self.task_id, container.config.labels)

    def with_state(self, state: ContainerState) -> Record:
        """The same container in another state."""
        return self.replaced(container=self.container.replaced(state=state))


class Registry:
    """The containers of this node."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records = {record.id: record for record in database.load(_KIND, Record)}
        self._ids = {r.container.name: r.id for r in self._records.values()}

    def all(self) -> list[Record]:
        """All containers, oldest first."""
        return list(self._records.values())

    def get(self, container_id: ContainerId) -> Record | None:
        """The container of exactly that id, or None."""
        return self._records.get(container_id)

    def of_task(self, task_id: TaskId) -> Record | None:
        """The container that was made for a task, or None."""
        return next((r for r in self._records.values() if r.task_id == task_id), None)

    def find(self, ref: str) -> Record:
        """The container that a user means.

        Raises:
            NotFound: there is none.
            InvalidParameter: `ref` begins several ids.
        """
        name = ref.removeprefix("/")
        exact = self._records.get(ContainerId(ref)) or self._records.get(
            self._ids.get(name, ContainerId(""))
        )
        if exact is not None:
            return exact
        near = [r for key, r in self._records.items() if ref and key.startswith(ref)]
        if len(near) > 1:
            raise InvalidParameter(
                f"multiple IDs found with provided prefix: {ref}; give more of the id"
            )
        if not near:
            raise NotFound(f"No such container: {ref}")
        return near[0]

    async def add(self, record: Record) -> None:
        """Take in a new container; nobody sees it before it is written, but its name is taken.

        Raises:
            Conflict: the name belongs to another one.
            System: it can't be written down; there is none.
        """
        name = record.container.name
        self._check_free(name)
        self._ids[name] = record.id
        try:
            await self._put(record)
        except BaseException:
            # Also where nobody waits for it any more.
            del self._ids[name]
            self._database.remove(_KIND, record.id)
            raise
        self._records[record.id] = record

    async def rename(self, record: Record, name: str) -> Record:
        """Give a container another name.

        Raises:
            Conflict: it belongs to another one.
            System: it can't be written down; it is as before.
        """
        self._check_free(name)
        renamed = record.replaced(container=record.container.replaced(name=name))
        self._ids[name] = record.id
        try:
            await self.keep(renamed)
        except HiveletError:
            self._ids.pop(name, None)
            raise
        self._ids.pop(record.container.name, None)
        return renamed

    def _check_free(self, name: str) -> None:
        holder = self._ids.get(name)
        if holder is not None:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )

    async def keep(self, record: Record) -> None:
        """Remember what somebody has asked for of a container.

        It is seen at once: what becomes of the container meanwhile is added to it, and neither overwrites the other.

        Raises:
            System: it can't be written down; it is as before.
        """
        before, self._records[record.id] = self._records[record.id], record
        try:
            await self._put(record)
        except HiveletError:
            if self._records.get(record.id) is record:
                self._records[record.id] = before
            raise

    async def _put(self, record: Record) -> None:
        # The cluster's state knows its tasks; what a user has made by hand is known nowhere else.
        await self._database.put(_KIND, record.id, record, forced=not record.task_id)

    async def written(self) -> None:
        """Return when the database has what was remembered until now: before what must not be seen, or done, without it."""
        await self._database.written()

    def write(self, record: Record) -> None:
        """Remember a container's new state, which is so whether it can be written down at the moment or not."""
        self._records[record.id] = record
        self._database.note(_KIND, record.id, record)

    def note(self, record: Record) -> None:
        """Remember what is not worth a write to the disk: it is lost when the daemon ends."""
        self._records[record.id] = record

    def forget(self, container_id: ContainerId) -> None:
        """A container is gone."""
        record = self._records.pop(container_id, None)
        if record is not None:
            self._ids.pop(record.container.name, None)
            self._database.remove(_KIND, container_id)

    def volume_users(self, name: str) -> tuple[str, ...]:
        """The ids of containers that mount a volume."""
        return tuple(
            r.id for r in self._records.values() if any(m.name == name for m in r.container.mounts)
        )

    def image_users(self) -> dict[str, list[str]]:
        """Which images containers were made from: image id → container ids."""
        users: dict[str, list[str]] = {}
        for record in self._records.values():
            users.setdefault(record.container.image_id, []).append(record.id)
        return users


def running(records: Iterable[Record]) -> list[Record]:
    """Those whose first process lives."""
    return [record for record in records if record.container.state.running]
