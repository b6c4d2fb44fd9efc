"""What the fake engine has, and what it remembers of its calls."""

from __future__ import annotations

import asyncio
from datetime import datetime

from hivelet.objects.common import TaskId
from hivelet.objects.engine import (
    BackendTraffic,
    Container,
    ExitResult,
    NetworkContainer,
    NodeNetwork,
)
from hivelet.objects.event import Event
from hivelet.objects.exec import Exec
from hivelet.objects.image import Image, RegistryImage
from hivelet.objects.log import LogRecord
from hivelet.objects.volume import Volume
from hivelet.testing.engine_backend.streams import FakeStreams


class Contents:
    """A node in memory. `calls` remembers what was done to containers; `registry` what it would answer."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.containers: dict[str, Container] = {}
        self.images: dict[str, Image] = {}
        self.networks: dict[str, NodeNetwork] = {}
        self.attached: dict[str, dict[str, NetworkContainer]] = {}
        self.traffic: dict[TaskId, BackendTraffic] = {}
        self.volumes: dict[str, Volume] = {}
        self.logs: dict[str, list[LogRecord]] = {}
        self.registry: dict[str, RegistryImage] = {}
        self.credentials: dict[str, str] = {}
        self.history: list[Event] = []
        self.execs: dict[str, Exec] = {}
        self.files: dict[str, bytes] = {}
        self.streams: FakeStreams | None = None
        self.received: list[bytes] = []
        self.calls: list[tuple[object, ...]] = []
        self.exits: dict[str, ExitResult] = {}
        self.follow_forever = asyncio.Event()
        self.opened_streams = 0
        self.closed_streams = 0
