"""A stream of DNS questions: one A query every 1/rate seconds, each from a socket of its own, every one accounted for.

    python queries.py SERVER NAME --rate 100

ends when its standard input closes. A question that has no answer in --timeout seconds is lost; it is not asked again, as
a resolver library would do, for that would hide the loss.
"""

from __future__ import annotations

import argparse
import asyncio
import struct

from packets import account, pace


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


async def main(options: argparse.Namespace) -> None:
    """Ask until the standard input closes, then wait for what is still open."""

    async def ask(number: int) -> None:
        packet = question(number & 0xFFFF, options.name)
        await account(packet, options.timeout, verdict, remote_addr=(options.server, options.port))

    await pace(ask, options.rate)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="DNS questions")
    parser.add_argument("server")
    parser.add_argument("name")
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--timeout", type=float, default=2.0)
    asyncio.run(main(parser.parse_args()))
