"""The Manager: starts and stops the loops. On several managers, only the leader's is started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from hivelet.kit.pulse import Pulse
from hivelet.kit.supervise import Supervisor
from hivelet.manager.allocator.loop import allocator
from hivelet.manager.dispatcher.loop import Dispatcher
from hivelet.manager.orchestrator.loop import orchestrator
from hivelet.manager.reaper.loop import reaper
from hivelet.manager.scheduler.loop import scheduler
from hivelet.store import Store


class Loop(Protocol):
    """What all loops have in common."""

    pulse: Pulse

    async def run(self) -> None:
        """Turn until cancelled."""
        ...


def _no_subnets() -> Mapping[str, str]:
    return {}


class Manager:
    """All loops over one store. A loop that crashes is logged and starts again from the whole state."""

    def __init__(
        self, store: Store, *, host_subnets: Callable[[], Mapping[str, str]] = _no_subnets
    ) -> None:
        self.dispatcher = Dispatcher(store)
        self._store = store
        self._host_subnets = host_subnets
        self._supervisor = Supervisor("manager")
        self.pulses: dict[str, Pulse] = {}
        """Those of the loops."""

    async def start(self) -> None:
        """Begin; returns at once."""
        store = self._store
        # Every start builds the loop anew: what it remembers is derived from the store.
        self._keep("orchestrator", lambda: orchestrator(store))
        self._keep("allocator", lambda: allocator(store, self._host_subnets))
        self._keep("scheduler", lambda: scheduler(store))
        self._keep("dispatcher", lambda: self.dispatcher)
        self._keep("reaper", lambda: reaper(store))

    async def stop(self) -> None:
        """End all loops and sessions; tasks go on running."""
        await self._supervisor.stop()
        self.pulses.clear()

    def _keep(self, name: str, build: Callable[[], Loop]) -> None:
        def begin() -> Awaitable[None]:
            loop = build()
            self.pulses[name] = loop.pulse
            return loop.run()

        self._supervisor.keep(name, begin)
