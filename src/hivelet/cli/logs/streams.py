"""Many logs at once, each in a thread with a connection of its own: merged by their time, or as they are written.

No log may hold up the others. A log that is read to its end has to go on within some seconds, or it is left out and named;
what is followed is put in order within a short window.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from hivelet.cli.logs.lines import LogLine, parse_lines
from hivelet.cli.session import Session
from hivelet.client.streams import iter_frames
from hivelet.errors import HiveletError

Read = Callable[[], Iterator[LogLine]]
_AHEAD = 200
_WINDOW = 0.3
_END = object()


def open_log(
    session: Session, kind: str, ref: str, query: dict[str, object], *, terminal: bool
) -> Read:
    """A function that reads one log through a connection of its own."""
    address = session.engine.transport.address

    def read() -> Iterator[LogLine]:
        from hivelet.client.engine import Engine
        from hivelet.client.transport import Transport

        stream = Engine(Transport(address)).logs(kind, ref, dict(query))
        frames = ((1, chunk) for chunk in stream) if terminal else iter_frames(stream)
        yield from parse_lines(frames, ref if kind == "tasks" else "")

    return read


class _Reader:
    """One log in a thread, a bounded number of lines ahead."""

    def __init__(self, read: Read) -> None:
        self.lines: queue.Queue[LogLine | HiveletError | object] = queue.Queue(maxsize=_AHEAD)
        self._read = read
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for line in self._read():
                self.lines.put(line)
        except HiveletError as error:
            self.lines.put(error)
        self.lines.put(_END)


def merged(
    reads: Mapping[str, Read], *, patience: float, complain: Callable[[str], None]
) -> Iterator[LogLine]:
    """All lines of several logs, the oldest first; `complain` hears of a log that cannot be read or does not end."""

    def lines(name: str, reader: _Reader) -> Iterator[LogLine]:
        while True:
            try:
                item = reader.lines.get(timeout=patience)
            except queue.Empty:
                complain(
                    f"the log of {name} did not go on for {patience:g} s; the rest of it is left out"
                )
                return
            if isinstance(item, LogLine):
                yield item
                continue
            if isinstance(item, HiveletError):
                complain(f"the log of {name} cannot be read: {item.message}")
            return

    readers = {name: _Reader(read) for name, read in reads.items()}
    yield from heapq.merge(*(lines(name, reader) for name, reader in readers.items()))


class Following:
    """Logs that go on: lines in the order of their time, as far as they arrive within a short window of each other."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._arrived: queue.Queue[tuple[str, LogLine | HiveletError | None]] = queue.Queue()
        self._held: list[tuple[LogLine, int, float]] = []
        self._count = itertools.count()
        self.open: set[str] = set()

    def add(self, name: str, read: Read) -> None:
        """Read another log, until its end."""
        self.open.add(name)
        threading.Thread(target=self._run, args=(name, read), daemon=True).start()

    def _run(self, name: str, read: Read) -> None:
        end: HiveletError | None = None
        try:
            for line in read():
                self._arrived.put((name, line))
        except HiveletError as error:
            end = error
        self._arrived.put((name, end))

    def lines(self, seconds: float) -> Iterable[LogLine]:
        """What is due within the next `seconds`."""
        limit = self._monotonic() + seconds
        while (now := self._monotonic()) < limit:
            self._take(min(_WINDOW / 3, limit - now))
            yield from self._due(self._monotonic() - _WINDOW)

    def rest(self) -> Iterable[LogLine]:
        """What has been held back."""
        while not self._arrived.empty():
            self._take(0.0)
        return self._due(float("inf"))

    def _take(self, seconds: float) -> None:
        """Take in what has arrived, waiting so long for the first of it."""
        try:
            name, item = self._arrived.get(timeout=max(0.001, seconds))
            while True:
                if isinstance(item, LogLine):
                    heapq.heappush(self._held, (item, next(self._count), self._monotonic()))
                else:
                    self.open.discard(name)
                name, item = self._arrived.get_nowait()
        except queue.Empty:
            return

    def _due(self, until: float) -> Iterator[LogLine]:
        while self._held and self._held[0][2] <= until:
            yield heapq.heappop(self._held)[0]
