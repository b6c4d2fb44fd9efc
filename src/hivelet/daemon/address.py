"""Which of this machine's addresses a swarm advertises."""

from __future__ import annotations

import fcntl
import socket
import struct
from ipaddress import ip_address

from hivelet.errors import InvalidParameter

_SIOCGIFADDR = 0x8915
"""The ioctl that tells an interface's IPv4 address (`netdevice(7)`)."""

_OUTSIDE = ("192.0.2.1", 9)
"""An address of TEST-NET-1: never sent to, only asked which way it would go."""


def choose_address(asked: str) -> str:
    """The address to advertise: `asked`, an address or an interface's name, or the one that leads to the outside.

    A machine without a way out advertises its loopback: a swarm of one needs no more.

    Raises:
        InvalidParameter: `asked` is neither an address nor an interface with one.
    """
    if not asked:
        return _outgoing()
    try:
        return str(ip_address(asked.strip("[]")))
    except ValueError:
        return _interface_address(asked)


def _outgoing() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(_OUTSIDE)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _interface_address(name: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError as error:
            raise InvalidParameter(
                f'interface or address "{name}" is not on this machine: give --advertise-addr an address or an '
                "interface that `ip address` shows"
            ) from error
    return socket.inet_ntoa(answer[20:24])
