"""What the API asks of this node's containers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from hivelet.objects.common import (
    ContainerId,
)
from hivelet.objects.container import ContainerCreate, HostConfig
from hivelet.objects.engine import (
    Container,
    ContainerStats,
    ExitResult,
    ProcessTable,
)
from hivelet.objects.exec import Exec, ExecConfig, ExecStart
from hivelet.objects.files import CommitRequest, FileChange, PathStat
from hivelet.objects.log import LogOptions, LogRecord
from hivelet.objects.streams import AttachWish


class ContainersBackend(Protocol):
    """The containers of this node."""

    async def list_containers(self, *, size: bool = False) -> Sequence[Container]:
        """All containers, whatever their state; `size` fills in the sizes."""
        ...

    async def get_container(self, ref: str, *, size: bool = False) -> Container:
        """One container."""
        ...

    async def start_container(self, ref: str) -> bool:
        """Start it; False where it was running already."""
        ...

    async def stop_container(self, ref: str, *, timeout: int | None, signal: str = "") -> bool:
        """Stop it; `timeout` in seconds before SIGKILL (None: its own, -1: for ever). False if it was not running."""
        ...

    async def restart_container(self, ref: str, *, timeout: int | None, signal: str = "") -> None:
        """Stop and start it."""
        ...

    async def kill_container(self, ref: str, signal: str) -> None:
        """Send its first process a signal ("SIGKILL", "KILL" or "9")."""
        ...

    async def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """Remove it, a running one only with `force`; `volumes` takes its anonymous volumes along."""
        ...

    def wait_container(self, ref: str, condition: str) -> AsyncIterator[ExitResult | None]:
        """Two steps: None once the wait is in place, then how it ended.

        `condition` is "not-running", "next-exit" or "removed". The first step lets the API answer its headers before
        the container is started, as clients rely on.
        """
        ...

    def container_logs(self, ref: str, options: LogOptions) -> AsyncIterator[LogRecord]:
        """Its log; with `follow`, on until it is stopped."""
        ...

    def container_log_batches(
        self, ref: str, options: LogOptions
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """The same, as many records at a time as there are."""
        ...

    async def container_top(self, ref: str, ps_args: str) -> ProcessTable:
        """Its processes, as `ps` with these arguments shows them."""
        ...

    def container_stats(self, ref: str, *, stream: bool) -> AsyncIterator[ContainerStats]:
        """Its counters: once, or every second."""
        ...

    async def prune_containers(self, refs: Sequence[str]) -> tuple[Sequence[ContainerId], int]:
        """Remove those of `refs` that do not run; the answer is their ids and the bytes set free."""
        ...


class PlainBackend(Protocol):
    """Plain containers: made by hand, and what is done to any container by hand."""

    async def create_container(
        self, name: str, given: ContainerCreate
    ) -> tuple[ContainerId, list[str]]:
        """Make one of an image that is here ("" lets the engine choose a name); its id, and warnings."""
        ...

    async def attach_container(self, ref: str, wish: AttachWish) -> AttachedStreams:
        """Its streams, from now on or from its start on."""
        ...

    async def resize_container(self, ref: str, height: int, width: int) -> None:
        """Set the size of its terminal."""
        ...

    async def pause_container(self, ref: str) -> None:
        """Freeze all of its processes."""
        ...

    async def unpause_container(self, ref: str) -> None:
        """Let it go on."""
        ...

    async def rename_container(self, ref: str, name: str) -> None:
        """Give it another name."""
        ...

    async def remove_link(self, name: str) -> None:
        """Take a link, named `CONTAINER/ALIAS`, away from its container."""
        ...

    async def update_container(
        self, ref: str, given: HostConfig, named: frozenset[str]
    ) -> list[str]:
        """Set those limits of `given` that are `named`; warnings."""
        ...


class FilesBackend(Protocol):
    """Files of this node's containers."""

    async def stat_path(self, ref: str, path: str) -> PathStat:
        """What is at a path; `NotFound` where there is nothing."""
        ...

    def read_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        """What is at a path, as a tar."""
        ...

    async def write_archive(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool,
        as_user: bool,
    ) -> None:
        """Unpack a tar into a directory: no directory becomes a file (`keep_kinds`), all is the user's (`as_user`)."""
        ...

    async def list_changes(self, ref: str) -> Sequence[FileChange]:
        """What a container has changed in its file system."""
        ...

    def export_container(self, ref: str) -> AsyncIterator[bytes]:
        """A container's file system without its volumes, as a tar."""
        ...

    async def commit_container(self, request: CommitRequest) -> str:
        """Make an image of a container; its id."""
        ...


class AttachedStreams(Protocol):
    """The streams of a process that a client is attached to. Nothing is kept: who does not read holds the process up."""

    tty: bool
    takes_input: bool

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What it writes: the stream's number and bytes, until it ends."""
        ...

    async def write(self, data: bytes) -> bool:
        """Give it input; False where it takes no more."""
        ...

    def close_input(self) -> None:
        """There is no more input."""
        ...

    def detached(self) -> None:
        """The user has left by the detach keys."""
        ...

    def close(self) -> None:
        """The end of it, however it came."""
        ...


class ExecsBackend(Protocol):
    """Further processes in this node's containers."""

    async def create_exec(self, ref: str, config: ExecConfig) -> str:
        """Note a further process for a running container; the answer is its id."""
        ...

    async def get_exec(self, exec_id: str) -> Exec:
        """What has become of it, by its exact id."""
        ...

    async def check_exec(self, exec_id: str) -> None:
        """Refuse one that can't be started: it was before, or its container does not run."""
        ...

    async def start_exec(self, exec_id: str, start: ExecStart) -> AttachedStreams | None:
        """Start it; its streams, unless nobody attaches."""
        ...

    async def resize_exec(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of its terminal."""
        ...
