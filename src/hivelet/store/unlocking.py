"""The key that a locked swarm is unlocked with, as Docker writes it: SWMKEY-1- and 32 bytes in base64 without padding."""

from __future__ import annotations

import base64
import os

from hivelet.errors import InvalidParameter, Unauthorized

_PREFIX = "SWMKEY-1-"
_LENGTH = 32


class UnlockKeyWrong(Unauthorized):
    """It is a key, but not the one that the state is locked with."""

    def __init__(self) -> None:
        super().__init__("swarm could not be unlocked: invalid key provided")


def new_unlock_key() -> str:
    """A new key."""
    return _PREFIX + base64.b64encode(os.urandom(_LENGTH)).decode().rstrip("=")


def parse_unlock_key(text: str) -> bytes:
    """The bytes of a key as a user writes it.

    Raises:
        InvalidParameter: it is none, in Docker's words.
    """
    body = text.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(f"{body}=", validate=True)
    except ValueError:
        key = b""
    if body == text or len(key) != _LENGTH:
        raise InvalidParameter("invalid key string")
    return key
