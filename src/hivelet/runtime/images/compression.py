"""Streams that decompress and hash as they are read; nothing is ever held whole in memory."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Protocol, cast

import zstandard

from hivelet.runtime.images.tarstream import BrokenArchive, Reader

_CHUNK = 1 << 18
_SNIFF = 6
_ZSTD_WINDOW = 1 << 26
_XZ_MEMORY = 68 << 20
"""What `xz -9` takes to be undone, and a little; a stream may ask for gigabytes."""


class HashedReader:
    """Passes bytes on, hashing and counting them."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self.count = 0

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        data = self._source.read(size)
        self._hash.update(data)
        self.count += len(data)
        return data

    @property
    def digest(self) -> str:
        """`sha256:…` of all that was read so far."""
        return f"sha256:{self._hash.hexdigest()}"


class BufferedBytes:
    """Gives exactly as many bytes as asked for, until the end; few large reads below, many small ones above."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._buffer = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            return data
        pieces = [self._buffer[self._at :]]
        missing = size - len(pieces[0])
        self._buffer, self._at = b"", 0
        while missing:
            piece = self._source.read(max(missing, _CHUNK))
            if not piece:
                break
            if len(piece) > missing:
                self._buffer, self._at = piece, missing
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)


class _Decompressor(Protocol):
    """What zlib's, bz2's and lzma's objects have in common, with zlib's adapted below."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gunzip:
    """zlib's object with the face of bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _unxz() -> _Decompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


class _Inflated:
    """Decompresses a sequence of members, as gzip, bzip2 and xz files may be."""

    def __init__(self, source: Reader, kind: Callable[[], _Decompressor], name: str) -> None:
        self._source = source
        self._kind = kind
        self._name = name
        self._member: _Decompressor = kind()
        self._pending = b""
        self._done = False

    def read(self, size: int, /) -> bytes:
        while not self._done:
            if self._member.eof and not self._next_member():
                break
            data, self._pending = self._pending, b""
            exhausted = False
            if not data and self._member.needs_input:
                data = self._source.read(_CHUNK)
                exhausted = not data
            try:
                out = self._member.decompress(data, size)
            except (zlib.error, lzma.LZMAError, OSError) as error:
                raise BrokenArchive(f"the {self._name} stream is corrupt: {error}") from error
            if out:
                return out
            if exhausted and not self._member.eof:
                raise BrokenArchive(f"unexpected EOF: the {self._name} stream is cut off")
        return b""

    def _next_member(self) -> bool:
        rest = self._member.unused_data.lstrip(b"\0")
        while not rest:
            more = self._source.read(_CHUNK)
            if not more:
                self._done = True
                return False
            rest = more.lstrip(b"\0")
        self._member, self._pending = self._kind(), rest
        return True


class _Zstandard:
    """Decompresses zstd frames; a window above 64 MiB is refused, which nothing that writes images asks for."""

    def __init__(self, source: Reader) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._stream = decompressor.stream_reader(
            cast("IO[bytes]", source), read_size=_CHUNK, read_across_frames=True
        )

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except zstandard.ZstdError as error:
            raise BrokenArchive(f"the zstd stream is corrupt: {error}") from error


class _Prefixed:
    def __init__(self, prefix: bytes, source: Reader) -> None:
        self._prefix = prefix
        self._source = source

    def read(self, size: int, /) -> bytes:
        if self._prefix:
            data, self._prefix = self._prefix[:size], self._prefix[size:]
            return data
        return self._source.read(size)


def sniff(head: bytes) -> str:
    """The compression that a stream beginning with `head` has: gzip, zstd, bzip2, xz, or "" for none."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    if head.startswith(b"BZh"):
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    return ""


def open_decompressed(source: Reader) -> Reader:
    """The plain bytes of `source`, whatever it is compressed with."""
    head = b""
    while len(head) < _SNIFF and (more := source.read(_SNIFF - len(head))):
        head += more
    whole = _Prefixed(head, source)
    match sniff(head):
        case "gzip":
            return _Inflated(whole, _Gunzip, "gzip")
        case "zstd":
            return _Zstandard(whole)
        case "bzip2":
            return _Inflated(whole, bz2.BZ2Decompressor, "bzip2")
        case "xz":
            return _Inflated(whole, _unxz, "xz")
        case _:
            return whole
