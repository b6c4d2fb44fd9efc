"""The API as one aiohttp application, and the sockets it is served on.

Every request runs through `_Dispatcher`: find the route, run it, turn errors into Docker's answers. What a request
changes is finished even if its client leaves in the middle; what it merely streams ends with its client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from ssl import SSLContext

import structlog
from aiohttp import web

import hivelet
from hivelet.api.backend.backends import Backends
from hivelet.api.call import Call, refuse
from hivelet.api.connection import Connection
from hivelet.api.gate import Gate, Visits
from hivelet.api.hijack import is_begun
from hivelet.api.http_log import http_logger
from hivelet.api.limits import BODY_LIMIT, Limits
from hivelet.api.listeners import BACKLOG, Listener, open_listeners
from hivelet.api.malformed import check_target
from hivelet.api.meter import ApiMeter
from hivelet.api.router import Route, Router
from hivelet.api.routes import ALL_ROUTES
from hivelet.api.tls_front import TlsFront
from hivelet.convert.versions import MAXIMUM, ApiVersion
from hivelet.errors import HiveletError, System
from hivelet.kit.clock import Clock, SystemClock
from hivelet.kit.host_faults import HostFault, host_faults
from hivelet.kit.supervise import Defect, Supervisor, guard_async

log = structlog.get_logger(__name__)

_HEADERS = {
    "Api-Version": str(MAXIMUM),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"hivelet/{hivelet.__version__} (linux)",
}
"""What Docker's clients read of every answer."""

_LIMITS = web.AppKey("limits", Limits)
_VISITS = web.AppKey("visits", Visits)

_GRACE = 2.0
"""Seconds that open requests get when the server closes; streams are cut after it."""


class _Dispatcher:
    """Answers requests by the route table."""

    def __init__(self, backends: Backends, clock: Clock, limits: Limits, meter: ApiMeter) -> None:
        self._backends = backends
        self._clock = clock
        self._limits = limits
        self._meter = meter
        self._large_bodies = asyncio.Semaphore(limits.bodies)
        self.visits = Visits()
        self._router = Router(ALL_ROUTES)
        self._supervisor = Supervisor("api")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request."""
        with self.visits.request(request.protocol):
            return await self._find_and_answer(request)

    async def _find_and_answer(self, request: web.Request) -> web.StreamResponse:
        try:
            check_target(request)
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
            backends=self._backends,
            clock=self._clock,
            limits=self._limits,
            large_bodies=self._large_bodies,
        )
        if row.streaming:
            return await self._streamed(row, call)
        # Under the supervisor, because the server cancels this coroutine when the client leaves: a service that was
        # half created would be worse than an answer that nobody reads.
        work = self._supervisor.spawn(f"{row.method} {row.path}", self._run(row, call))
        found: web.StreamResponse | None = await asyncio.shield(work)
        if found is None:
            return refuse(System(f"hivelet failed at {row.method} {row.path}; its log says why"))
        return found

    async def _streamed(self, row: Route, call: Call) -> web.StreamResponse:
        name = f"{row.method} {row.path}"
        found = await guard_async(
            self._run(row, call),
            "a request failed",
            expected=(web.HTTPException, ConnectionError),
            told=set(),
            work=name,
        )
        if not isinstance(found, Defect):
            return found
        if is_begun(call.request) and call.request.transport is not None:
            # No client may take a part for the whole.
            call.request.transport.abort()
        return refuse(System(f"hivelet failed at {name}; its log says why"))

    async def stop(self, _: web.Application) -> None:
        """Cancel what is still being answered."""
        await self._supervisor.stop()

    @staticmethod
    async def _run(row: Route, call: Call) -> web.StreamResponse:
        try:
            with host_faults():
                return await row.answer(call)
        except HostFault as error:
            log.warning(
                "the machine refused what a request needs", work=row.path, error=error.message
            )
            return refuse(error)
        except HiveletError as error:
            return refuse(error)


def build_app(
    backends: Backends,
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    meter: ApiMeter | None = None,
) -> web.Application:
    """The API in front of these backends; what is asked of it is counted by `meter`."""
    limits = limits or Limits()
    dispatcher = _Dispatcher(backends, clock or SystemClock(), limits, meter or ApiMeter())

    @web.middleware
    async def answer(request: web.Request, handler: object) -> web.StreamResponse:
        del handler  # targets such as `*` fit no route, and are answered like any other
        return await dispatcher.answer(request)

    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[answer])
    app[_LIMITS], app[_VISITS] = limits, dispatcher.visits
    app.router.add_route("*", r"/{path:[\s\S]*}", dispatcher.answer)
    app.on_response_prepare.append(_add_headers)
    app.on_cleanup.append(dispatcher.stop)
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


class ApiServer:
    """A served application."""

    def __init__(
        self,
        runner: web.AppRunner,
        hosts: tuple[str, ...],
        gate: Gate,
        front: TlsFront | None,
    ) -> None:
        self._runner = runner
        self._gate = gate
        self._listening: list[asyncio.Server] = []
        self._front = front
        self.hosts = hosts

    async def listen(self, listener: Listener) -> None:
        """Answer what comes here."""
        if listener.secured and self._front is not None:
            await self._front.listen(listener.socket)
        else:
            loop = asyncio.get_running_loop()
            # Said again, since the loop listens anew, with a number of its own.
            self._listening.append(
                await loop.create_server(self._gate, sock=listener.socket, backlog=BACKLOG)
            )

    async def close(self) -> None:
        """Stop listening, and end what is still being answered."""
        self._gate.close()
        for server in self._listening:
            server.close()
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
    limits = app[_LIMITS]
    logger = http_logger()
    runner = web.AppRunner(
        app, handler_cancellation=True, shutdown_timeout=_GRACE, access_log=None, logger=logger
    )
    await runner.setup()
    assert runner.server is not None
    connect = partial(
        Connection,
        runner.server,
        loop=asyncio.get_running_loop(),
        access_log=None,  # type: ignore[arg-type] # as AppRunner says: none is kept
        logger=logger,
        keepalive_timeout=limits.idle,
        max_line_size=limits.line,
        max_field_size=limits.line,
        max_headers=limits.headers,
        # Docker does not unpack requests either; a small one could become any size.
        auto_decompress=False,
    )
    gate = Gate(runner.server, connect, app[_VISITS], limits)
    front = TlsFront(tls, gate, handshakes=limits.handshakes) if tls is not None else None
    server = ApiServer(runner, tuple(hosts), gate, front)
    for listener in listeners:
        await server.listen(listener)
    return server
