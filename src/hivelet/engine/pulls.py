"""Thirty tasks that miss the same image ask the registry once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hivelet.objects.image import RegistryAuth

Key = tuple[str, RegistryAuth | None]


@dataclass(slots=True)
class _Shared:
    pull: asyncio.Future[None]
    waiting: int = 0


class SharedPulls:
    """The pulls that tasks wait for: one for an image and its credentials, as long as anybody waits for it."""

    def __init__(self, pull: Callable[[str, RegistryAuth | None], Awaitable[None]]) -> None:
        self._pull = pull
        self._under_way: dict[Key, _Shared] = {}

    async def join(self, reference: str, auth: RegistryAuth | None) -> None:
        """Return when the image is here. The last who leaves ends the pull, as a task that is removed does in Swarm.

        Raises:
            HiveletError: what the pull raises, for each who waits.
        """
        key = (reference, auth)
        shared = self._under_way.get(key)
        if shared is None:
            shared = _Shared(asyncio.ensure_future(self._pull(reference, auth)))
            self._under_way[key] = shared
        shared.waiting += 1
        try:
            await asyncio.shield(shared.pull)
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                # First out of sight: who comes now must not be given a pull that is being ended.
                del self._under_way[key]
                shared.pull.cancel()
                await asyncio.gather(shared.pull, return_exceptions=True)
