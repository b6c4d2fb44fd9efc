"""Where the store's commits are kept: a narrow interface, and one implementation that forgets.

A journal gets commits strictly in order and says of each when it is safe; safe means that all earlier ones are too. It
needs no queries and no ordering of its own, so a key-value server with transactions (etcd) can be one as well as a file.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from hivelet.errors import SwarmLocked, System
from hivelet.objects.plan import Object
from hivelet.store.tables import KIND_NAMES, KINDS
from hivelet.store.unlocking import UnlockKeyWrong

SCHEMA = 2
"""The version of the format that this hivelet writes: JSON of the objects as `hivelet.objects` declares them, sealed.

1 was the same in plain; it is sealed when it is opened.
"""

KIND_OF_NAME: dict[str, type[Any]] = {KIND_NAMES[kind]: kind for kind in KINDS}

_encoder = msgspec.json.Encoder()
_decoders = {kind: msgspec.json.Decoder(kind) for kind in KINDS}


class JournalCorrupt(System):
    """What the journal holds can't be read back."""


class JournalTooNew(System):
    """The journal was written by a later hivelet."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit: objects as they are now, and what is gone (kind and id)."""

    version: int
    puts: tuple[Object, ...]
    drops: tuple[tuple[type[Any], str], ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """All that a journal holds."""

    version: int
    objects: tuple[Object, ...]


class Journal(Protocol):
    """Keeps commits. Used from one event loop."""

    async def load(self, unlock_key: str = "") -> Saved:
        """Open, and read everything. After an error nothing is open, and it may be tried again.

        Raises:
            JournalCorrupt, JournalTooNew: with the way out in the sentence.
            SwarmLocked, UnlockKeyWrong: it needs an unlock key, or another one.
        """
        ...

    async def protect(self, unlock_key: str) -> None:
        """From now on `load` needs this key; "" for none. Safe when it returns, and nothing where it is so already."""
        ...

    async def discard(self) -> None:
        """Forget everything in what can't be opened."""
        ...

    def append(self, entry: Entry) -> asyncio.Future[None]:
        """Take a commit in; the future is done once it is safe, and fails if it never will be.

        After a failure every commit fails until `retry` has succeeded: none may be kept without the one before it.
        """
        ...

    async def retry(self) -> None:
        """Take commits again, if something can be written by now.

        Raises:
            System: it still can't; the message says why.
        """
        ...

    def hurry(self) -> None:
        """Somebody waits for what was taken in: make it safe without delay."""
        ...

    async def close(self) -> None:
        """Write out what was taken in, and let go."""
        ...


class MemoryJournal:
    """A journal for tests and simulations. A store opened on it again finds all it was given.

    With a `latency` (seconds of the loop's time) entries are safe only after a while, as on a disk; `survivors` is what a
    crash at this moment would leave.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self._latency = latency
        self._rows: dict[tuple[type[Any], str], Object] = {}
        self._version = 0
        self._unsafe: deque[tuple[Entry, asyncio.Future[None]]] = deque()
        self._unlock_key = ""

    async def load(self, unlock_key: str = "") -> Saved:
        """What is safe."""
        if self._unlock_key and not unlock_key:
            raise SwarmLocked
        if self._unlock_key not in {"", unlock_key}:
            raise UnlockKeyWrong
        return Saved(self._version, tuple(self._rows.values()))

    async def protect(self, unlock_key: str) -> None:
        """Remember the key."""
        self._unlock_key = unlock_key

    async def discard(self) -> None:
        """Forget everything."""
        self._rows.clear()
        self._unlock_key = ""

    def append(self, entry: Entry) -> asyncio.Future[None]:
        """Keep it, at once or after the latency."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._unsafe.append((entry, future))
        if self._latency:
            loop.call_later(self._latency, self._settle, 1)
        else:
            self._settle(1)
        return future

    async def retry(self) -> None:
        """Nothing: it does not fail."""

    def hurry(self) -> None:
        """Nothing: the latency is what a disk would need at best."""

    async def close(self) -> None:
        """Make everything safe."""
        self._settle(len(self._unsafe))

    def survivors(self) -> MemoryJournal:
        """A journal with what is safe now, and nothing else."""
        copy = MemoryJournal(self._latency)
        copy._rows = dict(self._rows)
        copy._version = self._version
        copy._unlock_key = self._unlock_key
        return copy

    def _settle(self, count: int) -> None:
        for _ in range(min(count, len(self._unsafe))):
            entry, future = self._unsafe.popleft()
            self._version = entry.version
            for obj in entry.puts:
                self._rows[type(obj), obj.id] = obj
            for key in entry.drops:
                self._rows.pop(key, None)
            if not future.done():
                future.set_result(None)


def encode(obj: Object) -> bytes:
    """An object as the journal writes it."""
    return _encoder.encode(obj)


def decode(kind_name: str, id_: str, data: bytes) -> Object:
    """An object as the journal reads it.

    Raises:
        JournalCorrupt: it isn't one.
    """
    kind = KIND_OF_NAME.get(kind_name)
    if kind is None:
        raise JournalCorrupt(f"the journal holds an object of the unknown kind {kind_name!r}")
    try:
        found: Object = _decoders[kind].decode(data)
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(f"it is no {kind_name}: {error}") from error
    return found


def in_order(objects: Sequence[Object]) -> list[Object]:
    """Objects in the order of their creation, so that lists come out the same after a restart."""
    return sorted(objects, key=_birth)


def _birth(obj: Object) -> tuple[float, int]:
    created = obj.meta.created_at
    return (created.timestamp() if created else 0.0, obj.meta.version.index)
