"""Output for slow clients and for such that have ceased to read."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.engine.plain.unhurried import Unhurried

AHEAD = 100


class Container:
    """Writes pieces, and knows how many were taken from it."""

    def __init__(self, pieces):
        self.pieces, self.taken, self.ended = pieces, 0, False

    async def __aiter__(self):
        try:
            for piece in self.pieces:
                await asyncio.sleep(0)
                yield 1, piece
                self.taken += 1
        finally:
            self.ended = True


def reader(container, patience=1000.0):
    return Unhurried(aiter(container), speaks=2, patience=patience, ahead=AHEAD).output()


async def turns(count=300):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_slow_reader_misses_nothing_and_holds_the_container_up():
    container = Container([b"%02d" % n * 10 for n in range(50)])
    output = reader(container)
    seen = [await anext(output)]
    await turns()
    assert container.taken <= 7
    async for piece in output:
        seen.append(piece)
        await turns(3)
    assert seen == [(1, piece) for piece in container.pieces]


async def test_one_that_does_not_read_is_not_waited_for_and_is_told():
    container = Container([b"%02d" % n * 10 for n in range(50)])
    output = reader(container, patience=0.01)
    seen = [await anext(output)]
    async with asyncio.timeout(20):
        while not container.ended:
            await asyncio.sleep(0.005)
    seen += [piece async for piece in output]
    kept, (stream, notice) = seen[:-1], seen[-1]
    assert stream == 2
    assert kept == [(1, piece) for piece in container.pieces[: len(kept)]]
    left_out = re.search(rb"(\d+) bytes of output are left out", notice)
    assert int(left_out[1]) == (50 - len(kept)) * 20


async def test_whoever_leaves_lets_go_of_the_container():
    container = Container([b"x" * 50] * 1000)
    output = reader(container)
    await anext(output)
    await output.aclose()
    assert container.taken < 10


async def test_an_error_of_the_source_is_the_readers():
    async def broken():
        yield 1, b"a"
        raise RuntimeError("gone")

    output = Unhurried(broken(), speaks=2).output()
    assert await anext(output) == (1, b"a")
    with pytest.raises(RuntimeError, match="gone"):
        await anext(output)


@given(st.lists(st.binary(min_size=1, max_size=250), max_size=30), st.integers(0, 5))
def test_whatever_is_written_comes_in_order(pieces, pause):
    async def read():
        seen = []
        async for piece in reader(Container(pieces)):
            seen.append(piece)
            await turns(pause)
        return seen

    assert asyncio.run(read()) == [(1, piece) for piece in pieces]
