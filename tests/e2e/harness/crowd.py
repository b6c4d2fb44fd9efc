"""A crowd of API clients on one socket, each with a connection of its own; a line of JSON says what they saw.

    python crowd.py SOCKET --askers 140 --watchers 30 --followers 30 --service NAME

Askers list and inspect in turn, and pause after each answer as a person or a dashboard does; watchers read `/events`, followers the logs of a
service. Says "ready" when all have had their first answer, and ends when its standard input closes. Every answer that is no 2xx, every
broken connection and every stream that ends is an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

V = "/v1.41"


class Crowd:
    """All clients, and what they saw."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.took: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.read: dict[str, int] = defaultdict(int)
        self.known: dict[str, list[str]] = {}
        self.waiting = options.askers + options.watchers + options.followers
        self.ready = asyncio.Event()
        self.over = asyncio.Event()

    def came(self) -> None:
        """A client has had its first answer."""
        self.waiting -= 1
        if self.waiting <= 0:
            self.ready.set()

    async def client(self, work: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
        """One client with one connection."""
        connector = aiohttp.UnixConnector(self.options.socket, limit=1)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            try:
                await work(session)
            except (aiohttp.ClientError, OSError) as error:
                self.errors.append(f"{work.__name__}: {type(error).__name__}: {error}")
                # The others need not wait for one who will not come any more.
                self.came()

    async def ask(self, session: aiohttp.ClientSession, kind: str, path: str) -> Any:
        """One request, timed from its sending to the last byte."""
        begun = time.perf_counter()
        async with session.get(f"http://d{V}{path}") as answer:
            body = await answer.read()
        self.took[kind].append(time.perf_counter() - begun)
        # What was listed may be gone when it is asked for: a task of the past is forgotten.
        gone = answer.status == 404 and kind.startswith("inspect")
        if answer.status >= 300 and not gone:
            self.errors.append(f"{path}: {answer.status} {body[:200]!r}")
            return None
        return None if gone else json.loads(body)

    async def asker(self, session: aiohttp.ClientSession) -> None:
        """List and inspect, in turn."""
        first = True
        nouns = ("services", "tasks", "nodes", "networks", "containers")
        while not self.over.is_set():
            noun = random.choice(nouns)
            path = "/containers/json?all=1" if noun == "containers" else f"/{noun}"
            if noun == "services" and random.random() < 0.5:
                path += "?status=true"
            listed = await self.ask(session, f"list {noun}", path)
            if listed:
                one = random.choice(listed)
                ref = one.get("ID") or one["Id"]
                path = f"/containers/{ref}/json" if noun == "containers" else f"/{noun}/{ref}"
                await self.ask(session, f"inspect {noun}", path)
            if first:
                first = False
                self.came()
            try:
                async with asyncio.timeout(self.options.pause * (0.5 + random.random())):
                    await self.over.wait()
            except TimeoutError:
                continue

    async def watcher(self, session: aiohttp.ClientSession) -> None:
        """Read events."""
        await self.stream(session, "events", "/events")

    async def follower(self, session: aiohttp.ClientSession) -> None:
        """Read a service's logs."""
        path = f"/services/{self.options.service}/logs?stdout=1&follow=1&tail=1"
        await self.stream(session, "log bytes", path)

    async def stream(self, session: aiohttp.ClientSession, what: str, path: str) -> None:
        """Read until all is over."""
        async with session.get(f"http://d{V}{path}") as answer:
            if answer.status != 200:
                self.errors.append(f"{path}: {answer.status} {await answer.text()}")
                return
            self.came()
            reading = asyncio.create_task(self.drain(answer, what))
            ended = asyncio.create_task(self.over.wait())
            await asyncio.wait((reading, ended), return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and not self.over.is_set():
                self.errors.append(f"{path}: ended by itself ({reading.exception()})")
            for each in (reading, ended):
                each.cancel()

    async def drain(self, answer: aiohttp.ClientResponse, what: str) -> None:
        """Take in what comes."""
        async for chunk in answer.content.iter_any():
            self.read[what] += chunk.count(b"\n") if what == "events" else len(chunk)

    async def run(self) -> None:
        """All of them, until the standard input closes."""
        options = self.options
        roles = (
            (self.asker, options.askers),
            (self.watcher, options.watchers),
            (self.follower, options.followers),
        )
        loop = asyncio.get_running_loop()
        closed = loop.run_in_executor(None, sys.stdin.read)
        async with asyncio.TaskGroup() as group:
            for role, number in roles:
                for _ in range(number):
                    group.create_task(self.client(role))
            await self.ready.wait()
            # The rush of the beginning is over; what is timed is a crowd at work.
            self.took.clear()
            print("ready", flush=True)
            await closed
            self.over.set()

    def summary(self) -> dict[str, Any]:
        """What they saw; seconds."""
        every = [one for times in self.took.values() for one in times]
        return {
            "requests": len(every),
            "all": quantiles(every),
            "kinds": {kind: quantiles(times) for kind, times in sorted(self.took.items())},
            "read": dict(self.read),
            "errors": self.errors,
        }


def quantiles(times: list[float]) -> dict[str, float]:
    """The median, the 99th of a hundred, and the slowest."""
    ordered = sorted(times) or [0.0]
    last = len(ordered) - 1
    return {
        "p50": ordered[round(last * 0.5)],
        "p99": ordered[round(last * 0.99)],
        "slowest": ordered[last],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A crowd of API clients")
    parser.add_argument("socket")
    parser.add_argument("--askers", type=int, default=1)
    parser.add_argument("--watchers", type=int, default=0)
    parser.add_argument("--followers", type=int, default=0)
    parser.add_argument("--service", default="")
    parser.add_argument("--pause", type=float, default=3.0)
    crowd = Crowd(parser.parse_args())
    asyncio.run(crowd.run())
    print(json.dumps(crowd.summary()), flush=True)
