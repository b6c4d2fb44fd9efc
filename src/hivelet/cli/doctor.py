"""`hivelet doctor`: whether this machine has what hivelet needs, each finding with the way to repair it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from hivelet.cli.session import Session, pass_session, say
from hivelet.errors import HiveletError
from hivelet.packages import load_packages, missing_packages

_FILE_SYSTEMS = ("overlay", "tmpfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. `repair` is what to type; `serious` where hivelet cannot run without it."""

    what: str
    good: bool
    repair: str = ""
    serious: bool = True


@click.command()
@pass_session
def doctor(session: Session) -> int:
    """Check whether this machine has what hivelet needs."""
    findings = [*_programs(), *_kernel(Path("/proc")), *_privileges(), *_daemon(session)]
    for finding in findings:
        mark = "ok  " if finding.good else "FAIL" if finding.serious else "note"
        say(f"{mark}  {finding.what}")
        if not finding.good and finding.repair:
            say(f"      {finding.repair}")
    return 1 if any(finding.serious and not finding.good for finding in findings) else 0


def _programs() -> Iterator[Finding]:
    """Every program of the package list; of the OCI runtimes one is enough."""
    packages = [
        package for package in load_packages() if package.group == "run" and package.program
    ]
    missing = missing_packages(packages, "run")
    runtimes = {"crun", "runc"}
    no_runtime = runtimes <= {package.program for package in missing}
    for package in packages:
        yield Finding(
            what=f"{package.program}: {package.purpose}",
            good=package not in missing,
            repair=f"apt-get install {package.name}",
            serious=package.program not in runtimes or no_runtime,
        )


def _kernel(proc: Path) -> Iterator[Finding]:
    known = (proc / "filesystems").read_text().split()
    for name in _FILE_SYSTEMS:
        yield Finding(what=f"file system {name}", good=name in known, repair=f"modprobe {name}")
    forward = proc / "sys/net/ipv4/ip_forward"
    yield Finding(
        what="packets are forwarded (net.ipv4.ip_forward)",
        good=forward.exists() and forward.read_text().strip() == "1",
        repair="the daemon switches it on when it starts",
        serious=False,
    )
    yield Finding(
        what="bridges pass packets to nftables (br_netfilter)",
        good=(proc / "sys/net/bridge/bridge-nf-call-iptables").exists(),
        repair="modprobe br_netfilter",
        serious=False,
    )


def _privileges() -> Iterator[Finding]:
    yield Finding(
        what="running as root",
        good=os.geteuid() == 0,
        repair="the daemon must be started by root",
        serious=False,
    )


def _daemon(session: Session) -> Iterator[Finding]:
    address = session.engine.transport.address.url
    try:
        answer = session.engine.info()
    except HiveletError as error:
        yield Finding(
            what=f"the daemon answers at {address}", good=False, repair=error.message, serious=False
        )
        return
    yield Finding(what=f"the daemon answers at {address}", good=True)
    for warning in answer.get("Warnings") or []:
        yield Finding(what=str(warning), good=False, serious=False)
