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
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

from queries import Once

_PORTS = range(10000, 65000)


async def ask(options: argparse.Namespace, ports: Iterator[int]) -> None:
    """One datagram, and its line."""
    at = time.monotonic()
    record: dict[str, object] = {"at": at}
    transport, once = await asyncio.get_running_loop().create_datagram_endpoint(
        Once, sock=_connected(options, ports)
    )
    try:
        transport.sendto(b"who?")
        async with asyncio.timeout(options.timeout):
            record |= {"status": 200, "body": (await once.answer).decode()}
    except TimeoutError:
        record["error"] = f"no answer in {options.timeout:g} s"
    except OSError as error:
        record["error"] = f"{type(error).__name__}: {error}"
    finally:
        transport.close()
    record["took"] = time.monotonic() - at
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


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
    stop, loop, ports = asyncio.Event(), asyncio.get_running_loop(), iter(_PORTS)

    def until_closed() -> None:
        while os.read(0, 64):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=until_closed, daemon=True).start()
    due = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            group.create_task(ask(options, ports))
            due += 1 / options.rate
            try:
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await stop.wait()
            except TimeoutError:
                continue


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="datagrams")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--timeout", type=float, default=2.0)
    asyncio.run(main(parser.parse_args()))
