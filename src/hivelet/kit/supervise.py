"""Work whose failure is never lost: logged, and restarted where it is meant to go on for ever.

The only module that may catch `Exception`: everything that runs beside a request runs under it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from hivelet.kit.backoff import Backoff
from hivelet.kit.host_faults import describe_fault, is_host_fault

log = structlog.get_logger(__name__)

T = TypeVar("T")

_NOTHING: Mapping[str, str] = {}

_RESTART = Backoff(first=0.1, ceiling=5.0, jitter=0.0)


@dataclass(frozen=True, slots=True)
class Defect:
    """What guarded work came to instead of an answer: an error that nobody had foreseen."""

    error: Exception

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"


def guard(work: Callable[[], T], what: str, **fields: object) -> T | Defect:
    """What `work` gives. An exception is logged as `what`, with its traceback, and handed over as a value.

    For one of many that must not stop the others; whoever calls this says when it is tried again.
    """
    try:
        return work()
    except Exception as error:
        log.exception(what, **fields)
        return Defect(error)


async def guard_async(
    work: Awaitable[T],
    what: str,
    /,
    *,
    expected: type[Exception] | tuple[type[Exception], ...],
    told: set[str],
    **fields: object,
) -> T | Defect:
    """The same for what is awaited. `expected` errors pass; what is in `told` was logged before, and is not again."""
    try:
        return await work
    except expected:
        raise
    except Exception as error:
        defect = Defect(error)
        if str(defect) not in told:
            told.add(str(defect))
            log.exception(what, **fields)
        return defect


class Supervisor:
    """Owns background work. `stop` cancels all of it and waits for its end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(
        self, name: str, work: Coroutine[Any, Any, Any], *, about: Mapping[str, str] = _NOTHING
    ) -> asyncio.Task[Any]:
        """Run `work` once; an exception is logged and ends only this piece of work.

        Whatever is logged in it, and in what it begins itself, has the fields of what it is `about`.
        """
        background = self._start(name, self._once(name, work, about))
        # Cancelled before its first step, the work would never have been awaited.
        background.add_done_callback(lambda _: work.close())
        return background

    def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[Any]:
        """Run `work()` again and again until `stop`; a crash is logged and waits a growing moment."""
        return self._start(name, self._forever(name, work))

    async def stop(self) -> None:
        """Cancel everything and wait until it has ended."""
        current = asyncio.current_task()
        while doomed := [t for t in self._running if t is not current]:
            for background in doomed:
                background.cancel()
            await asyncio.gather(*doomed, return_exceptions=True)

    def _start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        background = asyncio.get_running_loop().create_task(work, name=f"{self._name}.{name}")
        self._running.add(background)
        background.add_done_callback(self._running.discard)
        return background

    async def _once(
        self, name: str, work: Coroutine[Any, Any, Any], about: Mapping[str, str]
    ) -> Any:
        # Never unbound again: the context is this work's own.
        if about:
            structlog.contextvars.bind_contextvars(**about)
        try:
            return await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if is_host_fault(error):
                log.warning("background work failed", work=name, error=describe_fault(error))
            else:
                log.exception("background work failed", supervisor=self._name, work=name)
            return None

    async def _forever(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        attempt, told = 0, ""
        while True:
            try:
                await work()
                attempt, told = 0, ""
            except asyncio.CancelledError:
                raise
            except Exception as error:
                attempt += 1
                if not is_host_fault(error):
                    log.exception(
                        "background work crashed and is restarted", supervisor=self._name, work=name
                    )
                elif told != (told := describe_fault(error)):
                    log.warning("background work waits for the machine", work=name, error=told)
            await asyncio.sleep(_RESTART.delay(attempt))
