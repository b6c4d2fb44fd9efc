"""A load generator: GET requests, one connection each, every one of them accounted for in a line of JSON.

    python load.py URL --rate 50            so many a second, whatever the answers take (open loop)
    python load.py URL --users 30           so many at once, each asking again when it has its answer (closed loop)

ends after --requests, after --seconds, or when its standard input closes, whichever comes first; requests in hand are then
still waited for. Times are of CLOCK_MONOTONIC, so that they can be compared with the test's own. Uses only the standard
library, and starts quickly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from urllib.parse import urlsplit


class Load:
    """One run. `write` gets a line per request."""

    def __init__(self, options: argparse.Namespace) -> None:
        url = urlsplit(options.url)
        self.host, self.port = url.hostname or "127.0.0.1", url.port or 80
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        head = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
        self.request = head.encode()
        self.timeout: float = options.timeout
        self.limit: int = options.requests
        self.begun = 0
        self.stop = asyncio.Event()

    async def ask(self) -> tuple[int, str]:
        """One request on a connection of its own: status and body."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(self.request)
            answer = await reader.read(-1)
        finally:
            writer.close()
        head, separator, body = answer.partition(b"\r\n\r\n")
        if not separator:
            raise ConnectionError(
                f"the connection ended in the middle of the answer, after {len(answer)} bytes"
            )
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length" and int(value) != len(body):
                raise ConnectionError(f"{len(body)} bytes came of {int(value)}")
        return int(head.split(b" ", 2)[1]), body.decode(errors="replace").strip()

    async def account(self) -> None:
        """One request, and its line."""
        at = time.monotonic()
        record: dict[str, object] = {"at": at}
        try:
            async with asyncio.timeout(self.timeout):
                status, body = await self.ask()
            record |= {"status": status, "body": body}
            if status != 200 or not body:
                record["error"] = f"status {status}, {len(body)} bytes"
        except TimeoutError:
            record["error"] = f"no answer in {self.timeout:g} s"
        except OSError as error:
            record["error"] = f"{type(error).__name__}: {error}"
        record["took"] = time.monotonic() - at
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()

    def more(self) -> bool:
        """Whether another request shall begin; counts it."""
        if self.stop.is_set() or (self.limit and self.begun >= self.limit):
            return False
        self.begun += 1
        return True

    async def user(self) -> None:
        """Ask, and ask again."""
        while self.more():
            await self.account()

    async def at_rate(self, rate: float) -> None:
        """Begin a request every 1/rate seconds; being late is made up for, so the count is exact."""
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while self.more():
                group.create_task(self.account())
                due += 1 / rate
                try:
                    async with asyncio.timeout(max(0.0, due - time.monotonic())):
                        await self.stop.wait()
                except TimeoutError:
                    continue


async def main(options: argparse.Namespace) -> None:
    """Run until told to stop."""
    load = Load(options)
    loop = asyncio.get_running_loop()

    def until_closed() -> None:
        while os.read(0, 64):
            pass
        loop.call_soon_threadsafe(load.stop.set)

    threading.Thread(target=until_closed, daemon=True).start()
    if options.seconds:
        loop.call_later(options.seconds, load.stop.set)
    if options.rate:
        await load.at_rate(options.rate)
    else:
        async with asyncio.TaskGroup() as group:
            for _ in range(options.users):
                group.create_task(load.user())
    sys.stdout.flush()
    os._exit(0)  # the thread that waits for the standard input may still be blocked


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="GET requests, one connection each")
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--users", type=int, default=1)
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--timeout", type=float, default=10.0)
    asyncio.run(main(parser.parse_args()))
