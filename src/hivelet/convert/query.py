"""Values of query parameters, read as Docker reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hivelet.errors import InvalidParameter
from hivelet.objects.log import LogOptions

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_DIGITS = 19
"""Digits of the longest number that is looked at: Python refuses to read very long ones."""

_LEAST, _MOST = -(2**63), 2**63 - 1

_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""Seconds since 1970 of the first and the last moment that there is a date for."""

_TIMESTAMP = re.compile(r"(-?\d+)(?:\.(\d{1,9}))?")


def flag(query: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """A boolean: absent is the default; "", 0, no, false and none are False, everything else True."""
    if name not in query:
        return default
    return query[name].strip().lower() not in {"", "0", "no", "false", "none"}


def integer(query: Mapping[str, str], name: str) -> int | None:
    """A whole number, None where it is absent or empty.

    Raises:
        InvalidParameter: it is not a number.
    """
    text = query.get(name, "").strip()
    if not text:
        return None
    if _WHOLE.fullmatch(text) is None or not _LEAST <= int(text) <= _MOST:
        raise InvalidParameter(f"{name}={text[:40]}: a whole number of 64 bits is needed")
    return int(text)


def terminal_size(query: Mapping[str, str]) -> tuple[int, int]:
    """The parameters `h` and `w`: height and width of a terminal.

    Raises:
        InvalidParameter: one is no number that it can have, in Docker's words.
    """
    sizes = []
    for name in ("h", "w"):
        text = query.get(name, "")
        if not text.isdecimal():
            raise InvalidParameter(f'strconv.Atoi: parsing "{text}": invalid syntax')
        sizes.append(int(text) if len(text) < 6 else 0xFFFF)
    sizes = [min(size, 0xFFFF) for size in sizes]
    return sizes[0], sizes[1]


def object_version(query: Mapping[str, str], noun: str) -> int:
    """The store version that an update names.

    Raises:
        InvalidParameter: it is absent or not a number, in Docker's words.
    """
    text = query.get("version", "")
    wrong = "" if text.isdecimal() else "invalid syntax"
    if text.isdecimal() and (len(text) > 20 or int(text) > 2**64 - 1):
        wrong = "value out of range"
    if wrong:
        raise InvalidParameter(
            f"invalid {noun} version '{text}': strconv.ParseUint: parsing \"{text}\": {wrong}"
        )
    return int(text)


def timestamp_ns(text: str) -> int:
    """Seconds since 1970 with an optional fraction ("1718000000.000000001") as nanoseconds; "" is 0.

    Raises:
        InvalidParameter: it has another form. Clients turn "10m" and dates into this one themselves.
    """
    if not text:
        return 0
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"{text!r} is not a time; seconds since 1970 are needed")
    if len(match[1]) > _DIGITS or not _FIRST <= int(match[1]) <= _LAST:
        raise InvalidParameter(f"{text[:40]!r} is no time between the years 1 and 9999")
    return int(match[1]) * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))


def log_options(query: Mapping[str, str]) -> LogOptions:
    """What a reader of logs asks for.

    Raises:
        InvalidParameter: neither stdout nor stderr was chosen, or a time has no valid form.
    """
    stdout, stderr = flag(query, "stdout"), flag(query, "stderr")
    if not (stdout or stderr):
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    tail = query.get("tail", "all")
    return LogOptions(
        stdout=stdout,
        stderr=stderr,
        follow=flag(query, "follow"),
        since_ns=timestamp_ns(query.get("since", "")),
        until_ns=timestamp_ns(query.get("until", "")),
        # Docker reads whatever is not a number, or negative, as "all".
        tail=int(tail) if tail.isdecimal() and len(tail) <= _DIGITS else None,
    )
