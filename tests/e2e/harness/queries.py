"""A stream of DNS questions: one A query every 1/rate seconds, each from a socket of its own, every one accounted for.

    python queries.py SERVER NAME --rate 100

ends when its standard input closes. A question that has no answer in --timeout seconds is lost; it is not asked again, as
a resolver library would do, for that would hide the loss.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import struct
import sys
import threading
import time


def question(number: int, name: str) -> bytes:
    """One A query with recursion desired (RFC 1035, 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (
        struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack(">HH", 1, 1)
    )


def verdict(answer: bytes) -> dict[str, object]:
    """What an answer says: its response code and how many records it has."""
    _, flags, _, answers, _, _ = struct.unpack(">HHHHHH", answer[:12])
    code = flags & 15
    facts: dict[str, object] = {"status": code, "body": str(answers)}
    if code or not answers:
        facts["error"] = f"response code {code}, {answers} records"
    return facts


class Once(asyncio.DatagramProtocol):
    """Keeps the first datagram, or the error in place of one."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """The answer has come."""
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """The server's host says that nobody listens."""
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask(options: argparse.Namespace, number: int) -> None:
    """One question, and its line."""
    at = time.monotonic()
    record: dict[str, object] = {"at": at}
    transport, once = await asyncio.get_running_loop().create_datagram_endpoint(
        Once, remote_addr=(options.server, options.port)
    )
    try:
        transport.sendto(question(number & 0xFFFF, options.name))
        async with asyncio.timeout(options.timeout):
            record |= verdict(await once.answer)
    except TimeoutError:
        record["error"] = f"no answer in {options.timeout:g} s"
    except OSError as error:
        record["error"] = f"{type(error).__name__}: {error}"
    finally:
        transport.close()
    record["took"] = time.monotonic() - at
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


async def main(options: argparse.Namespace) -> None:
    """Ask until the standard input closes, then wait for what is still open."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def until_closed() -> None:
        while os.read(0, 64):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=until_closed, daemon=True).start()
    due, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            group.create_task(ask(options, number))
            number, due = number + 1, due + 1 / options.rate
            try:
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await stop.wait()
            except TimeoutError:
                continue


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="DNS questions")
    parser.add_argument("server")
    parser.add_argument("name")
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--timeout", type=float, default=2.0)
    asyncio.run(main(parser.parse_args()))
