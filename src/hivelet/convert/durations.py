"""Spans of time in the words of `docker ps`."""

from __future__ import annotations

_DAY = 24


def human_duration(seconds: float) -> str:
    """Roughly how long: "Less than a second", "About a minute", "3 weeks"."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return _count(whole, "second")
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    return _hours(int(seconds / 3600 + 0.5))


def _hours(hours: int) -> str:
    if hours == 1:
        return "About an hour"
    for limit, size, unit in (
        (2 * _DAY, 1, "hours"),
        (14 * _DAY, _DAY, "days"),
        (60 * _DAY, 7 * _DAY, "weeks"),
        (730 * _DAY, 30 * _DAY, "months"),
    ):
        if hours < limit:
            return f"{hours // size} {unit}"
    return f"{hours // (365 * _DAY)} years"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
