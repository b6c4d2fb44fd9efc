"""What the API asks of plain containers beyond what tasks' containers can do as well."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial

from hivelet.engine.create import CreateContainer
from hivelet.engine.life.lifecycle import Lifecycle
from hivelet.engine.log_keeper import policy_of
from hivelet.engine.plain.abilities import check_abilities, check_cpu
from hivelet.engine.plain.attach import LateStreams, Leave
from hivelet.engine.plain.links import check_links, without_link
from hivelet.engine.plain.names import new_name
from hivelet.engine.plain.ports import asked_ports
from hivelet.engine.plain.wish import (
    check_host,
    check_name,
    check_swap,
    split_create,
    warnings_for,
)
from hivelet.engine.registry import Registry
from hivelet.engine.volumes.mounts import borrow_mounts
from hivelet.errors import Conflict, InvalidParameter, NotFound
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerCreate, HostConfig, Mount
from hivelet.objects.streams import AttachWish
from hivelet.runtime.images.store import ImageStore

_NEW_NAME = "Error when allocating new name"


class PlainActions:
    """The side of the engine that `docker run` speaks to."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        registry: Registry,
        images: ImageStore,
        runtimes: Collection[str],
    ) -> None:
        self._plain_life = lifecycle
        self._plain = registry
        self._plain_images = images
        self._plain_runtimes = runtimes

    async def create_container(
        self, name: str, given: ContainerCreate
    ) -> tuple[ContainerId, list[str]]:
        """Make a container of an image that is here; the answer is its id, and warnings.

        Raises:
            NotFound: no such image.
            Conflict: the name is taken.
            InvalidParameter: the request cannot be a container.
        """
        taken = {record.container.name for record in self._plain.all()}
        name = check_name(name) if name else new_name(taken)
        config, host = split_create(given)
        asked_ports(config, host)
        check_abilities(
            host, runtimes=self._plain_runtimes, cpus=frozenset(os.sched_getaffinity(0))
        )
        try:
            image = await self._plain_images.resolve(config.image)
        except NotFound:
            shown = (
                config.image if ":" in config.image.rpartition("/")[2] else f"{config.image}:latest"
            )
            raise NotFound(f"No such image: {shown}") from None
        check_links(host, self._plain)
        legs = await self._plain_life.joins.legs(given, host)
        record = await self._plain_life.create(
            CreateContainer(
                name=name,
                config=config,
                host=host,
                image=image,
                legs=legs,
                borrowed=self._borrowed(host),
                plain=True,
            )
        )
        return record.id, warnings_for(host)

    def _borrowed(self, host: HostConfig) -> tuple[Mount, ...]:
        """What it mounts of the containers that it takes volumes from."""
        found: list[Mount] = []
        for entry in host.volumes_from:
            name, _, mode = entry.partition(":")
            try:
                lender = self._plain.find(name)
            except NotFound as error:
                raise InvalidParameter(error.message) from None
            found += borrow_mounts(lender.container, mode)
        return tuple(found)

    async def attach_container(self, ref: str, wish: AttachWish) -> LateStreams:
        """Its streams, from now on or from its start on.

        Raises:
            Conflict: it is paused or about to start again.
        """
        record = self._plain.find(ref)
        state = record.container.state
        if state.paused:
            raise Conflict(f"Container {record.id} is paused, unpause the container before attach")
        if state.restarting:
            raise Conflict(
                f"Container {record.id} is restarting, wait until the container is running"
            )
        config = record.container.config
        if wish.stdin and not config.open_stdin:
            wish = wish.replaced(stdin=False)

        def leave_early() -> None:
            if wish.stdin and config.stdin_once:
                self._plain_life.hang_up(record.id)

        ready = self._plain_life.attach(record.id)
        self._plain_life.publish(record, "attach")
        return LateStreams(
            wish,
            ready,
            tty=config.tty,
            log=self._plain_life.paths(record.id).log,
            log_files=policy_of(record.container).files,
            leave=Leave(
                detached=lambda: self._plain_life.publish(record, "detach"), early=leave_early
            ),
        )

    async def resize_container(self, ref: str, height: int, width: int) -> None:
        """Set the size of its terminal.

        Raises:
            Conflict: it does not run.
        """
        await self._plain_life.resize(self._plain.find(ref).id, height, width)

    async def pause_container(self, ref: str) -> None:
        """Freeze all of its processes."""
        await self._plain_life.pause(self._plain.find(ref).id)

    async def unpause_container(self, ref: str) -> None:
        """Let it go on."""
        await self._plain_life.unpause(self._plain.find(ref).id)

    async def rename_container(self, ref: str, name: str) -> None:
        """Give it another name.

        Raises:
            InvalidParameter: it is no name, or its own.
            Conflict: the name is taken, or a task's container has it.
        """
        if not name:
            raise InvalidParameter("Neither old nor new names may be empty")
        record = self._plain.find(ref)
        before = record.container.name
        try:
            name = check_name(name)
        except InvalidParameter as error:
            raise InvalidParameter(f"{_NEW_NAME}: {error.message}") from None
        if name == before:
            raise InvalidParameter("Renaming a container with the same name as its current name")
        try:
            record = await self._plain.rename(record, name)
        except Conflict as error:
            raise Conflict(f"{_NEW_NAME}: {error.message}") from None
        self._plain_life.publish(record, "rename", oldName=f"/{before}")
        await self._plain_life.refresh(record.id)

    async def remove_link(self, name: str) -> None:
        """Take a link away from its container, which knows the other by that name no more.

        Raises:
            Conflict: it is a container's own name.
            NotFound: the container has no such link.
        """
        holder, slash, alias = name.strip("/").partition("/")
        if not slash:
            raise Conflict("Conflict, cannot remove the default link name of the container")
        try:
            record = self._plain.find(holder)
        except NotFound:
            raise NotFound(f"No such container: {name}") from None
        await self._plain_life.rejoin(record.id, partial(without_link, alias))

    async def update_container(
        self, ref: str, given: HostConfig, named: frozenset[str]
    ) -> list[str]:
        """Set the limits that `named` says were given, at once where it runs; the answer is warnings."""
        record = self._plain.find(ref)
        before = record.container.host_config
        changed = before.replaced(**{field: getattr(given, field) for field in named})
        if changed.auto_remove and changed.restart_policy.name not in ("", "no"):
            raise InvalidParameter(
                "Restart policy cannot be updated because AutoRemove is enabled for the container"
            )
        check_swap(record.id, before, given)
        check_host(changed)
        check_cpu(changed, frozenset(os.sched_getaffinity(0)))
        await self._plain_life.update(record.id, changed)
        return []
