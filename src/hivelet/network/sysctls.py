"""The kernel switches that the data plane needs, in the network namespace of the calling thread.

Written only where they differ, so that a host which is set up already is never touched. What cannot be had is
reported with the reason: without these, packets vanish without a word.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from hivelet.errors import System

ROOT = Path("/proc/sys")

HOST = {"net/ipv4/ip_forward": "1"}

BRIDGE_FILTERS = ("iptables", "ip6tables", "arptables")
"""`net/bridge/bridge-nf-call-…`: whether frames on every bridge of the host pass nftables. Answers on a bridge of ours
must, or a VIP's answer reaches its caller untranslated; but that is asked for at each of our bridges (`joiner`). On
others' bridges it would hand their containers' and machines' frames to the host's firewall, which drops them."""

SANDBOX = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/default/route_localnet": "1",
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
}
"""As Docker sets them in a container's namespace (privileged ports and pings for all); answers may come by another
leg than the way back would take; 127.0.0.11 may come from outside (the host drops all other loopback addresses on
bridges); no IPv6 address waits for duplicate detection while there is no IPv6 network."""


class SysctlRefused(System):
    """A kernel switch could not be set."""


def ensure_host_sysctls() -> list[str]:
    """Set what the host's namespace needs; returns what was changed.

    Raises:
        SysctlRefused: with the switch, the reason and the way out.
    """
    if not (ROOT / "net/bridge").is_dir():
        _load_bridge_netfilter()
    return [name for name, value in HOST.items() if ensure_sysctl(name, value)]


def route_localnet(bridge: str) -> str:
    """The switch that lets localhost be routed to a bridge."""
    return f"net/ipv4/conf/{bridge}/route_localnet"


def read_sysctls(names: Iterable[str]) -> dict[str, str]:
    """The values of switches; those that do not exist are left out."""
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = " ".join((ROOT / name).read_text().split())
    return found


def ensure_bridge_sysctls(bridge: str) -> None:
    """Let localhost be routed to a bridge, and keep IPv6 off it until its network has IPv6."""
    ensure_sysctl(route_localnet(bridge), "1")
    ensure_sysctl(f"net/ipv6/conf/{bridge}/disable_ipv6", "1", optional=True)


def ensure_sandbox_sysctls() -> None:
    """Set what a sandbox needs; to be called inside of it, before it has links."""
    for name, value in SANDBOX.items():
        ensure_sysctl(name, value, optional=name.startswith("net/ipv6"))


def ensure_sysctl(name: str, value: str, *, optional: bool = False) -> bool:
    """Set one switch where it differs; True where it was written. An optional one may be missing."""
    path = ROOT / name
    try:
        if path.read_text().split() == value.split():
            return False
        path.write_text(value)
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError):
            return False
        dotted = name.replace("/", ".")
        raise SysctlRefused(
            f"cannot set {dotted}={value}: {error.strerror}. Set it on the host "
            f"(sysctl -w {dotted}={value}) or let hiveletd run with the right to."
        ) from error
    return True


def _load_bridge_netfilter() -> None:
    try:
        done = subprocess.run(
            ["modprobe", "br_netfilter"], capture_output=True, text=True, check=False, timeout=10
        )
        reason = done.stderr.strip()
    except OSError as error:
        reason = str(error)
    if not (ROOT / "net/bridge").is_dir():
        raise SysctlRefused(
            "this kernel has no bridge netfilter, which service addresses need: the module br_netfilter "
            f"is not loaded and could not be ({reason or 'modprobe said nothing'}). Run: modprobe br_netfilter"
        )
    # Loading it turns the switches on for bridges that have been there without: they stay as they were.
    for name in BRIDGE_FILTERS:
        ensure_sysctl(f"net/bridge/bridge-nf-call-{name}", "0", optional=True)
