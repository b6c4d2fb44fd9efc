"""How to write a layer's tar again, byte for byte, from its unpacked files: for `save` and `push`.

A recipe is all of the tar that isn't a file's content (headers, padding, the end), with references to the files between. It
takes a hundredth of the layer. A tar that holds a name twice has no recipe, since one content is gone once unpacked.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import zstandard

from hivelet.errors import System
from hivelet.runtime.images.blobs import FileWindow
from hivelet.runtime.images.compression import BufferedBytes, open_decompressed
from hivelet.runtime.images.inroot import Cursor, InRoot

_LITERAL = struct.Struct("<cI")
_CONTENT = struct.Struct("<cQH")
_BUFFER = 1 << 16
_CHUNK = 1 << 20
_LEVEL = 3


class RecipeWriter:
    """Takes down a recipe while its layer is unpacked; `finish` makes it whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = path.open("wb")
        self._out = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file, closefd=False)
        self._pending = bytearray()

    def literal(self, data: bytes) -> None:
        """These bytes come next."""
        if self._file is None:
            return
        self._pending += data
        if len(self._pending) >= _BUFFER:
            self._flush()

    def content(self, name: str, size: int) -> None:
        """The content of file `name` comes next."""
        if self._file is None or not size:
            return
        self._flush()
        raw = os.fsencode(name)
        self._out.write(_CONTENT.pack(b"C", size, len(raw)) + raw)

    def abandon(self) -> None:
        """This layer gets no recipe."""
        if self._file is not None:
            self.close()
            self._path.unlink()

    def finish(self) -> None:
        """The tar has ended, and the recipe is whole."""
        if self._file is not None:
            self._flush()
            self._out.flush(zstandard.FLUSH_FRAME)
            self.close()

    def close(self) -> None:
        """Let go of the file, whole or not."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _flush(self) -> None:
        if self._pending:
            self._out.write(_LITERAL.pack(b"L", len(self._pending)) + self._pending)
            self._pending.clear()


class RecipeMissing(System):
    """A layer whose tar can't be written again."""


def measure_layer(recipe: Path) -> int:
    """How many bytes the tar has.

    Raises:
        RecipeMissing: there is no recipe.
    """
    return sum(len(item) if isinstance(item, bytes) else item[1] for item in _read_recipe(recipe))


def rebuild_layer(recipe: Path, diff: Path, diff_id: str) -> Iterator[bytes]:
    """The tar whose digest is `diff_id`, in pieces, from its recipe and its unpacked files.

    Raises:
        RecipeMissing: there is no recipe.
        System: a file has changed since it was unpacked; found out at the latest after the last piece.
    """
    total = hashlib.sha256()
    with InRoot(diff) as root:
        cursor = Cursor(root)
        try:
            for item in _read_recipe(recipe):
                pieces = iter([item]) if isinstance(item, bytes) else _read_file(cursor, *item)
                for piece in pieces:
                    total.update(piece)
                    yield piece
        except OSError as error:
            raise System(f"layer {diff_id} is damaged on disk: {error}") from error
        finally:
            cursor.close()
    if f"sha256:{total.hexdigest()}" != diff_id:
        raise System(f"layer {diff_id} is damaged on disk: its files have changed")


def _read_recipe(path: Path) -> Iterator[bytes | tuple[str, int]]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise RecipeMissing(
            f"layer {path.parent.name} can't be written as a tar again: its archive held a name twice."
            " Keep the archive or the registry that it came from"
        ) from error
    try:
        reader = BufferedBytes(open_decompressed(FileWindow(descriptor)))
        while kind := reader.read(1):
            if kind == b"L":
                (size,) = struct.unpack("<I", reader.read(_LITERAL.size - 1))
                yield reader.read(size)
            else:
                size, length = struct.unpack("<QH", reader.read(_CONTENT.size - 1))
                yield os.fsdecode(reader.read(length)), size
    finally:
        os.close(descriptor)


def _read_file(cursor: Cursor, name: str, size: int) -> Iterator[bytes]:
    parent, _, last = name.rpartition("/")
    cursor.enter(parent)
    descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=cursor.here)
    try:
        window = FileWindow(descriptor, 0, size)
        while piece := window.read(_CHUNK):
            yield piece
    finally:
        os.close(descriptor)
