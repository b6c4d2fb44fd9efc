"""Django's development server, able to leave without dropping a request.

On SIGTERM it goes on accepting for a moment, takes every connection that the kernel has already completed, closes
the listening socket, and returns when the requests in flight are answered or `DRAIN_SECONDS` are over. A kept-alive
connection that is between two requests is closed; one that is in a request is told `Connection: close`.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer

# Docker sends SIGKILL 10 s after SIGTERM; the answers must be out before.
DRAIN_SECONDS = 8.0
# How long a new connection may take to send its first request while draining; a client whose connection was
# completed has long sent it, while browsers open spare ones that never will.
FIRST_REQUEST_SECONDS = 1.0

logger = logging.getLogger(__name__)


class DrainingRequestHandler(WSGIRequestHandler):
    """Tells its server when its connection is between two requests."""

    server: DrainingServer

    def parse_request(self) -> bool:
        """A request line came in: the connection is busy from here on."""
        self.server.forget_quiet(self.connection)
        return super().parse_request()

    def handle_one_request(self) -> None:
        """Serve a request, then count as idle unless the server is on its way out."""
        super().handle_one_request()
        self.server.idle.add(self.connection)
        if self.server.draining:
            self.close_connection = True


class DrainingServer(WSGIServer):
    """Counts its connections, and drains them when SIGTERM arrives.

    Must be run in the main thread, the only one that may handle signals.
    """

    # Django's 10 overflows when a burst of clients connects at once.
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], _handler: type, **options: Any) -> None:
        self.draining = False
        # Connections between two requests, and those before their first.
        self.idle: set[socket.socket] = set()
        self.fresh: set[socket.socket] = set()
        self._connections = 0
        self._all_closed = threading.Condition()
        super().__init__(address, DrainingRequestHandler, **options)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of http.server, which may stall on a slow resolver."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()

    def get_app(self) -> Callable[..., Any]:
        """The application; while draining its answers carry `Connection: close`."""
        application = super().get_app()

        def announcing(environ: dict[str, Any], start_response: Any) -> Any:
            def start(*args: Any) -> Any:
                write = start_response(*args)
                if self.draining:
                    # WSGI forbids applications this header, so it is set on the handler's own.
                    start_response.__self__.headers["Connection"] = "close"
                return write

            return application(environ, start)

        return announcing

    def serve_forever(self, poll_interval: float = 0.25) -> None:
        """Serve until SIGTERM, then drain and return."""
        previous = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            super().serve_forever(poll_interval)
            if self.draining:
                self._drain()
        finally:
            signal.signal(signal.SIGTERM, previous)

    def get_request(self) -> Any:
        """Accept a connection, and count it from here on; its end is always `close_request`."""
        accepted = super().get_request()
        with self._all_closed:
            self._connections += 1
        self.fresh.add(accepted[0])
        return accepted

    def forget_quiet(self, connection: socket.socket) -> None:
        """Something came in on `connection`, or it is closed."""
        self.idle.discard(connection)
        self.fresh.discard(connection)

    def close_request(self, request: Any) -> None:
        """The connection's end, whatever became of it."""
        self.forget_quiet(request)
        super().close_request(request)
        with self._all_closed:
            self._connections -= 1
            self._all_closed.notify_all()

    def handle_timeout(self) -> None:
        """Called by `handle_request` when no completed connection is left to accept."""
        self._backlog_empty = True

    def _on_sigterm(self, _number: int, _frame: Any) -> None:
        self.draining = True
        # `shutdown` waits for serve_forever to return, which this very thread is running.
        threading.Thread(target=self.shutdown, daemon=True).start()

    def _drain(self) -> None:
        self.timeout = 0
        self._backlog_empty = False
        while not self._backlog_empty:
            self.handle_request()
        self.socket.close()
        _end_input(self.idle)
        finished = self._closed_within(FIRST_REQUEST_SECONDS)
        if not finished:
            _end_input(self.idle | self.fresh)
            finished = self._closed_within(DRAIN_SECONDS - FIRST_REQUEST_SECONDS)
        if not finished:
            logger.warning("left with %d connections still open", self._connections)

    def _closed_within(self, seconds: float) -> bool:
        with self._all_closed:
            return self._all_closed.wait_for(lambda: self._connections == 0, seconds)


def _end_input(connections: set[socket.socket]) -> None:
    """Wake the threads that wait for a request: they read the end of the stream, and close."""
    for connection in tuple(connections):
        # An OSError: closed by its client or its thread meanwhile.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RD)
