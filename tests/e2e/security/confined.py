"""The image of the tests of confinement: busybox, and a program that tries to get out (`harness/native/escapes.c`)."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from harness import native
from harness.cli import Cli
from harness.images import busybox_tar

IMAGE = "escape:latest"


def import_escapes(cli: Cli, folder: Path) -> None:
    """Make the image."""
    path = busybox_tar(folder / "escapes.tar")
    data = native.build("escapes").read_bytes()
    with tarfile.open(path, "a") as tar:
        entry = tarfile.TarInfo("bin/escapes")
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
    cli("import", str(path), IMAGE)


def outcomes(said: str) -> dict[str, str]:
    """What became of each try: "done", or the name of the error."""
    return dict(line.rsplit(" ", 1) for line in said.splitlines())


def run_escapes(cli: Cli, tries: Sequence[str], *options: str) -> dict[str, str]:
    """Try in a container that is made with these options."""
    return outcomes(cli("run", "--rm", *options, IMAGE, "/bin/escapes", *tries).out)
