"""A command line in a terminal, with somebody who types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import Self

from harness.cli import Cli


class Terminal:
    """`cli WORDS` in a terminal of its own."""

    def __init__(self, cli: Cli, *words: str, rows: int = 24, columns: int = 80) -> None:
        self._leader, follower = pty.openpty()
        self.resize(rows, columns)
        self.said = ""
        self._child = subprocess.Popen(
            [*cli.argv, *words],
            env={**cli.env, "TERM": "xterm"},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(follower)

    def resize(self, rows: int, columns: int) -> None:
        """Make the window another size; whoever runs in it is told."""
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._leader, text.encode())

    def until(self, word: str, timeout: float = 20) -> None:
        """Read until `word` has been said; what was said before it is forgotten."""
        deadline = time.monotonic() + timeout
        while word not in self.said:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{word!r} was not said, but {self.said!r}")
        self.said = self.said.partition(word)[2]

    def answers(self, text: str, word: str) -> bool:
        """Whether `word` is said soon after `text` was typed."""
        self.type(text)
        try:
            self.until(word, timeout=1)
        except AssertionError:
            return False
        return True

    def wait(self, timeout: float = 20) -> int:
        """The command's exit status, once it has ended."""
        deadline = time.monotonic() + timeout
        while self._read(max(0.0, deadline - time.monotonic())):
            pass
        return self._child.wait(max(1.0, deadline - time.monotonic()))

    def kill(self) -> None:
        """As when the machine of the user goes down."""
        self._child.kill()
        self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._leader)

    def _read(self, timeout: float) -> bool:
        if not select.select([self._leader], [], [], timeout)[0]:
            return False
        try:
            self.said += os.read(self._leader, 65536).decode(errors="replace")
        except OSError:  # the other side is closed
            return False
        return True
