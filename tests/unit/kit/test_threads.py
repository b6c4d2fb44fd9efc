"""Blocking work whose caller leaves."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from hivelet.kit.threads import in_thread


async def test_what_the_work_gives_and_raises_is_the_callers() -> None:
    assert await in_thread(lambda: 7) == 7
    with pytest.raises(KeyError):
        await in_thread(lambda: {}["missing"])


async def test_a_caller_who_leaves_waits_for_the_end_and_its_failure_is_no_complaint() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait()
        ended.set()
        raise OSError("disk full")

    caller = asyncio.ensure_future(in_thread(work))
    await asyncio.to_thread(begun.wait)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
    del caller
    await asyncio.sleep(0)
    assert complaints == []
