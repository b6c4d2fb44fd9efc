"""The format of a container's log file, as conmon writes it, and of the streams Docker's API sends. Pure.

A raw line is `TIME STREAM TAG TEXT`: the time in RFC 3339 with nanoseconds and the local offset, `stdout` or `stderr`, and
`F` for text that ended with a newline or `P` for a part of a longer line (or the last output of all, without a newline).
Raw lines that are none of this, as a crash may leave one, are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache

from hivelet.objects.log import STDERR, STDOUT, LogOptions, LogRecord

_STREAMS = {b"stdout": STDOUT, b"stderr": STDERR}
PART_LIMIT = 16 * 1024
"""Bytes after which a line is shown in parts (Docker's)."""

_BILLION = 1_000_000_000
_FRACTION_DIGITS = 9
_STAMP = re.compile(rb"([^.]*)\.([0-9]{1,9})(|[^0-9].*)", re.DOTALL)


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


@lru_cache(maxsize=256)
def parse_stamp(stamp: bytes) -> int | None:
    """Nanoseconds since 1970 of a time like `2026-01-02T03:04:05.123456789+01:00`.

    Cached, as all that one read of conmon's gave has one time.
    """
    match = _STAMP.fullmatch(stamp)
    if match is None:
        return None
    seconds, fraction, offset = match.groups()
    whole = _whole_seconds(seconds, offset)
    if whole is None:
        return None
    return whole * _BILLION + int(fraction.ljust(_FRACTION_DIGITS, b"0"))


@lru_cache(maxsize=256)
def _whole_seconds(seconds: bytes, offset: bytes) -> int | None:
    """Cached, as most lines of a busy log share their second."""
    try:
        moment = datetime.fromisoformat((seconds + offset).decode("ascii"))
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp())


class LogParser:
    """Cuts a growing file into lines, however its bytes come in.

    Conmon writes what one read of its pipe gave, so a line may be in parts; they are joined here, as Docker joins them, up
    to `PART_LIMIT` bytes. The unfinished is kept until the rest comes, or until `flush`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._parts: dict[int, LogRecord] = {}

    def feed(self, data: bytes) -> list[LogRecord]:
        """The lines that `data` completes."""
        raw_lines = (self._rest + data).split(b"\n")
        self._rest = raw_lines.pop()
        found: list[LogRecord] = []
        for raw in raw_lines:
            record = parse_log_line(raw)
            if record is None:
                continue
            if self._parts or len(raw) >= PART_LIMIT or record.line[-1:] != b"\n":
                self._join(record, found)
            else:
                found.append(record)  # whole, as nearly all are
        return found

    def drop_half(self) -> None:
        """The file ends here: what there is of a raw line is half, and nothing will come to it."""
        self._rest = b""

    def flush(self) -> list[LogRecord]:
        """The lines that have not ended, as they are; half a raw line is dropped."""
        self._rest = b""
        unfinished = sorted(self._parts.values(), key=lambda record: record.time_ns)
        self._parts.clear()
        return unfinished

    def _join(self, record: LogRecord, found: list[LogRecord]) -> None:
        before = self._parts.pop(record.stream, None)
        if before is not None:
            record = before.replaced(line=before.line + record.line)
        if record.line.endswith(b"\n") or len(record.line) >= PART_LIMIT:
            found.append(record)
        else:
            self._parts[record.stream] = record


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


def is_all_wanted(options: LogOptions) -> bool:
    """Whether a reader with `options` wants every record, so that none has to be asked about."""
    return options.stdout and options.stderr and not options.since_ns and not options.until_ns


def is_past(record: LogRecord, options: LogOptions) -> bool:
    """Whether `record` comes after the last moment a reader with `options` wants."""
    return 0 < options.until_ns < record.time_ns
