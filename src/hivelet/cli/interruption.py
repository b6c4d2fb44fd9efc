"""Ctrl-C and SIGTERM while something is being done: a step that has begun is finished first, a second signal ends it at once.

Either signal ends the command with exit code 130, after it has said how far things are.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Turns both signals into KeyboardInterrupt; within `held()` only once its block is done."""

    def __init__(self) -> None:
        self._holding = False
        self._wanted = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for the signals; outside of the main thread, where Python has none, nothing is watched."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Finish the block before giving way to a signal.

        Raises:
            KeyboardInterrupt: a signal has come.
        """
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._wanted:
            raise KeyboardInterrupt

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._holding and not self._wanted:
            self._wanted = True
            return
        raise KeyboardInterrupt
