"""Reading answers that come in pieces: JSON values one after the other, and the frames of logs. Pure."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

_HEADER = struct.Struct(">BxxxL")


def iter_json(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Every JSON value of a stream in which each stands on a line of its own."""
    for line in iter_lines(chunks):
        if line.strip():
            yield json.loads(line)


def iter_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Every line without its end; the last one even where it has none."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def iter_frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Every frame of a multiplexed log as (1 for standard output or 2 for standard error, bytes)."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(buffer)
            end = _HEADER.size + length
            if len(buffer) < end:
                break
            yield kind, bytes(buffer[_HEADER.size : end])
            del buffer[:end]
