"""Datagrams, each from a socket and a port of its own, one every 1/rate seconds; every one accounted for in a line of JSON.

The kernel gives ports at random, and within a minute some again: for the balancer that is a client that goes on, of whose
further datagrams nobody can tell whether they were answered.

    python datagrams.py HOST PORT --rate 50

ends when its standard input closes. One that has no answer in --timeout seconds is lost; it is not sent again. An answer's
body is what the server says: its name.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import socket
from collections.abc import Iterator

from packets import account, pace

_PORTS = range(10000, 65000)


def _connected(options: argparse.Namespace, ports: Iterator[int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for port in ports:
        try:
            door.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            door.connect((options.host, options.port))
            return door
    raise SystemExit("no port is left that was not used before")


async def main(options: argparse.Namespace) -> None:
    """Send until the standard input closes, then wait for what is still open."""
    ports = iter(_PORTS)

    def verdict(answer: bytes) -> dict[str, object]:
        return {"status": 200, "body": answer.decode()}

    async def ask(_: int) -> None:
        await account(b"who?", options.timeout, verdict, sock=_connected(options, ports))

    await pace(ask, options.rate)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="datagrams")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--timeout", type=float, default=2.0)
    asyncio.run(main(parser.parse_args()))
