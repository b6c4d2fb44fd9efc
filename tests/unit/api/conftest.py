"""The API served on a unix socket in front of the sample world."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hivelet.api.app import build_app, serve
from hivelet.api.backend.backends import Backends
from hivelet.testing.clock import ManualClock
from hivelet.testing.engine_backend.engine import FakeEngine
from hivelet.testing.sample import MOMENT, make_world
from hivelet.testing.swarm_backend import FakeSwarm


@dataclass
class Api:
    """A client of the served API, and the fakes behind it."""

    session: aiohttp.ClientSession
    swarm: FakeSwarm
    engine: FakeEngine
    socket: str

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with self.session.request(method, f"http://d{path}", **more) as answer:
            body = await answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, (await answer.json() if "json" in kind and body else body)

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, body
        return body

    @asynccontextmanager
    async def stream(self, path: str, method: str = "GET") -> AsyncIterator[aiohttp.ClientResponse]:
        async with self.session.request(method, f"http://d{path}") as answer:
            yield answer


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    swarm, engine = make_world()
    folder = Path(tempfile.mkdtemp(prefix="hv"))
    socket = str(folder / "s")
    app = build_app(
        Backends(swarm=swarm, engine=engine), clock=ManualClock(MOMENT + timedelta(seconds=1))
    )
    server = await serve(app, [f"unix://{socket}"])
    connector = aiohttp.UnixConnector(socket)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Api(session, swarm, engine, socket)
    await server.close()
    shutil.rmtree(folder)
