"""One question to a resolver: the IPv4 address of a name."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct

PORT = 53


async def query_address(server: str, name: str, *, within: float) -> str | None:
    """The first address that `server` has for `name`; None where no answer came within the time.

    Raises:
        PermissionError: this host's own packet filter does not let the question out.
    """
    loop = asyncio.get_running_loop()
    number = secrets.randbits(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as door:
        try:
            door.connect((server, PORT))
            await loop.sock_sendall(door, build_query(number, name))
            async with asyncio.timeout(within):
                while True:
                    answer = await loop.sock_recv(door, 4096)
                    if answer[:2] == number.to_bytes(2, "big"):
                        return parse_address(answer)
        except TimeoutError:
            return None
        except ConnectionRefusedError:
            await asyncio.sleep(within)
            return None


def build_query(number: int, name: str) -> bytes:
    """A DNS query for the IPv4 address of `name`. Pure."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (
        struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    )


def parse_address(answer: bytes) -> str | None:
    """The first IPv4 address in a DNS answer to a query of `build_query`; None where it has none, or is no answer. Pure."""
    try:
        return _first_address(answer)
    except (IndexError, ValueError, OSError, struct.error):
        return None  # cut off, or something else altogether


def _first_address(answer: bytes) -> str | None:
    count = struct.unpack_from(">H", answer, 6)[0]
    place = 12
    while answer[place]:
        place += answer[place] + 1
    place += 5
    for _ in range(count):
        place += 2 if answer[place] & 0xC0 else answer.index(0, place) - place + 1
        kind, _, _, length = struct.unpack_from(">HHIH", answer, place)
        place += 10
        if kind == 1 and length == 4:
            return socket.inet_ntoa(answer[place : place + 4])
        place += length
    return None
