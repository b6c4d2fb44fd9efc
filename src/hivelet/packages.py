"""The Debian packages that hivelet uses, read from `packages.txt`, the one list of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package: the group that needs it, its program ("" if it has none to look for), and its use."""

    group: str
    name: str
    program: str
    purpose: str


def parse_packages(text: str) -> tuple[Package, ...]:
    """The packages listed in `text`; comment lines and empty ones are skipped."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        group, name, program, purpose = line.split(maxsplit=3)
        found.append(Package(group, name, "" if program == "-" else program, purpose))
    return tuple(found)


def load_packages() -> tuple[Package, ...]:
    """The packages of the list that came with this hivelet."""
    return parse_packages(files("hivelet").joinpath("packages.txt").read_text())


def missing_packages(
    packages: Iterable[Package], group: str, which: Callable[[str], str | None] = shutil.which
) -> tuple[Package, ...]:
    """The packages of `group` whose program cannot be found in PATH."""
    return tuple(p for p in packages if p.group == group and p.program and which(p.program) is None)
