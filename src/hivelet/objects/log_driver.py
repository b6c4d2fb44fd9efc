"""Log drivers and their options: which there are, and how much of a container's output is kept. Pure.

Every container writes to a file of its own, whichever of `json-file` and `local` is named; `none` keeps nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hivelet.errors import InvalidParameter
from hivelet.objects.common import Driver

NOTHING_KEPT = "none"
DRIVERS = ("json-file", "local", NOTHING_KEPT)
DEFAULT = "json-file"

FILES_LIMIT = 1000
"""Files of one log: each is renamed whenever one is full."""

_WITHOUT_EFFECT = frozenset(
    {"labels", "labels-regex", "env", "env-regex", "tag", "compress", "mode", "max-buffer-size"}
)
"""Options of Docker's drivers that change nothing of what `docker logs` shows here."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}

LOCAL_SIZE = 100 * 2**20
"""What the driver `local` keeps where nothing is said: 5 files of 20 MB (Docker)."""


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """How much is kept: bytes in a file, 0 for no limit, and files. `kept` is False where nothing is."""

    limit: int = 0
    files: int = 1
    kept: bool = True


def log_policy(driver: Driver | None) -> LogPolicy:
    """What a log driver with its options means; options without a driver are those of the default one.

    Raises:
        InvalidParameter: there is no such driver or option, or its value can't be understood.
    """
    if driver is None:
        return LogPolicy()
    name = driver.name or DEFAULT
    if name not in DRIVERS:
        raise InvalidParameter(
            f'logger: no log driver named "{name}" is registered; there are {", ".join(DRIVERS)}'
        )
    options = {key: value for key, value in driver.options.items() if key not in _WITHOUT_EFFECT}
    if name == NOTHING_KEPT:
        return LogPolicy(kept=False)
    size = options.pop("max-size", "")
    files = options.pop("max-file", "")
    for key in options:
        raise InvalidParameter(f"unknown log opt '{key}' for {name} log driver")
    if files and (not files.isdecimal() or int(files) < 1):
        raise InvalidParameter(f'log opt max-file: "{files}" must be a number from 1')
    default_size, default_files = (LOCAL_SIZE // 5, 5) if name == "local" else (0, 1)
    limit = _parse_size(size) if size not in {"", "-1"} else default_size
    count = int(files) if files else default_files
    if count > FILES_LIMIT:
        raise InvalidParameter(f'log opt max-file: "{files}" is more than {FILES_LIMIT}')
    # Files without a size never fill (Docker).
    return LogPolicy(limit=limit, files=count if limit else 1)


def _parse_size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidParameter(f'log opt max-size: "{text}" is no size; write 10m or 500k')
    return int(float(match[1]) * _UNITS[match[2].lower()])
