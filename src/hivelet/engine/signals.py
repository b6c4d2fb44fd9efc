"""Signals by the names and numbers that users write: "SIGTERM", "term", "15". Pure."""

from __future__ import annotations

import signal

from hivelet.errors import InvalidParameter


def parse_signal(text: str) -> int:
    """The number of a signal.

    Raises:
        InvalidParameter: there is no such signal.
    """
    if text.isdigit() and 0 < int(text) < signal.NSIG:
        return int(text)
    name = text.upper().removeprefix("SIG")
    base, _, offset = name.partition("+")
    if base == "RTMIN" and (not offset or offset.isdigit()):
        return signal.SIGRTMIN + int(offset or 0)
    try:
        return signal.Signals[f"SIG{name}"].value
    except KeyError:
        raise InvalidParameter(
            f"Invalid signal: {text}; write a name such as SIGTERM, or a number"
        ) from None
