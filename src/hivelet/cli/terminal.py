"""A person's terminal, or whatever stands in its place, at the one end, and a hijacked connection at the other.

Waits on both at once and copies what comes. With a terminal in between nothing is interpreted: raw bytes go both ways, and
Ctrl-C is the other side's. Puts the terminal back as it was, however the conversation ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from types import FrameType
from typing import BinaryIO

from hivelet.client.hijack import Hijacked
from hivelet.client.streams import iter_frames

_CHUNK = 65536


def converse(stream: Hijacked, *, from_stdin: bool, raw: bool) -> None:
    """Copy until the other side ends: our input to it, what it says to our output; frames are taken apart unless `raw`."""
    said = _said(stream, sys.stdin.fileno() if from_stdin else None)
    if raw:
        for data in said:
            _write(sys.stdout.buffer, data)
        return
    for kind, data in iter_frames(said):
        _write(sys.stderr.buffer if kind == 2 else sys.stdout.buffer, data)


def _said(stream: Hijacked, source: int | None) -> Iterator[bytes]:
    """What the other side says, while it is told what is read from `source`."""
    while True:
        ready: list[int] = []
        if not stream.waiting:
            watched = [stream.fileno(), *([] if source is None else [source])]
            ready, _, _ = select.select(watched, [], [])
        if source is not None and source in ready:
            data = os.read(source, _CHUNK)
            if not data:
                stream.end_input()
            if not data or not stream.send(data):
                source = None
        if stream.waiting or stream.fileno() in ready:
            data = stream.receive()
            if not data:
                return
            yield data


def _write(target: BinaryIO, data: bytes) -> None:
    target.write(data)
    target.flush()


def terminal_size() -> tuple[int, int]:
    """Rows and columns of the terminal."""
    size = shutil.get_terminal_size()
    return size.lines, size.columns


@contextlib.contextmanager
def raw_terminal() -> Iterator[None]:
    """Every key goes through as it is pressed; afterwards the terminal is as it was. Nothing where there is none."""
    fd = sys.stdin.fileno()
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


@contextlib.contextmanager
def on_resize(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Call `tell` with rows and columns now, and whenever the terminal's size changes."""

    def changed(_number: int, _frame: FrameType | None) -> None:
        tell(*terminal_size())

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        tell(*terminal_size())
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
