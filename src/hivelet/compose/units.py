"""Durations, sizes and CPU counts as people write them, to and from the API's integers. Pure.

Durations follow Go's `time.ParseDuration` ("1m30s", a bare "0"), sizes docker's go-units ("1.5g" is in powers of 1024).
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

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
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kKmMgGtTpP]?)(?:i?[bB])?\s*$")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_duration(text: str) -> int:
    """Nanoseconds of a Go duration.

    Raises:
        ValueError: `text` is not a duration.
    """
    sign, rest = 1, text
    if rest[:1] in {"-", "+"}:
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:]
    if rest == "0":
        return 0
    total, position = Decimal(0), 0
    for part in _DURATION_PART.finditer(rest):
        if part.start() != position:
            break
        total += Decimal(part[1]) * _NANOSECONDS[part[2]]
        position = part.end()
    if not rest or position != len(rest):
        raise ValueError(f'"{text}" is not a duration; write it like "10s", "1m30s" or "500ms"')
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


def parse_size(text: str) -> int:
    """Bytes of a size such as `512m`, `1.5GiB` or `1024`.

    Raises:
        ValueError: `text` is not a size.
    """
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(
            f'"{text}" is not a size; write it like "512m", "1.5g" or a number of bytes'
        )
    return int(Decimal(match[1]) * 1024 ** _POWERS[match[2].lower()])


def parse_cpus(text: str) -> int:
    """Nano-CPUs of a number of CPUs such as `0.5`.

    Raises:
        ValueError: `text` is not a number, negative, or finer than a billionth of a CPU.
    """
    try:
        nano = Decimal(text) * 1_000_000_000
    except InvalidOperation as error:
        raise ValueError(f'"{text}" is not a number of CPUs; write it like "0.5" or "2"') from error
    if not nano.is_finite() or nano < 0:
        raise ValueError(f'"{text}" is not a number of CPUs; write it like "0.5" or "2"')
    if nano != int(nano):
        raise ValueError(f'"{text}" is too precise for a number of CPUs')
    return int(nano)


def format_number(value: float) -> str:
    """A number as Go's `%v` prints it: `1e+06`, `0.5`, `3`."""
    if isinstance(value, int):
        return str(value)
    digits = Decimal(repr(value)).normalize()
    power = digits.adjusted()
    if digits and not -4 <= power < 6:
        figures = "".join(str(digit) for digit in digits.as_tuple().digits)
        fraction = f".{figures[1:]}" if len(figures) > 1 else ""
        sign = "-" if value < 0 else ""
        return f"{sign}{figures[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return f"{digits:f}"


def _trimmed(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
