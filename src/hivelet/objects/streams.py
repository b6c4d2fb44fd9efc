"""What a client wants of a container's streams when it attaches."""

from __future__ import annotations

from hivelet.objects.common import Struct


class AttachWish(Struct, frozen=True, kw_only=True):
    """Which streams, and whether what was written before (`logs`) and what is to come (`stream`)."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    logs: bool = False
    stream: bool = False
