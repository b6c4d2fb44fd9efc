"""Small file systems of their own below a machine's daemon, which can be filled to the last byte and emptied again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness.machine import Machine


def mount_small(machine: Machine, directory: Path, size: str = "48m") -> None:
    """A file system of this size at `directory`, seen within the machine alone."""
    directory.mkdir(parents=True, exist_ok=True)
    machine.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)])


def mount_failing(machine: Machine, directory: Path) -> Path:
    """An ext4 file system at `directory`; whoever writes to the returned file makes the kernel find an error, and close it to writes."""
    image = machine.dir / "failing.img"
    directory.mkdir(parents=True, exist_ok=True)
    machine.run(["truncate", "--size=96M", str(image)])
    machine.run(["mkfs.ext4", "-q", str(image)])
    machine.run(["mount", "-o", "loop,errors=remount-ro", str(image), str(directory)])
    device = machine.run(["findmnt", "-no", "SOURCE", str(directory)]).stdout.strip()
    return Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"


@contextlib.contextmanager
def filled(machine: Machine, directory: Path) -> Iterator[None]:
    """Not a byte is free in it meanwhile."""
    filler = directory / "filler"
    done = machine.run(["sh", "-c", f"cat /dev/zero > {filler}"], check=False)
    assert "No space left" in done.stderr, done.stderr
    try:
        yield
    finally:
        machine.run(["rm", str(filler)])


def used(machine: Machine, directory: Path) -> int:
    """KiB in use in its file system."""
    words = machine.run(["df", "--output=used", str(directory)]).stdout.split()
    return int(words[-1])
