"""Waiting for a state of the world: bounded, by looking at it again, never by sleeping for luck."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class GaveUp(AssertionError):
    """The awaited state did not come about in time; the message says what was awaited and what was seen last."""


def wait_until(
    predicate: Callable[[], T],
    *,
    timeout: float,
    what: str,
    interval: float = 0.05,
    evidence: Callable[[], str] | None = None,
) -> T:
    """Ask `predicate` until it is truthy and return its value.

    `AssertionError` from the predicate counts as "not yet", and its message is kept for the failure's text. `evidence` is
    asked for only on failure: a daemon's last log lines, a task list.
    """
    limit = time.monotonic() + timeout
    seen: object = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            seen = value
        except AssertionError as error:
            seen = error
        if time.monotonic() >= limit:
            more = f"\n{evidence()}" if evidence else ""
            raise GaveUp(
                f"gave up after {timeout:g} s waiting until {what}; last seen: {seen!r}{more}"
            )
        time.sleep(interval)
