"""Archives on their way in: bytes that arrive over a connection become a file, a compressed archive a plain one."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hivelet.errors import InvalidParameter, System
from hivelet.runtime.images.blobs import FileWindow
from hivelet.runtime.images.compression import open_decompressed, sniff

Source = Path | AsyncIterable[bytes]
"""An archive: a file or directory on disk, or bytes as they come in."""

_CHUNK = 1 << 20


@asynccontextmanager
async def spooled(source: Source, scratch: Path) -> AsyncIterator[Path]:
    """`source` as a path; what comes in as bytes is written to `scratch` and gone afterwards.

    Raises:
        InvalidParameter: a path that can't be read.
        System: the disk is full.
    """
    if isinstance(source, Path):
        if not source.exists():
            raise InvalidParameter(f"{source}: no such file or directory")
        yield source
        return
    descriptor, name = tempfile.mkstemp(prefix="spool-", dir=scratch)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            pending = bytearray()
            async for piece in source:
                pending += piece
                if len(pending) >= _CHUNK:
                    await asyncio.to_thread(_write, stream.fileno(), bytes(pending))
                    pending.clear()
            await asyncio.to_thread(_write, stream.fileno(), bytes(pending))
        yield Path(name)
    finally:
        os.unlink(name)


def plain_copy(path: Path, scratch: Path) -> Path:
    """`path` itself, or, where it is a compressed file, a plain copy in `scratch`, which the caller deletes."""
    if path.is_dir():
        return path
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not sniff(os.pread(source, 8, 0)):
            return path
        descriptor, name = tempfile.mkstemp(prefix="plain-", dir=scratch)
        try:
            reader = open_decompressed(FileWindow(source))
            while piece := reader.read(_CHUNK):
                _write(descriptor, piece)
        except (InvalidParameter, System):
            os.unlink(name)
            raise
        finally:
            os.close(descriptor)
    finally:
        os.close(source)
    return Path(name)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise System(f"the archive can't be written to disk: {error.strerror}") from error
