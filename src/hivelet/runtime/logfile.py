"""The format of a container's log file, as conmon writes it, and of the streams Docker's API sends. Pure.

A raw line is `TIME STREAM TAG TEXT`: the time in RFC 3339 with nanoseconds and the local offset, `stdout` or `stderr`, and
`F` for text that ended with a newline or `P` for a part of a longer line (or the last output of all, without a newline).
Raw lines that are none of this, as a crash may leave one, are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache

from hivelet.objects.log import STDERR, STDOUT, LogOptions, LogRecord

_STREAMS = {b"stdout": STDOUT, b"stderr": STDERR}
_BILLION = 1_000_000_000
_FRACTION_DIGITS = 9


def parse_log_line(raw: bytes) -> LogRecord | None:
    """The record of one raw line (without its newline); None where it is not one."""
    parts = raw.split(b" ", 3)
    if len(parts) != 4:
        return None
    stamp, name, tag, text = parts
    stream = _STREAMS.get(name)
    if stream is None or tag not in {b"F", b"P"}:
        return None
    time_ns = parse_stamp(stamp)
    if time_ns is None:
        return None
    return LogRecord(stream=stream, time_ns=time_ns, line=text + b"\n" if tag == b"F" else text)


def parse_stamp(stamp: bytes) -> int | None:
    """Nanoseconds since 1970 of a time like `2026-01-02T03:04:05.123456789+01:00`."""
    seconds, dot, rest = stamp.partition(b".")
    if not dot:
        return None
    digits = 0
    while digits < len(rest) and rest[digits : digits + 1].isdigit():
        digits += 1
    if not 0 < digits <= _FRACTION_DIGITS:
        return None
    whole = _whole_seconds(seconds, rest[digits:])
    if whole is None:
        return None
    return whole * _BILLION + int(rest[:digits].ljust(_FRACTION_DIGITS, b"0"))


@lru_cache(maxsize=256)
def _whole_seconds(seconds: bytes, offset: bytes) -> int | None:
    """Cached, as most lines of a busy log share their second."""
    try:
        moment = datetime.fromisoformat((seconds + offset).decode("ascii"))
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp())


class LineSplitter:
    """Cuts a growing file into records, however its bytes come in; keeps the half of a line until the rest comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[LogRecord]:
        """The records that `data` completes."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        return [record for record in map(parse_log_line, lines) if record is not None]

    def reset(self) -> None:
        """Forget half a line: the file has been cut or replaced."""
        self._rest = b""


def is_complete(raw: bytes) -> bool:
    """Whether a raw line ends a line of the container's output (its tag is F)."""
    parts = raw.split(b" ", 3)
    return len(parts) == 4 and parts[2] == b"F"


def tail_start(blocks: Iterable[tuple[int, bytes]], wanted: int) -> int:
    """Where in a log file its last `wanted` lines begin.

    Args:
        blocks: the file from its end to its start, each block with its offset.
        wanted: how many lines of the container's output; parts count as the one line they belong to.
    """
    found = 0
    for begin, raw in _raw_lines_backward(blocks):
        # What comes last counts as a line even if it has not ended yet.
        if found == 0 or is_complete(raw):
            if found == wanted:
                return begin + len(raw) + 1
            found += 1
    return 0


def _raw_lines_backward(blocks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Each raw line with its offset, the last first. A last one without a newline is half and left out."""
    head, at_end = b"", True
    for offset, block in blocks:
        head, *lines = (block + head).split(b"\n")
        if at_end:
            if not lines:
                continue
            lines.pop()
            at_end = False
        end = offset + len(head) + sum(len(line) + 1 for line in lines)
        for line in reversed(lines):
            yield end - len(line), line
            end -= len(line) + 1
    if not at_end:
        yield 0, head


def is_wanted(record: LogRecord, options: LogOptions) -> bool:
    """Whether a reader with `options` wants `record` (the end of `until_ns` is for the caller)."""
    if record.stream == STDOUT and not options.stdout:
        return False
    if record.stream == STDERR and not options.stderr:
        return False
    return record.time_ns >= options.since_ns


def is_past(record: LogRecord, options: LogOptions) -> bool:
    """Whether `record` comes after the last moment a reader with `options` wants."""
    return 0 < options.until_ns < record.time_ns


def encode_frame(stream: int, payload: bytes) -> bytes:
    """Docker's frame for streams without a terminal: the stream's number, three zeros, the length, the payload."""
    return bytes((stream, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload
