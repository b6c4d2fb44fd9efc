"""Sizes and CPU counts as people write them, to the API's integers. Pure.

Sizes follow docker's go-units ("1.5g" is in powers of 1024); durations are in `hivelet.kit.durations`.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

LARGEST = 2**63 - 1
"""Sizes and nano-CPUs are 64 bits of the API."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kKmMgGtTpP]?)(?:i?[bB])?\s*$")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


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
    size = int(Decimal(match[1]) * 1024 ** _POWERS[match[2].lower()])
    if size > LARGEST:
        raise ValueError(f'"{text}" is too large; the largest size is {LARGEST} bytes')
    return size


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


def parse_swap(text: str) -> int:
    """Bytes of a limit of memory and swap together; -1 is no limit.

    Raises:
        ValueError: `text` is neither a size nor -1.
    """
    return -1 if text == "-1" else parse_size(text)


def parse_mode(text: str) -> int:
    """The permissions that octal digits such as `0440` stand for.

    Raises:
        ValueError: `text` has other characters, or bits beyond the permissions.
    """
    digits = text.removeprefix("0o")
    if not re.fullmatch(r"[0-7]{1,5}", digits) or int(digits, 8) > 0o7777:
        raise ValueError(f'"{text}" is not a file mode; write it in octal like "0440"')
    return int(digits, 8)


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
