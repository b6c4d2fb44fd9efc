"""The API as one aiohttp application, and the sockets it is served on.

Every request runs through `_Dispatcher`: find the route, run it, turn errors into Docker's answers. What a request
changes is finished even if its client leaves in the middle; what it merely streams ends with its client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ssl import SSLContext

from aiohttp import web

import hivelet
from hivelet.api.backend.backups import BackupBackend
from hivelet.api.backend.engine import EngineBackend
from hivelet.api.backend.swarm import SwarmBackend
from hivelet.api.call import BODY_LIMIT, Call, refuse
from hivelet.api.listeners import open_listeners
from hivelet.api.meter import ApiMeter
from hivelet.api.metrics_site import MetricsBackend
from hivelet.api.router import Route, Router
from hivelet.api.routes import ALL_ROUTES
from hivelet.api.tls_front import TlsFront
from hivelet.convert.versions import MAXIMUM, ApiVersion
from hivelet.errors import HiveletError, System
from hivelet.kit.clock import Clock, SystemClock
from hivelet.kit.supervise import Supervisor

_HEADERS = {
    "Api-Version": str(MAXIMUM),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"hivelet/{hivelet.__version__} (linux)",
}
"""What Docker's clients read of every answer."""

_GRACE = 2.0
"""Seconds that open requests get when the server closes; streams are cut after it."""


class _Dispatcher:
    """Answers requests by the route table."""

    def __init__(
        self,
        swarm: SwarmBackend,
        engine: EngineBackend,
        clock: Clock,
        meter: ApiMeter,
        metrics: MetricsBackend | None,
        backups: BackupBackend | None,
    ) -> None:
        self._swarm = swarm
        self._engine = engine
        self._clock = clock
        self._meter = meter
        self._metrics = metrics
        self._backups = backups
        self._router = Router(ALL_ROUTES)
        self._supervisor = Supervisor("api")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request."""
        try:
            row, version, params = self._router.find(request.method, request.path)
        except HiveletError as error:
            answer = refuse(error)
            self._meter.refused(request.method, answer.status)
            return answer
        with self._meter.measure(row) as measured:
            return measured.answered(await self._answer(request, row, version, params))

    async def _answer(
        self, request: web.Request, row: Route, version: ApiVersion, params: dict[str, str]
    ) -> web.StreamResponse:
        call = Call(
            request=request,
            version=version,
            params=params,
            swarm=self._swarm,
            engine=self._engine,
            clock=self._clock,
            metrics=self._metrics,
            backups=self._backups,
        )
        if row.streaming:
            return await self._run(row, call)
        # Under the supervisor, because the server cancels this coroutine when the client leaves: a service that was
        # half created would be worse than an answer that nobody reads.
        work = self._supervisor.spawn(f"{row.method} {row.path}", self._run(row, call))
        found: web.StreamResponse | None = await asyncio.shield(work)
        if found is None:
            return refuse(System(f"hivelet failed at {row.method} {row.path}; its log says why"))
        return found

    async def stop(self, _: web.Application) -> None:
        """Cancel what is still being answered."""
        await self._supervisor.stop()

    @staticmethod
    async def _run(row: Route, call: Call) -> web.StreamResponse:
        try:
            return await row.answer(call)
        except HiveletError as error:
            return refuse(error)


def build_app(
    swarm: SwarmBackend,
    engine: EngineBackend,
    *,
    clock: Clock | None = None,
    meter: ApiMeter | None = None,
    metrics: MetricsBackend | None = None,
    backups: BackupBackend | None = None,
) -> web.Application:
    """The API in front of these backends; what is asked of it is counted by `meter`."""
    dispatcher = _Dispatcher(
        swarm, engine, clock or SystemClock(), meter or ApiMeter(), metrics, backups
    )
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_route("*", "/{path:.*}", dispatcher.answer)
    app.on_response_prepare.append(_add_headers)
    app.on_cleanup.append(dispatcher.stop)
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


class ApiServer:
    """A served application."""

    def __init__(
        self, runner: web.AppRunner, hosts: tuple[str, ...], front: TlsFront | None
    ) -> None:
        self._runner = runner
        self._front = front
        self.hosts = hosts

    async def close(self) -> None:
        """Stop listening, and end what is still being answered."""
        if self._front is not None:
            self._front.stop_listening()
        await self._runner.cleanup()
        if self._front is not None:
            await self._front.close()


async def serve(
    app: web.Application,
    hosts: Sequence[str],
    *,
    group: str | None = None,
    tls: SSLContext | None = None,
) -> ApiServer:
    """Serve the application on these hosts (`unix:///path`, `tcp://address:port`).

    Args:
        app: the application.
        hosts: where to listen.
        group: whose members may use unix sockets; "hivelet" or "docker", where one of them exists, if none is given.
        tls: certificates of both sides; without it TCP is refused.

    Raises:
        HiveletError: a host has no valid form, or its address or path cannot be used.
    """
    listeners = open_listeners(hosts, group=group, secured=tls is not None)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=_GRACE, access_log=None)
    await runner.setup()
    assert runner.server is not None
    front = TlsFront(tls, runner.server) if tls is not None else None
    for listener in listeners:
        if listener.secured and front is not None:
            await front.listen(listener.socket)
        else:
            await web.SockSite(runner, listener.socket).start()
    return ApiServer(runner, tuple(hosts), front)
