"""Keys in the order of their ranks, kept while ranks come and go one by one. Pure data."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K")
R = TypeVar("R")


class Ranked(Generic[K, R]):
    """A set of keys, each with a rank; equal ranks go by the keys. A change costs a search, and moving some memory."""

    def __init__(self) -> None:
        self._ranks: dict[K, R] = {}
        # Of ranks and keys is only asked that they can be compared, which types can't say shortly.
        self._order: list[tuple[Any, Any]] = []

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[K]:
        return (key for _, key in self._order)

    def put(self, key: K, rank: R) -> None:
        """Add a key, or give it another rank."""
        self.drop(key)
        self._ranks[key] = rank
        insort(self._order, (rank, key))

    def drop(self, key: K) -> None:
        """Take a key out, where it is there."""
        if key in self._ranks:
            entry = (self._ranks.pop(key), key)
            del self._order[bisect_left(self._order, entry)]

    def highest(self) -> R | None:
        """The last rank; None where there is no key."""
        return self._order[-1][0] if self._order else None

    def after(self, rank: R) -> tuple[int, R | None]:
        """How many keys rank higher, and the lowest rank among them."""
        limit: Any = rank
        place = bisect_right(self._order, limit, key=_rank_of)
        return len(self._order) - place, self._order[place][0] if place < len(self) else None


def _rank_of(entry: tuple[Any, Any]) -> Any:
    return entry[0]
