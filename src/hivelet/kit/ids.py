"""New identifiers. Randomness is an effect: only edges call this, never a decision."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_BITS = 128
_LENGTH = 25


def new_id() -> str:
    """A new object id as SwarmKit writes them: 128 random bits in base 36, 25 characters."""
    number = secrets.randbits(_BITS)
    digits: list[str] = []
    for _ in range(_LENGTH):
        number, rest = divmod(number, 36)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def new_hex_id() -> str:
    """A new container, exec or local network id as Docker writes them: 64 hexadecimal digits."""
    return secrets.token_hex(32)
