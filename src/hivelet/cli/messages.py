"""The daemon's sentences as a person reads them. Pure."""

from __future__ import annotations

import re

_RPC = re.compile(r"^rpc error: code = \w+ desc = ")


def plain_message(message: str) -> str:
    """The sentence without what only a program wants of it, and with this program's name in what it tells to type."""
    return _RPC.sub("", message).replace('"docker swarm ', '"hivelet swarm ')
