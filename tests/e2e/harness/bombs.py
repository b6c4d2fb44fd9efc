"""Archives that are small and unpack to much: written piece by piece, from a piece that was compressed once."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import zstandard

PIECE = 4 << 20
END = bytes(1024)

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6),
    "zstd": lambda data: zstandard.ZstdCompressor(level=19).compress(data),
    "bzip2": lambda data: bz2.compress(data, 9),
    "xz": lambda data: lzma.compress(data, preset=6),
}
"""Each makes a member; members one after the other are a stream."""


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """One entry's header, as it is."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    return entry.tobuf(tarfile.GNU_FORMAT)


def file(name: str, data: bytes) -> bytes:
    """One entry with its content."""
    return header(name, len(data)) + data + bytes(-len(data) % 512)


def zeros(path: Path, compression: str, pieces: int, before: bytes = b"") -> Path:
    """`path`: a tar with the entries `before` and a file of so many pieces of nothing, compressed."""
    pack = COMPRESSIONS[compression]
    piece = pack(bytes(PIECE))
    with path.open("wb") as stream:
        stream.write(pack(before + header("zeros", pieces * PIECE)))
        for _ in range(pieces):
            stream.write(piece)
        stream.write(pack(END))
    return path


def sparse(path: Path, before: bytes, name: str, size: int) -> Path:
    """`path`: a tar that ends with a file of `size` bytes of nothing, which take no room on the disk."""
    with path.open("wb") as stream:
        stream.write(before + header(name, size))
        stream.truncate(stream.tell() + size + -size % 512)
    return path


def packed(path: Path, entries: Iterable[bytes]) -> Path:
    """`path`: a tar of these entries, compressed."""
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for entry in entries:
            stream.write(entry)
        stream.write(END)
    return path


def tiny(count: int) -> Iterator[bytes]:
    """Files of nothing, a hundred in each directory."""
    for number in range(count):
        if number % 100 == 0:
            yield header(f"{number // 100}", kind=tarfile.DIRTYPE)
        yield header(f"{number // 100}/{number}")


def deep_directories(count: int) -> Iterator[bytes]:
    """Directories with names of four thousand bytes."""
    above = "/".join(["d" * 250] * 15)
    for number in range(count):
        yield header(f"{above}/{number}", kind=tarfile.DIRTYPE)
