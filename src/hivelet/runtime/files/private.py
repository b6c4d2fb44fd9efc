"""Blocking work in a thread of its own, with a view of the mounts of its own: what it mounts is seen by nobody else."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, TypeVar

from hivelet.errors import HiveletError, System
from hivelet.kit.threads import to_its_end
from hivelet.runtime.spawn import readable

T = TypeVar("T")

_CLONE_NEWNS = 0x20000
_MS_PRIVATE_RECURSIVE = 0x40000 | 0x4000
_PIECE = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


async def in_private(work: Callable[[], T]) -> T:
    """Do `work`; a cancelled caller waits for its end, as threads can't be stopped."""

    def alone() -> T:
        _leave_mounts()
        return work()

    with ThreadPoolExecutor(1) as thread:
        return await to_its_end(asyncio.get_running_loop().run_in_executor(thread, alone))


async def written_by(work: Callable[[IO[bytes]], None]) -> AsyncIterator[bytes]:
    """What `work` writes, as it writes it; it waits for whoever reads. A reader that leaves ends it.

    Raises:
        HiveletError: what `work` raises, after what it has written.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reader, False)

    def write() -> HiveletError | None:
        with suppress(BrokenPipeError), os.fdopen(writer, "wb", buffering=1 << 18) as stream:
            try:
                work(stream)
            except HiveletError as error:
                return error
        return None

    writing = asyncio.ensure_future(in_private(write))
    try:
        while piece := await _read(reader):
            yield piece
        error = await writing
    finally:
        os.close(reader)
        if not writing.done():
            await asyncio.wait([writing])
    if error is not None:
        raise error


async def _read(reader: int) -> bytes:
    while True:
        try:
            return os.read(reader, _PIECE)
        except BlockingIOError:
            await readable(reader)


def _leave_mounts() -> None:
    if (
        _libc.unshare(_CLONE_NEWNS) != 0
        or _libc.mount(None, b"/", None, _MS_PRIVATE_RECURSIVE, None) != 0
    ):
        raise System(f"a view of the mounts could not be made: {os.strerror(ctypes.get_errno())}")
