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
from hivelet.convert.detach_keys import DetachScanner

_CHUNK = 65536


def converse(
    stream: Hijacked, *, from_stdin: bool, raw: bool, keys: bytes = b"", take: bool = True
) -> bool:
    """Copy until the other side ends: our input to it, what it says to our output; frames are taken apart unless `raw`.

    True where the user has left by typing `keys`. What the other side says is not shown unless `take`.
    """
    typing = _Typing(sys.stdin.fileno() if from_stdin else None, keys)
    said = _said(stream, typing)
    if raw or not take:
        for data in said:
            if take:
                _write(sys.stdout.buffer, data)
        return typing.left
    for kind, data in iter_frames(said):
        _write(sys.stderr.buffer if kind == 2 else sys.stdout.buffer, data)
    return typing.left


class _Typing:
    """What is typed here, until its end, or until the keys by which one leaves."""

    def __init__(self, source: int | None, keys: bytes) -> None:
        self.source = source
        self.left = False
        self._scanner = DetachScanner(keys) if keys else None

    def pass_on(self, stream: Hijacked) -> None:
        """Read what is there, and send it."""
        if self.source is None:
            return
        data = os.read(self.source, _CHUNK)
        if not data:
            stream.end_input()
            self.source = None
            return
        if self._scanner is not None:
            data, self.left = self._scanner.feed(data)
        if (data and not stream.send(data)) or self.left:
            self.source = None


def _said(stream: Hijacked, typing: _Typing) -> Iterator[bytes]:
    """What the other side says, while it is told what is typed."""
    while not typing.left:
        ready: list[int] = []
        if not stream.waiting:
            watched = [stream.fileno(), *([] if typing.source is None else [typing.source])]
            ready, _, _ = select.select(watched, [], [])
        if typing.source is not None and typing.source in ready:
            typing.pass_on(stream)
        if stream.waiting or stream.fileno() in ready:
            data = stream.receive()
            if not data:
                return
            yield data


def _write(target: BinaryIO, data: bytes) -> None:
    target.write(data)
    target.flush()


def terminal_size() -> tuple[int, int]:
    """Rows and columns of the terminal itself, whatever COLUMNS says; of an imagined one where there is none."""
    for stream in (sys.stdout, sys.stdin, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            size = os.get_terminal_size(stream.fileno())
            return size.lines, size.columns
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
