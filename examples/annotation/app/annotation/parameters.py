"""Reads the query strings of the endpoints. Pure: text in, a value or a `BadParameter` out."""

from __future__ import annotations

import math
from collections.abc import Mapping

MAX_TEXT = 10_000


class BadParameter(ValueError):  # noqa: N818
    """A query parameter that can't be used; the message is for the person who sent it."""


def parse_seconds(query: Mapping[str, str], *, default: float, limit: float) -> float:
    """The parameter `seconds`: a finite number from 0 to `limit`."""
    raw = query.get("seconds")
    if raw is None:
        return default
    try:
        seconds = float(raw)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= limit:
        raise BadParameter(f"seconds={raw!r} is not a number from 0 to {limit:g}")
    return seconds


def parse_text(query: Mapping[str, str]) -> str:
    """The parameter `text`: required, not empty, at most `MAX_TEXT` characters."""
    text = query.get("text", "")
    if not text.strip():
        raise BadParameter("text is missing or empty; try /label?text=hello")
    if len(text) > MAX_TEXT:
        raise BadParameter(f"text has {len(text)} characters; at most {MAX_TEXT} are taken")
    return text
