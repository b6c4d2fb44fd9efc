"""`.dockerignore`: which files of a context stay at home. Pure.

Docker's rules: the last pattern that fits a path, or a folder above it, decides; `!` takes one back in; `*` and `?` stop at a
slash, `**` does not; a leading slash means nothing, as all patterns start at the context's root. However they look, comparing
takes time in proportion to a path's length.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]

from hivelet.errors import InvalidParameter


@dataclass(frozen=True, slots=True)
class _Pattern:
    fits: Any
    takes_back: bool


_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.dot_nl = True


class IgnoreRules:
    """The patterns of a `.dockerignore`, in their order."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_compile(pattern) for pattern in patterns]

    def ignores(self, path: str) -> bool:
        """Whether the file or folder at `path`, from the context's root, stays at home."""
        # A name that is no UTF-8 is compared as Go reads it: with a character of its own for each odd byte.
        text = path.encode(errors="surrogateescape").decode(errors="replace")
        parts = text.split("/")
        ways = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        ignored = False
        for pattern in self._patterns:
            if pattern.takes_back == ignored and any(pattern.fits.fullmatch(way) for way in ways):
                ignored = not pattern.takes_back
        return ignored

    @property
    def takes_back(self) -> bool:
        """Whether something below an ignored folder may be taken back in."""
        return any(pattern.takes_back for pattern in self._patterns)


def parse_ignore(text: str) -> list[str]:
    """The patterns of the file: a line each, without comments and empty lines."""
    patterns = []
    for line in text.removeprefix("\ufeff").split("\n"):
        stripped = line.strip()
        if not stripped or line.startswith("#"):
            continue
        takes_back = stripped.startswith("!")
        body = stripped.removeprefix("!").strip() if takes_back else stripped
        cleaned = posixpath.normpath(body).lstrip("/") if body else ""
        if cleaned not in {"", "."}:
            patterns.append(f"!{cleaned}" if takes_back else cleaned)
        elif takes_back and not body:
            raise InvalidParameter('.dockerignore: illegal exclusion pattern: "!"')
    return patterns


def _compile(pattern: str) -> _Pattern:
    takes_back = pattern.startswith("!")
    body = pattern.removeprefix("!")
    try:
        return _Pattern(re2.compile(_expression(body), _OPTIONS), takes_back)
    except (re2.error, UnicodeError) as error:
        raise InvalidParameter(
            f".dockerignore: {pattern[:200]!r} is no pattern: {error}"
        ) from error


def _expression(pattern: str) -> str:
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if pattern.startswith("/", at):
                out.append("(?:.*/)?")
                at += 1
            else:
                out.append(".*")
            continue
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", at + 1)) > 0:
            inside = pattern[at:end].replace("\\", "\\\\")
            out.append(f"[{inside}]")
            at = end + 1
        elif char == "\\" and at < len(pattern):
            out.append(re2.escape(pattern[at]))
            at += 1
        else:
            out.append(re2.escape(char))
    return "".join(out)
