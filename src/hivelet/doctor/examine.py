"""Examines the machine: gathers all facts, and has each module make its findings of them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hivelet.doctor import probes, reading
from hivelet.doctor.clock import check_clock
from hivelet.doctor.control_groups import check_cgroups
from hivelet.doctor.daemon import DaemonFacts, check_daemon
from hivelet.doctor.finding import Finding, Repair
from hivelet.doctor.kernel import KernelFacts, check_kernel
from hivelet.doctor.limits import check_limits
from hivelet.doctor.network import NetworkFacts, check_network
from hivelet.doctor.programs import ProgramFacts, check_programs
from hivelet.doctor.repair import carry_out
from hivelet.doctor.storage import check_storage
from hivelet.network.kernel import Kernel
from hivelet.network.nft import Nft
from hivelet.packages import load_packages, missing_packages

DEFAULT_ROOT = Path("/var/lib/hivelet")
DEFAULT_RUN = Path("/run/hivelet")


def examine(now: datetime, daemon: DaemonFacts, root: Path, run: Path) -> list[Finding]:
    """All findings of this machine, those that are as they should be included."""
    return asyncio.run(_examine(now, daemon, root, run))


def make_repair(repair: Repair) -> str:
    """Make one repair; "" where it went well, else what was said."""
    return asyncio.run(carry_out(repair))


async def _examine(now: datetime, daemon: DaemonFacts, root: Path, run: Path) -> list[Finding]:
    nft, kernel = Nft(), Kernel("doctor")
    try:
        kernel_facts, network_facts, program_facts = await _try(nft, kernel, run)
    finally:
        nft.close()
        kernel.close()
    return [
        *check_programs(program_facts),
        *check_kernel(kernel_facts),
        *check_cgroups(reading.read_cgroups()),
        *check_network(network_facts),
        *check_storage(reading.read_volumes([("root", root), ("run", run)])),
        *check_limits(reading.read_limits()),
        *check_clock(reading.read_clock(now)),
        *check_daemon(daemon),
    ]


async def _try(
    nft: Nft, kernel: Kernel, run: Path
) -> tuple[KernelFacts, NetworkFacts, ProgramFacts]:
    packages = tuple(p for p in load_packages() if p.group == "run" and p.program)
    kernel_facts = reading.read_kernel()
    network = NetworkFacts(
        subnets=await probes.used_subnets(kernel), resolv_conf=reading.read_resolv_conf()
    )
    programs = ProgramFacts(
        packages=packages, missing=missing_packages(packages, "run"), apt=reading.has_apt()
    )
    if os.geteuid() != 0:
        return (
            replace(kernel_facts, links=None, nft=None),
            replace(network, firewalls=None),
            programs,
        )
    runtime, refusal = await probes.try_runtime()
    features = await probes.try_nft(nft)
    steps, bridges = await probes.look_at_firewalls(nft, kernel, run)
    return (
        replace(kernel_facts, links=await probes.try_links(), nft=features),
        replace(network, firewalls=steps, bridges=bridges),
        replace(programs, runtime=runtime, refusal=refusal),
    )
