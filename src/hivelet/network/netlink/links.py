"""Links: bridges, their ports and veth pairs, as requests and as they are."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from dataclasses import dataclass

from hivelet.network.netlink import nlmsg
from hivelet.network.netlink.door import Request, dump

_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_LINK = struct.Struct("=BxHiII")
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_FD = 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_BR_FORWARD_DELAY, _BR_STP_STATE = 1, 5
_BR_CALL_IPTABLES, _BR_CALL_IP6TABLES = 36, 37
_BRPORT_HAIRPIN = 4
_VETH_PEER = 1
_IFF_UP, _IFF_NOARP = 1, 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """A link of the host as it is."""

    index: int
    name: str
    kind: str
    up: bool
    master: int
    mac: str
    hairpin: bool = False
    filtered: bool = False
    """Whether a bridge shows nftables what crosses it, whatever the switch for all bridges says."""


def filter_bridge(name: str) -> Request:
    """Have what crosses a bridge pass nftables; the switch for all bridges of the host is not ours to turn."""
    seen = nlmsg.number(_BR_CALL_IPTABLES, 1, 1) + nlmsg.number(_BR_CALL_IP6TABLES, 1, 1)
    return Request(
        what=f"let nftables see what crosses {name}",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, name)
        + nlmsg.nested(
            _IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "bridge"), nlmsg.nested(_INFO_DATA, seen)
        ),
    )


def new_bridge(name: str, mac: str, mtu: int) -> Request:
    """A bridge with a MAC of its own: one that follows its ports would change under the neighbours' feet."""
    data = nlmsg.number(_BR_STP_STATE, 0) + nlmsg.number(_BR_FORWARD_DELAY, 0)
    return Request(
        what=f"make the bridge {name}",
        verb=_NEWLINK,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, name)
        + nlmsg.attribute(_IFLA_ADDRESS, _mac_bytes(mac))
        + nlmsg.number(_IFLA_MTU, mtu)
        + nlmsg.nested(
            _IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "bridge"), nlmsg.nested(_INFO_DATA, data)
        ),
        harmless=(errno.EEXIST,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VethPair:
    """A veth pair: `port` in a bridge here, `interface` in the namespace of that descriptor."""

    port: str
    bridge_index: int
    interface: str
    mac: str
    mtu: int
    namespace: int


def new_veth(pair: VethPair) -> Request:
    """Make a veth pair, both ends down: an end that comes up before the other exists is refused."""
    peer = (
        _LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, pair.interface)
        + nlmsg.attribute(_IFLA_ADDRESS, _mac_bytes(pair.mac))
        + nlmsg.number(_IFLA_MTU, pair.mtu)
        + nlmsg.number(_IFLA_NET_NS_FD, pair.namespace)
    )
    data = nlmsg.attribute(_VETH_PEER, peer)
    return Request(
        what=f"make the link {pair.port}",
        verb=_NEWLINK,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, pair.port)
        + nlmsg.number(_IFLA_MTU, pair.mtu)
        + nlmsg.number(_IFLA_MASTER, pair.bridge_index)
        + nlmsg.nested(
            _IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "veth"), nlmsg.nested(_INFO_DATA, data)
        ),
    )


def new_pair(name: str, peer: str, mac: str, mtu: int) -> Request:
    """A veth pair with both ends here, both down, and of one MAC."""
    first, second = (
        _LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, link)
        + nlmsg.attribute(_IFLA_ADDRESS, _mac_bytes(mac))
        + nlmsg.number(_IFLA_MTU, mtu)
        for link in (name, peer)
    )
    data = nlmsg.nested(_INFO_DATA, nlmsg.attribute(_VETH_PEER, second))
    return Request(
        what=f"make the link {name}",
        verb=_NEWLINK,
        flags=nlmsg.CREATE | nlmsg.EXCL,
        body=first + nlmsg.nested(_IFLA_LINKINFO, nlmsg.text(_INFO_KIND, "veth"), data),
    )


def open_port(port: str) -> Request:
    """Set a bridge's port up, in hairpin mode: a balancer may send a packet back to where it came from."""
    return Request(
        what=f"open the port {port}",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP)
        + nlmsg.text(_IFLA_IFNAME, port)
        + nlmsg.nested(
            _IFLA_LINKINFO,
            nlmsg.text(_INFO_SLAVE_KIND, "bridge"),
            nlmsg.nested(_INFO_SLAVE_DATA, nlmsg.number(_BRPORT_HAIRPIN, 1, 1)),
        ),
    )


def set_master(port: str, bridge_index: int) -> Request:
    """Put a link into a bridge."""
    return Request(
        what=f"put {port} into its bridge",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, 0, 0)
        + nlmsg.text(_IFLA_IFNAME, port)
        + nlmsg.number(_IFLA_MASTER, bridge_index),
    )


def set_link_up(index: int, *, neighbours: bool = True) -> Request:
    """Set a link up; without `neighbours` nobody is asked for his link address there."""
    flags = _IFF_UP if neighbours else _IFF_UP | _IFF_NOARP
    return Request(
        what=f"set link {index} up",
        verb=_NEWLINK,
        flags=0,
        body=_LINK.pack(0, 0, index, flags, flags),
    )


def delete_link(name: str) -> Request:
    """Remove a link; for a veth pair, both ends."""
    return Request(
        what=f"remove the link {name}",
        verb=_DELLINK,
        flags=0,
        body=_LINK.pack(0, 0, 0, 0, 0) + nlmsg.text(_IFLA_IFNAME, name),
        harmless=(errno.ENODEV,),
    )


def list_links() -> dict[str, LinkState]:
    """All links of the calling thread's namespace by name."""
    states = [_link_state(body) for body in dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))]
    return {state.name: state for state in states}


def link_index(name: str) -> int | None:
    """The index of a link, None where there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def _mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _link_state(body: bytes) -> LinkState:
    _, _, index, flags, _ = _LINK.unpack_from(body)
    attributes = nlmsg.split_attributes(body, _LINK.size)
    info = nlmsg.split_attributes(attributes.get(_IFLA_LINKINFO, b""))
    port = nlmsg.split_attributes(info.get(_INFO_SLAVE_DATA, b""))
    kind = _text(info.get(_INFO_KIND, b""))
    own = nlmsg.split_attributes(info.get(_INFO_DATA, b"")) if kind == "bridge" else {}
    return LinkState(
        index=index,
        name=_text(attributes[_IFLA_IFNAME]),
        kind=kind,
        up=bool(flags & _IFF_UP),
        master=int.from_bytes(attributes.get(_IFLA_MASTER, b""), sys.byteorder),
        mac=attributes.get(_IFLA_ADDRESS, b"").hex(":"),
        hairpin=port.get(_BRPORT_HAIRPIN, b"") == b"\1",
        filtered=own.get(_BR_CALL_IPTABLES, b"") == b"\1",
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()
