"""Signals by the names and numbers that users write: "SIGTERM", "term", "15", "SIGRTMAX-1". Pure."""

from __future__ import annotations

import re
import signal

from hivelet.errors import InvalidParameter

_REAL_TIME = re.compile(r"RT(?:MIN(?:\+(?P<up>\d{1,2}))?|MAX(?:-(?P<down>\d{1,2}))?)")


def parse_signal(text: str) -> int:
    """The number of a signal.

    Raises:
        InvalidParameter: there is no such signal.
    """
    number = _number(text)
    if number is None:
        raise InvalidParameter(f"Invalid signal: {text}; write a name such as SIGTERM, or a number")
    return number


def _number(text: str) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text) if len(text) < 4 and 0 < int(text) < signal.NSIG else None
    name = text.upper().removeprefix("SIG")
    if (match := _REAL_TIME.fullmatch(name)) is not None:
        first = name.startswith("RTMIN")
        number = (
            signal.SIGRTMIN + int(match["up"] or 0)
            if first
            else signal.SIGRTMAX - int(match["down"] or 0)
        )
        return int(number) if signal.SIGRTMIN <= number <= signal.SIGRTMAX else None
    found = signal.Signals.__members__.get(f"SIG{name}")
    return None if found is None else found.value
