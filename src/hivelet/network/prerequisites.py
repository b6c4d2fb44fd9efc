"""What this host must have, or may lack, before networks can be made on it: programs, kernel switches, families of rules."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import structlog

from hivelet.errors import System
from hivelet.network import sysctls
from hivelet.network.family import FRAMES, IPV4, IPV6
from hivelet.network.kernel import Kernel
from hivelet.network.nft import Nft
from hivelet.network.rules.frames import SPECIMEN
from hivelet.network.sysctls import SysctlRefused

log = structlog.get_logger(__name__)

_PROGRAMS = {"nft": "nftables", "dnsmasq": "dnsmasq-base"}


def check_programs(programs: Iterable[str] = tuple(_PROGRAMS)) -> None:
    """Refuse to start where a program is missing.

    Raises:
        System: naming the program and its Debian package.
    """
    for program in programs:
        if shutil.which(program) is None:
            package = _PROGRAMS[program]
            raise System(f"the program {program} is missing; install the package {package}")


async def ensure_switches(kernel: Kernel) -> None:
    """Turn the kernel's switches that nothing goes without.

    Raises:
        System: one can't be turned; says which, and the way out.
    """
    changed = await kernel.call(sysctls.ensure_host_sysctls)
    try:
        changed += await kernel.call(sysctls.raise_neighbours)
    except SysctlRefused as error:
        # Few tasks go without; `hivelet doctor` tells of it too.
        log.warning("the kernel keeps few neighbours", error=error.message)
    if changed:
        log.info("kernel switches set", switches=changed)


async def ensure_ipv6(kernel: Kernel, nft: Nft) -> str:
    """See whether this host has IPv6, and prepare it for ours. Where it has not, everything goes on without, and it says why."""
    why = await _prepare_ipv6(kernel, nft)
    if why:
        log.info("networks have no IPv6", reason=why)
    else:
        nft.families = (IPV4, IPV6)
    return why


async def _prepare_ipv6(kernel: Kernel, nft: Nft) -> str:
    if why := await kernel.call(sysctls.why_no_ipv6):
        return why
    if not await nft.supports(IPV6):
        return "this host's kernel has no nftables for IPv6"
    try:
        changed = await kernel.call(sysctls.ensure_host_ipv6)
    except SysctlRefused as error:
        return error.message
    if changed:
        log.info("kernel switches set", switches=changed)
    return ""


async def ensure_frames(nft: Nft) -> None:
    """See whether this kernel filters frames. Where it does not, members of a bridge are believed by ARP."""
    if await nft.supports(FRAMES, SPECIMEN):
        nft.families = (*nft.families, FRAMES)
    else:
        log.warning(
            "containers on ingress and docker_gwbridge can pass for each other by ARP and by tagged frames",
            reason="this host's kernel has no nftables for bridges (CONFIG_NF_TABLES_BRIDGE)",
            way_out="cap_drop: [NET_RAW] for what is not trusted",
        )
