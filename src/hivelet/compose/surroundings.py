"""What a file's meaning depends on besides its text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import isabs, join, normpath


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a file's meaning depends on besides its text: where it lies, and which variables there are.

    `environment` has the `.env` files in it; `exported` is the caller's alone. A `foreign` file lies elsewhere than the
    stack: paths that are kept as they were written become absolute in it.
    """

    directory: str
    environment: Mapping[str, str] = field(default_factory=dict)
    exported: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False

    def absolute(self, path: str) -> str:
        """`path` seen from the file's directory, with `~` at its beginning expanded."""
        if path.startswith("~"):
            path = self.environment.get("HOME", "~") + path[1:]
        return path if isabs(path) else normpath(join(self.directory, path))

    def kept(self, path: str) -> str:
        """`path` as it was written, if it means the same from the directory of the stack."""
        return self.absolute(path) if self.foreign else path
