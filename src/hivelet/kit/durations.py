"""Lengths of time as Go writes them ("1m30s") and as the docker CLI words them ("About a minute"). Pure."""

from __future__ import annotations

import re
from decimal import Decimal

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
LONGEST = 2**63 - 1
"""Nanoseconds, some 292 years: Go keeps durations in 64 bits."""

_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MINUTE, _HOUR = 60, 3600


def parse_duration(text: str) -> int:
    """Nanoseconds of a Go duration.

    Raises:
        ValueError: `text` is not a duration, or longer than one can be.
    """
    sign, rest = 1, text
    if rest[:1] in {"-", "+"}:
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:]
    if rest == "0":
        return 0
    total, position = Decimal(0), 0
    # Matched where the last part ended, never searched for: a long text without a unit would be looked at from each digit.
    while part := _DURATION_PART.match(rest, position):
        total += Decimal(part[1]) * _NANOSECONDS[part[2]]
        position = part.end()
    if not rest or position != len(rest):
        raise ValueError(f'"{text}" is not a duration; write it like "10s", "1m30s" or "500ms"')
    if total > LONGEST:
        raise ValueError(
            f'"{text}" is too long; the longest duration is {format_duration(LONGEST)}'
        )
    return sign * int(total)


def format_duration(nanoseconds: int) -> str:
    """A duration as Go prints it: `1m30s`, `2h0m0s`, `1.5s`, `250ms`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < _NANOSECONDS["s"]:
        for unit in ("ms", "µs", "ns"):
            if rest >= _NANOSECONDS[unit]:
                return f"{sign}{_trimmed(Decimal(rest) / _NANOSECONDS[unit])}{unit}"
    hours, rest = divmod(rest, _NANOSECONDS["h"])
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    seconds = f"{_trimmed(Decimal(rest) / _NANOSECONDS['s'])}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def human_duration(seconds: float) -> str:
    """A rough length of time: "Less than a second", "3 seconds", "About a minute", "2 weeks"."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < 2 * _MINUTE:
        return _below_two_minutes(whole)
    hours = int(whole / _HOUR + 0.5)
    steps = (
        (whole // _MINUTE < 60, f"{whole // _MINUTE} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 7 * 2, f"{hours // 24} days"),
        (hours < 24 * 30 * 2, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 365 * 2, f"{hours // 24 // 30} months"),
    )
    return next((text for holds, text in steps if holds), f"{hours // 24 // 365} years")


def _below_two_minutes(whole: int) -> str:
    if whole < _MINUTE:
        return "1 second" if whole == 1 else f"{whole} seconds"
    return "About a minute"


def _trimmed(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
