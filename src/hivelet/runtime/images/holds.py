"""Which layers are needed by something that no image names yet: a load, an import or a save under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

Hold = Callable[[Iterable[str]], None]
"""Called with the diff ids of layers that must stay until the hold ends."""


class LayerHolds:
    """Counts the holds on each layer; a layer is free when all of its holds have ended."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    @contextmanager
    def holding(self) -> Iterator[Hold]:
        """Hold layers until the `with` block ends; more may be added meanwhile."""
        held: list[str] = []

        def hold(diff_ids: Iterable[str]) -> None:
            new = list(diff_ids)
            held.extend(new)
            self._counts.update(new)

        try:
            yield hold
        finally:
            self._counts.subtract(held)
            self._counts += Counter()  # forgets those that are down to zero

    def held(self) -> Collection[str]:
        """The diff ids of all layers that are held."""
        return self._counts.keys()
