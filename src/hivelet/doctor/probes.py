"""Tries what only a trial can tell, and takes it back: nftables' features, links, an OCI runtime. Needs root.

Nothing of the host changes: rules are made and deleted in one transaction, links in a namespace of their own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import tempfile
from pathlib import Path

from hivelet.errors import HiveletError
from hivelet.network import host_links
from hivelet.network.family import FRAMES, IPV4
from hivelet.network.firewall.door import FirewallDoor
from hivelet.network.firewall.keeper import other_bridges
from hivelet.network.firewall.passes import BRIDGE_PREFIX, Step, Wish, name_links, plan_steps
from hivelet.network.kernel import Kernel
from hivelet.network.ledger import Ledger
from hivelet.network.names import bridge_name
from hivelet.network.netlink.door import execute
from hivelet.network.netlink.links import VethPair, new_bridge, new_veth
from hivelet.network.nft import Nft, NftRefused
from hivelet.network.rules.frames import SPECIMEN
from hivelet.network.rules.patience import patience_object
from hivelet.runtime.cgroupfs import read_cgroup_tree
from hivelet.runtime.oci import probe_runtime, release_leftover_controllers

_NEW_NETWORK = 0x40000000
_CGROUP = "hivelet-doctor"
_TABLE = "ip hivelet-doctor"
_PREROUTING = "chain c {\n  type nat hook prerouting priority -100;"
_NFT = {
    "nat": f"{_PREROUTING}\n  ip daddr 192.0.2.1 dnat to 192.0.2.2\n}}",
    "fib": f"{_PREROUTING}\n  fib daddr type local accept\n}}",
    "numgen": f"{_PREROUTING}\n  dnat to numgen inc mod 2 map {{ 0 : 192.0.2.1, 1 : 192.0.2.2 }}\n}}",
    "ct timeout": "\n".join(patience_object(IPV4)),
}


async def try_nft(nft: Nft) -> dict[str, str]:
    """Each feature, with what nftables says against it."""
    found = {}
    for feature, text in _NFT.items():
        try:
            await nft.apply(f"table {_TABLE} {{\n{text}\n}}\ndelete table {_TABLE}\n")
        except NftRefused as error:
            found[feature] = error.message.splitlines()[0]
        else:
            found[feature] = ""
    found["bridge"] = "" if await nft.supports(FRAMES, SPECIMEN) else "no tables of bridges"
    return found


async def try_links() -> str:
    """What stands in the way of a namespace with a bridge and a veth pair in it; "" where nothing does."""
    kernel = Kernel("doctor")
    try:
        return await kernel.call(_make_links)
    finally:
        kernel.close()  # and with its thread goes the namespace


def _make_links() -> str:
    if ctypes.CDLL(None).unshare(_NEW_NETWORK):
        return "no network namespace can be made"
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        execute([new_bridge("hv-doctor", "02:42:00:00:00:01", 1500)])
        pair = VethPair(
            port="hvdoctor",
            bridge_index=socket.if_nametoindex("hv-doctor"),
            interface="eth0",
            mac="02:42:00:00:00:02",
            mtu=1500,
            namespace=here,
        )
        execute([new_veth(pair)])
    except HiveletError as error:
        return error.message
    finally:
        os.close(here)
    return ""


async def try_runtime() -> tuple[str, str]:
    """What the trial of the OCI runtimes found, or else why none works here."""
    run = Path(tempfile.mkdtemp(prefix="hivelet-doctor."))
    try:
        found = await probe_runtime(run, cgroup_parent=_CGROUP)
    except HiveletError as error:
        return "", error.message
    else:
        return f"{found.name} {found.version}: {found.reason}", ""
    finally:
        await release_leftover_controllers(run)
        read_cgroup_tree().remove(_CGROUP)
        shutil.rmtree(run)


async def look_at_firewalls(nft: Nft, kernel: Kernel, run: Path) -> tuple[tuple[Step, ...], int]:
    """What would let our bridges pass this host's firewalls, and how many bridges of ours there are.

    Which are ours is in the daemon's files below `run`, as it may have given them any name.
    """
    door = FirewallDoor(nft, kernel)
    ours = {bridge_name(network) for network in Ledger(run / "network").networks()}
    wish = Wish(
        links=name_links(ours or {BRIDGE_PREFIX}), others=other_bridges(await door.links(), ours)
    )
    return plan_steps(await door.read(), wish), len(ours)


async def used_subnets(kernel: Kernel) -> dict[str, str]:
    """Every subnet that this host uses, and whose it is."""
    return await kernel.call(host_links.list_used_subnets)
