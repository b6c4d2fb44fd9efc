"""Versions of the Docker Engine API: which are served, and from which on something is answered."""

from __future__ import annotations

import re
from typing import NamedTuple

from hivelet.errors import InvalidParameter

_FORM = re.compile(r"(\d{1,4})\.(\d{1,4})")


class ApiVersion(NamedTuple):
    """A version of the API; compares as one expects (1.9 < 1.24)."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MINIMUM = ApiVersion(1, 24)
"""The oldest version that is served."""

MAXIMUM = ApiVersion(1, 47)
"""The newest version that is served, and what a path without a version means."""


def parse_version(text: str) -> ApiVersion:
    """The version that a path names.

    Raises:
        InvalidParameter: not a version, or one that is not served; in the words that clients know from Docker.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid API version {text!r}")
    version = ApiVersion(int(match[1]), int(match[2]))
    if version < MINIMUM:
        raise InvalidParameter(
            f"client version {version} is too old. Minimum supported API version is {MINIMUM}, "
            "please upgrade your client to a newer version"
        )
    if version > MAXIMUM:
        raise InvalidParameter(
            f"client version {version} is too new. Maximum supported API version is {MAXIMUM}"
        )
    return version
