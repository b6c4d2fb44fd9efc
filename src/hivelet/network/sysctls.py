"""The kernel switches that the data plane needs, in the network namespace of the calling thread.

Written only where they differ, so that a host which is set up already is never touched. What cannot be had is
reported with the reason: without these, packets vanish without a word.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from hivelet.errors import System
from hivelet.kit.failpoints import point
from hivelet.network.neighbours import NEIGHBOUR_TABLES, NEIGHBOURS

ROOT = Path("/proc/sys")

_LONGEST = 256
"""Bytes that the value of a switch of ours can have, with room."""

HOST = {"net/ipv4/ip_forward": "1"}

BRIDGE_FILTERS = ("iptables", "ip6tables", "arptables")
"""`net/bridge/bridge-nf-call-…`: whether frames on every bridge of the host pass nftables. Answers on a bridge of ours
must, or a VIP's answer reaches its caller untranslated; but that is asked for at each of our bridges (`joiner`). On
others' bridges it would hand their containers' and machines' frames to the host's firewall, which drops them."""

HOST_IPV6 = {"net/ipv6/conf/all/forwarding": "1"}
"""The same for IPv6, where the host has it."""

SANDBOX = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/default/route_localnet": "1",
}
"""As Docker sets them in a container's namespace (privileged ports and pings for all); answers may come by another
leg than the way back would take; 127.0.0.11 may come from outside (the host drops all other loopback addresses on
bridges)."""

IPV6_OFF = {"all/disable_ipv6": "1", "default/disable_ipv6": "1"}
"""For a sandbox without an IPv6 network: no address that nobody gave it, and none waits for duplicate detection."""

IPV6_QUIET = {"accept_ra": "0", "autoconf": "0", "accept_dad": "0", "ndisc_notify": "1"}
"""For a link with IPv6: its addresses are ours alone to give, so nobody's advertisement changes them, and they need no
detection of duplicates: they can be used at once. A new one is announced, as it may have had another holder."""


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


def raise_neighbours() -> list[str]:
    """Let the kernel keep enough neighbours; returns what was changed. Only its first network namespace has these switches.

    Raises:
        SysctlRefused: with the switch, the reason and the way out.
    """
    floors = {
        f"{table}/{name}": floor for table in NEIGHBOUR_TABLES for name, floor in NEIGHBOURS.items()
    }
    low = [name for name, value in read_sysctls(floors).items() if int(value) < floors[name]]
    # The last one first: no limit is above the next one in between.
    return [name for name in reversed(low) if ensure_sysctl(name, str(floors[name]))]


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


def disable_ipv6(link: str) -> str:
    """The switch that keeps IPv6 off a link."""
    return f"net/ipv6/conf/{link}/disable_ipv6"


def host_switches(*, ipv6: bool) -> dict[str, str]:
    """What the whole host must have."""
    return HOST | (HOST_IPV6 if ipv6 else {})


def why_no_ipv6() -> str:
    """Why this host's networks can't have IPv6, and the way out; "" where they can."""
    switch = ROOT / "net/ipv6/conf/all/disable_ipv6"
    if not switch.exists():
        return (
            "this host's kernel has no IPv6 (boot without ipv6.disable=1, or load the module ipv6)"
        )
    if switch.read_text().strip() != "0":
        return (
            "IPv6 is disabled on this host; to enable it, run sysctl -w net.ipv6.conf.all.disable_ipv6=0 "
            "and restart hiveletd"
        )
    if not (ROOT / "net/bridge/bridge-nf-call-ip6tables").exists():
        return "this host's kernel has no bridge netfilter for IPv6"
    return ""


def ensure_host_ipv6() -> list[str]:
    """Set what IPv6 needs in the host's namespace; returns what was changed.

    A host that forwards takes no router's advertisements any more, unless its links say so in so many words; a host that
    lives by them would lose its own way out.
    """
    conf = ROOT / "net/ipv6/conf"
    changed = []
    if (conf / "all/forwarding").read_text().strip() == "0":
        names = [f"net/ipv6/conf/{link.name}/accept_ra" for link in conf.iterdir()]
        listening = [n for n in names if (ROOT / n).read_text().strip() == "1"]
        changed = [name for name in listening if ensure_sysctl(name, "2", optional=True)]
    return changed + [name for name, value in HOST_IPV6.items() if ensure_sysctl(name, value)]


def ensure_bridge_sysctls(bridge: str, *, ipv6: bool = False) -> None:
    """Let localhost be routed to a bridge, and keep IPv6 off it unless its network has IPv6."""
    ensure_sysctl(route_localnet(bridge), "1")
    if ipv6:
        ensure_interface_ipv6(bridge)
        # A link that is set down and up again must have its addresses still.
        ensure_sysctl(f"net/ipv6/conf/{bridge}/keep_addr_on_down", "1")
    else:
        ensure_sysctl(disable_ipv6(bridge), "1", optional=True)


def ensure_sandbox_sysctls(*, ipv6: bool = False) -> None:
    """Set what a sandbox needs; to be called inside of it, before it has links.

    With `ipv6`, its loopback has ::1, and a link has IPv6 only once `ensure_interface_ipv6` says so.
    """
    for name, value in SANDBOX.items():
        ensure_sysctl(name, value)
    switches = {"default/disable_ipv6": "1"} if ipv6 else IPV6_OFF
    for name, value in switches.items():
        ensure_sysctl(f"net/ipv6/conf/{name}", value, optional=True)


def ensure_loopback_ipv6() -> None:
    """Let the loopback of the calling thread's namespace have ::1, which it was made without."""
    ensure_sysctl("net/ipv6/conf/lo/disable_ipv6", "0", optional=True)


def ensure_interface_ipv6(link: str) -> None:
    """Let a link of the calling thread's namespace have IPv6 addresses, and none but those that it is given."""
    for name, value in (*IPV6_QUIET.items(), ("disable_ipv6", "0")):
        ensure_sysctl(f"net/ipv6/conf/{link}/{name}", value)


def ensure_sysctl(name: str, value: str, *, optional: bool = False) -> bool:
    """Set one switch where it differs; True where it was written. An optional one may be missing."""
    try:
        # Read first: where it is right already, it need not be ours to write.
        if _transfer(name, os.O_RDONLY).split() == value.split():
            return False
        _transfer(name, os.O_WRONLY, value)
        point("switch.set")
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError):
            return False
        dotted = name.replace("/", ".")
        raise SysctlRefused(
            f"cannot set {dotted}={value}: {error.strerror}. Set it on the host "
            f"(sysctl -w {dotted}={value}) or let hiveletd run with the right to."
        ) from error
    return True


def _transfer(name: str, flags: int, value: str = "") -> str:
    """Write or read a switch, without the buffers of a file object: each sandbox has a dozen of them."""
    descriptor = os.open(ROOT / name, flags | os.O_CLOEXEC)
    try:
        if value:
            os.write(descriptor, value.encode())
            return value
        return os.read(descriptor, _LONGEST).decode()
    finally:
        os.close(descriptor)


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
