"""Secrets and configs as files: a tmpfs for each container that reads any, below the run directory.

What always holds: their contents are in this process's memory and in such a tmpfs, nowhere else; the tmpfs is there from the
container's creation to its end, and only root can look into it from outside. A restart of the container writes it anew.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from hivelet.engine.dependencies.known import (
    Dependencies,
    DependencyFile,
    FileReference,
    resolve_files,
)
from hivelet.kit.failpoints import point
from hivelet.objects.common import ContainerId
from hivelet.objects.container import Mount
from hivelet.runtime.images.mounts import mount_tmpfs, unmount

_PAGE = 4096


class DependencyFiles:
    """The tmpfs of this node's containers."""

    def __init__(self, run: Path) -> None:
        self._home = run / "secrets"
        self._known = Dependencies(secrets={}, configs={})

    def set_known(self, known: Dependencies) -> None:
        """What may be read from now on; containers that run keep what they have."""
        self._known = known

    def adopt(self, running: Collection[ContainerId]) -> None:
        """Remove what an earlier daemon has left of containers that don't run."""
        if self._home.exists():
            for directory in self._home.iterdir():
                if directory.name not in running:
                    self.release(ContainerId(directory.name))

    def check(self, references: Sequence[FileReference]) -> None:
        """Refuse what can't be had here.

        Raises:
            NotFound: the cluster has no such secret or config any more.
            InvalidParameter: its contents come from a driver that hivelet does not have.
        """
        resolve_files(references, self._known)

    def prepare(self, container_id: ContainerId, references: Sequence[FileReference]) -> None:
        """Write the files of a container that does not run; nothing where it has none.

        Raises:
            HiveletError: as `check`; or the kernel refused the tmpfs.
        """
        self.release(container_id)
        if not references:
            return
        files = resolve_files(references, self._known)
        home = self._directory(container_id)
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o700)
        mount_tmpfs(home, size=_size(files), inodes=len(files) + 1)
        point("tmpfs.mounted")
        for number, file in enumerate(files):
            _write(home / str(number), file)

    def release(self, container_id: ContainerId) -> None:
        """Forget a container's files; idempotent."""
        directory = self._directory(container_id)
        if directory.exists():
            unmount(directory)
            directory.rmdir()

    def mounts(self, container_id: ContainerId, references: Sequence[FileReference]) -> list[Mount]:
        """How the files come into the container: read-only."""
        home = self._directory(container_id)
        return [
            Mount(type="bind", source=str(home / str(number)), target=file.target, read_only=True)
            for number, file in enumerate(references)
        ]

    def _directory(self, container_id: ContainerId) -> Path:
        return self._home / container_id


def _size(files: Sequence[DependencyFile]) -> int:
    pages = sum(-(-len(file.data) // _PAGE) for file in files)
    return max(1, pages) * _PAGE


def _write(path: Path, file: DependencyFile) -> None:
    reference = file.reference
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.data)
        os.fchown(stream.fileno(), reference.uid, reference.gid)
        os.fchmod(stream.fileno(), reference.mode)
