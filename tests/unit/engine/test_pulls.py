"""One pull for all who miss the same image, as long as anybody waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hivelet.engine.pulls import SharedPulls
from hivelet.errors import Unavailable
from hivelet.objects.image import RegistryAuth


class _Registry:
    """Counts what is asked of it, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ended: list[str] = []
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self.complaints.append(context)
        )

    async def pull(self, reference: str, _: RegistryAuth | None) -> None:
        self.asked.append(reference)
        try:
            await asyncio.shield(self.answer)
        finally:
            self.ended.append(reference)


async def _steps() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_who_miss_an_image_wait_for_one_pull() -> None:
    registry = _Registry()
    pulls = SharedPulls(registry.pull)
    waiting = [asyncio.ensure_future(pulls.join("web:1", None)) for _ in range(30)]
    await _steps()
    registry.answer.set_result(None)
    await asyncio.gather(*waiting)
    assert registry.asked == ["web:1"]


async def test_other_credentials_are_another_pull() -> None:
    registry = _Registry()
    pulls = SharedPulls(registry.pull)
    registry.answer.set_result(None)
    await asyncio.gather(
        pulls.join("web:1", None), pulls.join("web:1", RegistryAuth(username="ada"))
    )
    assert registry.asked == ["web:1", "web:1"]


async def test_each_who_waits_is_told_why_it_failed() -> None:
    registry = _Registry()
    pulls = SharedPulls(registry.pull)
    waiting = [asyncio.ensure_future(pulls.join("web:1", None)) for _ in range(3)]
    await _steps()
    registry.answer.set_exception(Unavailable("no registry"))
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in told] == ["no registry"] * 3


async def test_one_who_leaves_does_not_end_the_pull_of_the_others() -> None:
    registry = _Registry()
    pulls = SharedPulls(registry.pull)
    first, second = (asyncio.ensure_future(pulls.join("web:1", None)) for _ in range(2))
    await _steps()
    first.cancel()
    await _steps()
    registry.answer.set_result(None)
    await second
    assert registry.asked == ["web:1"]


async def test_the_last_who_leaves_ends_the_pull_and_the_next_begins_anew() -> None:
    registry = _Registry()
    pulls = SharedPulls(registry.pull)
    waiting = [asyncio.ensure_future(pulls.join("web:1", None)) for _ in range(2)]
    await _steps()
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert registry.ended == ["web:1"]
    registry.answer.set_result(None)
    await pulls.join("web:1", None)
    assert registry.asked == ["web:1", "web:1"]


@pytest.mark.parametrize("failing_first", [True, False])
async def test_a_failure_that_nobody_waits_for_is_no_complaint_of_the_event_loop(
    failing_first: bool,
) -> None:
    registry = _Registry()
    pulls = SharedPulls(registry.pull)
    waiting = asyncio.ensure_future(pulls.join("web:1", None))
    await _steps()
    acts = [lambda: registry.answer.set_exception(Unavailable("no registry")), waiting.cancel]
    for act in acts if failing_first else reversed(acts):
        act()
    await asyncio.gather(waiting, return_exceptions=True)
    if not failing_first:
        registry.answer.exception()  # ended before it was asked: the registry's own
    del waiting
    await _steps()
    assert registry.complaints == []
