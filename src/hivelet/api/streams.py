"""Answers that go on: JSON lines, log frames, archives. A client that leaves ends what feeds it.

Backpressure is the transport's: a chunk is asked for only when the one before it is on its way. Errors before the first
chunk get their own status; later ones, when the status is sent already, are told in the stream's own way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec
import structlog
from aiohttp import web

from hivelet.api.call import Call
from hivelet.api.errors import message_of
from hivelet.errors import HiveletError
from hivelet.kit.supervise import Supervisor

log = structlog.get_logger(__name__)

T = TypeVar("T")

_CHUNK = 1 << 16

_AHEAD = 64
"""How many items the sources of a `FanIn` may be ahead of its reader."""


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close an iterator at the end of the block, where it can be closed: its `finally` must not wait for the collector."""
    try:
        yield source
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def json_line(data: Any) -> bytes:
    """A line of a JSON stream."""
    return msgspec.json.encode(data) + b"\r\n"


def json_error(error: HiveletError) -> bytes:
    """How a JSON stream that has begun tells of an error."""
    message = message_of(error)
    return json_line({"errorDetail": {"message": message}, "error": message})


async def send_stream(
    call: Call,
    chunks: AsyncIterator[bytes],
    *,
    content_type: str,
    wait: bool = False,
    tell: Callable[[HiveletError], bytes] | None = json_error,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Send chunks as they come.

    Args:
        call: the request.
        chunks: what is sent.
        content_type: of the answer.
        wait: hold the headers back until the first chunk, so that an error before it gets a status of its own.
        tell: how an error is told once the answer has begun; None for archives, which have no place for it: they are cut off.
        headers: more of them.
    """
    response = web.StreamResponse(headers={"Content-Type": content_type, **(headers or {})})
    async with closing(chunks):
        head = await anext(chunks, None) if wait else None
        try:
            await response.prepare(call.request)
            if head:
                await response.write(head)
            if (error := await _send_rest(response, chunks)) is not None:
                if tell is None:
                    return _cut_off(call, response, error)
                await response.write(tell(error))
            await response.write_eof()
        except ConnectionError:
            # The client is gone. That is how a `logs --follow` ends, and no error of ours.
            return response
    return response


async def _send_rest(
    response: web.StreamResponse, chunks: AsyncIterator[bytes]
) -> HiveletError | None:
    try:
        async for chunk in chunks:
            await response.write(chunk)
    except HiveletError as error:
        return error
    return None


def _cut_off(call: Call, response: web.StreamResponse, error: HiveletError) -> web.StreamResponse:
    """End the connection in mid-answer, so that no client takes a part for the whole."""
    log.warning("an archive is cut off", work=call.request.path, error=message_of(error))
    if call.request.transport is not None:
        call.request.transport.abort()
    return response


async def gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer, larger chunks: for what is read to its end, where nobody waits for a single line."""
    waiting: list[bytes] = []
    size = 0
    async with closing(chunks):
        try:
            async for chunk in chunks:
                waiting.append(chunk)
                size += len(chunk)
                if size >= _CHUNK:
                    yield b"".join(waiting)
                    waiting, size = [], 0
        except HiveletError:
            yield b"".join(waiting)
            raise
    if waiting:
        yield b"".join(waiting)


class FanIn(Generic[T]):
    """Reads several iterators at once, in the order in which their items come; more may be added while it is read.

    An error of one source ends the whole. Leaving the block closes all sources.
    """

    def __init__(self, name: str) -> None:
        self._supervisor = Supervisor(name)
        self._items: asyncio.Queue[tuple[T] | HiveletError | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._open = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._supervisor.stop()

    def add(self, source: AsyncIterator[T]) -> None:
        """Read this source as well."""
        self.run(self._pump(source))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this meanwhile; the whole does not end before it, and its error ends the whole."""
        self._open += 1
        self._supervisor.spawn("source", self._until_end(work))

    async def items(self) -> AsyncIterator[T]:
        """The items of all sources, until the last source has ended."""
        while self._open:
            item = await self._items.get()
            if isinstance(item, HiveletError):
                raise item
            if item is None:
                self._open -= 1
                continue
            self._room.release()
            yield item[0]

    async def _pump(self, source: AsyncIterator[T]) -> None:
        async with closing(source):
            async for item in source:
                await self._room.acquire()
                self._items.put_nowait((item,))

    async def _until_end(self, work: Coroutine[Any, Any, None]) -> None:
        end: HiveletError | None = None
        try:
            await work
        except HiveletError as error:
            end = error
        finally:
            self._items.put_nowait(end)
