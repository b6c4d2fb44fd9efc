"""What the API asks of containers' files.

A running container's files are seen as its processes see them, volumes included. One that does not run is mounted for the
purpose, with its volumes, where nobody else sees it; it can't start meanwhile.
"""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from hivelet.engine.life.lifecycle import Lifecycle
from hivelet.engine.merge import merge_config
from hivelet.engine.registry import Record, Registry
from hivelet.engine.storage import Storage
from hivelet.engine.volumes.views import check_writable
from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.engine import Container
from hivelet.objects.files import CommitRequest, FileChange, PathStat
from hivelet.runtime.files.changes import Change, list_changes, write_changes
from hivelet.runtime.files.extract import ExtractOptions, extract_archive
from hivelet.runtime.files.look import check_directory, stat_path, write_path, write_root
from hivelet.runtime.files.private import in_private, written_by
from hivelet.runtime.images.spool import spooled
from hivelet.runtime.images.store import ImageStore

T = TypeVar("T")

_MADE = (
    "/.dockerenv", "/dev", "/dev/console", "/dev/mqueue", "/dev/pts", "/dev/shm", "/etc", "/etc/hostname", "/etc/hosts",
    "/etc/mtab", "/etc/resolv.conf", "/proc", "/run", "/run/secrets", "/sbin/docker-init", "/sys", "/sys/fs/cgroup",
)  # fmt: skip
"""What the runtime makes in a root file system for its mounts."""

_KERNELS = ("dev", "proc", "sys")
"""Directories of a running container's root that the kernel fills; a copy of the whole root has them empty (Docker)."""


class FileActions:
    """The file side of the engine."""

    def __init__(
        self, lifecycle: Lifecycle, registry: Registry, storage: Storage, images: ImageStore
    ) -> None:
        self._files_life = lifecycle
        self._files_of = registry
        self._files_storage = storage
        self._files_images = images

    async def stat_path(self, ref: str, path: str) -> PathStat:
        """What is at a path of a container.

        Raises:
            NotFound: nothing, in Docker's words.
        """
        record = self._files_of.find(ref)
        async with self._files_life.still(record.id) as record:
            return await in_private(lambda: self._looked(record, ref, path, stat_path))

    async def read_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        """What is at a path, as a tar.

        Raises:
            NotFound: nothing, in Docker's words.
        """
        record = self._files_of.find(ref)

        def write(out: IO[bytes]) -> None:
            kernels = _KERNELS if record.container.state.running else ()
            self._looked(record, ref, path, partial(write_path, out, kernels=kernels))

        async with self._files_life.still(record.id) as record:
            async for piece in written_by(write):
                yield piece
        self._files_life.publish(record, "archive-path")

    async def write_archive(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool,
        as_user: bool,
    ) -> None:
        """Unpack a tar into a directory of a container.

        Raises:
            NotFound: there is no such directory, in Docker's words.
            InvalidParameter: it is no directory, or the archive is none.
            Forbidden: the container's file system is read-only.
        """
        record = self._files_of.find(ref)
        scratch = await self._files_images.new_scratch("copy-")
        try:
            async with (
                spooled(archive, scratch) as tar,
                self._files_life.still(record.id) as record,
            ):
                await in_private(
                    lambda: self._unpack(
                        record, ref, path, tar, keep_kinds=keep_kinds, as_user=as_user
                    )
                )
        finally:
            scratch.rmdir()
        self._files_life.publish(record, "extract-to-dir")

    async def list_changes(self, ref: str) -> Sequence[FileChange]:
        """What a container has changed in its file system."""
        record = self._files_of.find(ref)
        found = await in_private(lambda: self._changes(record))
        return [FileChange(path=change.path, kind=change.kind) for change in found]

    async def export_container(self, ref: str) -> AsyncIterator[bytes]:
        """A container's file system without its volumes, as a tar."""
        record = self._files_of.find(ref)

        def write(out: IO[bytes]) -> None:
            write_root(out, self._files_storage.mounted(record))

        async with self._files_life.still(record.id):
            async for piece in written_by(write):
                yield piece
        self._files_life.publish(record, "export")

    async def commit_container(self, request: CommitRequest) -> str:
        """Make an image of a container; the answer is its id.

        Raises:
            NotFound: the image that it was made from is gone.
        """
        record = self._files_of.find(request.container)
        state = record.container.state
        paused = request.pause and state.running and not state.paused
        if paused:
            await self._files_life.pause(record.id)
        try:
            changes = await in_private(lambda: self._changes(record))
            upper = self._files_storage.upper(record)
            layer = written_by(lambda out: write_changes(out, upper, changes))
            image = await self._files_images.commit(_merged(record, request), layer, request)
        finally:
            if paused:
                with suppress(NotFound):
                    await self._files_life.unpause(record.id)
        self._files_life.publish(
            record, "commit", comment=request.message, imageID=image.id, imageRef=request.reference
        )
        return image.id

    # -- in threads with a view of the mounts of their own

    def _looked(self, record: Record, ref: str, path: str, look: Callable[[Path, str], T]) -> T:
        try:
            return look(self._root(record), path)
        except NotFound:
            raise NotFound(f"Could not find the file {path} in container {ref}") from None

    def _root(self, record: Record) -> Path:
        state = record.container.state
        if state.running:
            return Path(f"/proc/{state.pid}/root")
        return self._files_storage.mounted(record, volumes=True)

    def _unpack(
        self, record: Record, ref: str, path: str, tar: Path, *, keep_kinds: bool, as_user: bool
    ) -> None:
        root = self._root(record)
        try:
            place = check_directory(root, path)
        except NotFound:
            raise NotFound(f"Could not find the file {path} in container {ref}") from None
        except NotADirectoryError:
            raise InvalidParameter("extraction point is not a directory") from None
        if not record.container.state.running:  # else the kernel refuses
            check_writable(place, record.container.mounts, record.container.host_config)
        owner = None
        if as_user and record.container.config.user:
            user = self._files_storage.process_user(record)
            owner = (user.uid, user.gid)
        options = ExtractOptions(owner=owner, keep_kinds=keep_kinds)
        extract_archive(tar, root, posixpath.normpath(f"/{path}"), options)

    def _changes(self, record: Record) -> list[Change]:
        made = {*_MADE, *(point.destination for point in record.container.mounts)}
        upper, lower = self._files_storage.layers(record)
        return list_changes(upper, lower, made)


def _merged(record: Record, request: CommitRequest) -> Container:
    container = record.container
    if request.config is None:
        return container
    return container.replaced(config=merge_config(request.config, container.config))
