"""The metrics alone, on an address of their own: plain HTTP, one page, nothing that could be changed by it.

Off unless `metrics-addr` names an address. Whoever reaches it learns the names of services and hosts, and how busy they are.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp import web

from hivelet.api.backend.metrics import MetricsBackend
from hivelet.errors import InvalidParameter, System

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_page(text: bytes) -> web.Response:
    """The page as an answer."""
    return web.Response(body=text, headers={"Content-Type": _CONTENT_TYPE})


def parse_metrics_address(text: str) -> tuple[str, int]:
    """ADDRESS:PORT as address and port; an IPv6 address is in brackets.

    Raises:
        InvalidParameter: it is neither.
    """
    host, _, port = text.rpartition(":")
    try:
        address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError as error:
        raise InvalidParameter(
            f'metrics-addr: "{text}" is no ADDRESS:PORT; write 127.0.0.1:9323'
        ) from error
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise InvalidParameter(f'metrics-addr: "{text}" has no port; write {host}:9323')
    return address, int(port)


async def serve_metrics(metrics: MetricsBackend, text: str) -> web.AppRunner:
    """Serve the page at an address; `cleanup` of what is returned ends that.

    Raises:
        HiveletError: the address is none, or cannot be listened on.
    """
    address, port = parse_metrics_address(text)

    async def show(_: web.Request) -> web.Response:
        return metrics_page(await metrics.render())

    app = web.Application()
    app.router.add_get("/metrics", show)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family)
    except OSError as error:
        await runner.cleanup()
        raise System(f"metrics-addr: {text} cannot be listened on: {error}") from error
    await web.SockSite(runner, listener).start()
    return runner
