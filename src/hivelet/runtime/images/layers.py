"""Where layers are unpacked: `<root>/layers/<short diff id>/diff`, each once, whatever image they belong to.

A layer is unpacked in `<root>/tmp` and moved into place whole; it counts once the database says so. What is in `tmp`, or in
`layers` and unknown to the database, is rubbish of a crash and is swept at the start. All methods block; call them from a thread.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.kit.files import sync_directory
from hivelet.kit.trees import remove_tree
from hivelet.runtime.images.mounts import sync_filesystem
from hivelet.runtime.images.records import LayerRecord
from hivelet.runtime.images.unpack import Unpacked

_SHORT = 16
_SUFFIXES = 1000


class LayerDirectory:
    """The directory of unpacked layers, and the scratch space beside it."""

    def __init__(self, root: Path) -> None:
        self.layers = root / "layers"
        self.scratch = root / "tmp"
        for directory in (self.layers, self.scratch):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o710)

    def path(self, layer: LayerRecord) -> Path:
        """Where a layer's files are."""
        return self.layers / layer.directory / "diff"

    def new_scratch(self, prefix: str) -> Path:
        """A new, empty, private directory; the caller removes it, or the next start does."""
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.scratch))

    def unpack(self, write: Callable[[Path], Unpacked]) -> LayerRecord:
        """Have `write` fill a new directory, and move it into place; where `write` fails, nothing remains."""
        scratch = self.new_scratch("layer")
        try:
            diff = scratch / "diff"
            diff.mkdir()
            diff.chmod(0o755)
            unpacked = write(diff)
            point("layer.unpacked")
            directory = self._move(scratch, unpacked.diff_id)
            point("layer.placed")
        finally:
            if scratch.exists():
                remove_tree(scratch)
        return LayerRecord(diff_id=unpacked.diff_id, directory=directory, size=unpacked.size)

    def sync(self) -> None:
        """What was unpacked survives a power cut once this returns."""
        sync_directory(self.layers)
        sync_filesystem(self.layers)

    def set_aside(self, layers: Iterable[LayerRecord]) -> list[Path]:
        """Take layers out of the way, quickly; `delete` does the rest."""
        doomed = []
        for layer in layers:
            rubbish = self.new_scratch("removed")
            source = self.layers / layer.directory
            if source.exists():
                source.rename(rubbish / "layer")
                point("layer.doomed")
            doomed.append(rubbish)
        return doomed

    def delete(self, doomed: Iterable[Path]) -> None:
        """Delete what was set aside."""
        for path in doomed:
            remove_tree(path)

    def sweep(self, known: Collection[str]) -> None:
        """Delete scratch and every layer directory that isn't in `known`."""
        for path in self.scratch.iterdir():
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink()
        for path in self.layers.iterdir():
            if path.name not in known:
                remove_tree(path)

    def _move(self, scratch: Path, diff_id: str) -> str:
        name = diff_id.removeprefix("sha256:")[:_SHORT]
        scratch.chmod(0o711)
        for suffix in range(_SUFFIXES):
            candidate = f"{name}-{suffix}" if suffix else name
            try:
                # A directory takes only the place of an empty one, so this is also the test whether the name is free. One
                # that is taken belongs to a layer being deleted, to the same one from elsewhere, or to one that begins alike.
                scratch.rename(self.layers / candidate)
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise System(f"can't keep layer {diff_id}: {error.strerror}") from error
            else:
                return candidate
        raise System(f"can't keep layer {diff_id}: {_SUFFIXES} layers begin with {name}")
