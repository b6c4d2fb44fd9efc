"""The API in front of the sample world, driven by real clients: the docker CLI, whichever are there, and docker-py."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivelet.api.app import build_app, serve
from hivelet.api.backend.backends import Backends
from hivelet.testing.clock import ManualClock
from hivelet.testing.engine_backend.engine import FakeEngine
from hivelet.testing.sample import MOMENT, make_world
from hivelet.testing.swarm_backend import FakeSwarm

CLIS = sorted({os.path.realpath(p) for p in (shutil.which("docker"), "/usr/bin/docker", os.environ.get("DOCKER_CLI")) if p and Path(p).exists()})  # fmt: skip


@dataclass
class World:
    """The fakes, where they are served, and a CLI to drive them with."""

    swarm: FakeSwarm
    engine: FakeEngine
    host: str
    home: str
    program: str = ""

    async def docker(self, *words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        """Run the docker CLI; its status, output and errors."""
        child = await asyncio.create_subprocess_exec(
            self.program,
            *words,
            env={
                "DOCKER_HOST": self.host,
                "HOME": self.home,
                "PATH": os.environ["PATH"],
                "TZ": "UTC",
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(child.communicate(stdin), 20)
        return child.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def serving(swarm: FakeSwarm, engine: FakeEngine) -> AsyncIterator[World]:
    """The world, served."""
    folder = tempfile.mkdtemp(prefix="hv")
    server = await serve(
        build_app(Backends(swarm=swarm, engine=engine), clock=ManualClock(MOMENT)),
        [f"unix://{folder}/s"],
    )
    yield World(swarm, engine, f"unix://{folder}/s", folder)
    await server.close()
    shutil.rmtree(folder)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with serving(*make_world()) as made:
        yield made


@pytest.fixture(params=CLIS or [pytest.param("", marks=pytest.mark.skip(reason="no docker CLI"))])
def cli(world, request) -> World:
    world.program = request.param
    return world
