"""Debian packages, and whether an OCI runtime really runs a container here. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from hivelet.doctor.finding import Finding, Level, Repair
from hivelet.packages import Package

_RUNTIMES = ("crun", "runc")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFacts:
    """`runtime`: what the trial found, or `refusal`: why none works; both "" where it was not tried."""

    packages: tuple[Package, ...] = ()
    missing: tuple[Package, ...] = ()
    apt: bool = True
    runtime: str = ""
    refusal: str = ""


def check_programs(facts: ProgramFacts) -> Iterator[Finding]:
    """Each program that is missing (of the OCI runtimes one is enough), and the runtime's trial."""
    no_runtime = set(_RUNTIMES) <= {package.program for package in facts.missing}
    for package in facts.missing:
        optional = package.program in _RUNTIMES and not no_runtime
        level: Level = "note" if optional else "serious"
        install = ("apt-get", "install", "-y", "--no-install-recommends", package.name)
        yield Finding(
            name=f"package-{package.name}",
            seen=f"{package.program} is missing",
            level=level,
            meaning=package.purpose,
            way_out=shlex.join(install)
            if facts.apt
            else f"install what this system calls {package.name}",
            repairs=(Repair(argv=install),) if facts.apt and not optional else (),
        )
    there = [package.program for package in facts.packages if package not in facts.missing]
    yield Finding(name="packages", seen=f"programs: {', '.join(there) or 'none'}")
    if facts.refusal:
        yield Finding(
            name="runtime",
            seen=facts.refusal,
            level="serious",
            meaning="no container can be started on this machine",
            way_out="what each runtime said is above; where hivelet itself runs in a container, run that one privileged",
        )
    elif facts.runtime:
        yield Finding(name="runtime", seen=facts.runtime)
    else:
        yield Finding(
            name="runtime",
            seen="no trial of the OCI runtimes: not root",
            level="note",
            meaning="whether a container can be started is not known",
            way_out="run it as root: sudo hivelet doctor",
        )
