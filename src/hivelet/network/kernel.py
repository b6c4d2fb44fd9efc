"""The thread for everything that blocks in the kernel or enters another namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Kernel:
    """One thread that talks to the kernel, in the order in which it was asked."""

    def __init__(self, name: str = "links") -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"network-{name}")

    async def call(self, work: Callable[..., T], *args: Any) -> T:
        """Run `work(*args)` in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def close(self) -> None:
        """End the thread once what was asked is done."""
        self._thread.shutdown(wait=True)
