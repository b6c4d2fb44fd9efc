"""What streams of single packets share: one every 1/rate seconds until the standard input closes, each accounted for in a line of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any


class Once(asyncio.DatagramProtocol):
    """Keeps the first datagram, or the error in place of one."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """The answer has come."""
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """The server's host says that nobody listens."""
        if not self.answer.done():
            self.answer.set_exception(exc)


async def account(
    packet: bytes,
    timeout: float,
    verdict: Callable[[bytes], dict[str, object]],
    **endpoint: Any,
) -> None:
    """Send one packet from an endpoint of its own, and write its line; `verdict` reads the answer."""
    at = time.monotonic()
    record: dict[str, object] = {"at": at}
    transport, once = await asyncio.get_running_loop().create_datagram_endpoint(Once, **endpoint)
    try:
        transport.sendto(packet)
        async with asyncio.timeout(timeout):
            record |= verdict(await once.answer)
    except TimeoutError:
        record["error"] = f"no answer in {timeout:g} s"
    except OSError as error:
        record["error"] = f"{type(error).__name__}: {error}"
    finally:
        transport.close()
    record["took"] = time.monotonic() - at
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


async def pace(begin: Callable[[int], Coroutine[Any, Any, None]], rate: float) -> None:
    """Begin one after the other, numbered, until the standard input closes; then wait for what is still open."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def until_closed() -> None:
        while os.read(0, 64):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=until_closed, daemon=True).start()
    due, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            group.create_task(begin(number))
            number, due = number + 1, due + 1 / rate
            try:
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await stop.wait()
            except TimeoutError:
                continue
