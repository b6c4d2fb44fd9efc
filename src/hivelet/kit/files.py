"""Files that are either whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
from pathlib import Path

from hivelet.kit.failpoints import point


def write_atomic(path: Path, data: bytes | str, *, mode: int = 0o644, sync: bool = False) -> None:
    """Replace `path` by `data` in one step; with `sync`, it survives a power cut once this returns."""
    raw = data.encode() if isinstance(data, str) else data
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(raw)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        point("file.rename")
        scratch.replace(path)
        point("file.renamed")
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    if sync:
        sync_directory(path.parent)


def ensure_private(directory: Path, mode: int = 0o700) -> None:
    """Have a directory with this mode, whatever the umask is and whoever made it before."""
    directory.mkdir(parents=True, exist_ok=True, mode=mode)
    if directory.stat().st_mode & 0o7777 != mode:
        directory.chmod(mode)


def sync_directory(path: Path) -> None:
    """Make renames and removals inside `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
