"""Port mappings in their short form: `[HOST_IP:][PUBLISHED:]TARGET[/PROTOCOL]`, each port a number or a range. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """One published port. `published` 0 lets the cluster choose; `host_ip` "" means every address of the host."""

    target: int
    published: int = 0
    protocol: str = "tcp"
    host_ip: str = ""


def parse_port(text: str) -> tuple[Port, ...]:
    """The ports of one short form, in ascending order of their targets' text as the docker CLI has them.

    Raises:
        ValueError: it is not a port mapping.
    """
    body, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in _PROTOCOLS:
        raise ValueError(f'"{text}": the protocol must be tcp, udp or sctp')
    host_ip, published_text, target_text = _split(body, text)
    targets = _parse_range(target_text, text)
    if not published_text:
        return tuple(Port(target, 0, protocol, host_ip) for target in _in_text_order(targets))
    published = _parse_range(published_text, text)
    if len(published) == len(targets):
        pairs = dict(zip(targets, published, strict=True))
        return tuple(
            Port(target, pairs[target], protocol, host_ip) for target in _in_text_order(targets)
        )
    if len(targets) == 1:
        return tuple(Port(targets[0], number, protocol, host_ip) for number in published)
    raise ValueError(f'"{text}": the two ranges differ in length')


def parse_published(text: str) -> int:
    """The one published port of a long form.

    Raises:
        ValueError: it is not a port number.
    """
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError(f'"{text}" is not a port; ports are numbers from 1 to 65535')
    return int(text)


def _split(body: str, text: str) -> tuple[str, str, str]:
    host_ip = ""
    if body.startswith("["):
        host_ip, bracket, rest = body[1:].partition("]:")
        if not bracket:
            raise ValueError(
                f'"{text}" is not a port mapping; write it like "8000:80" or "[::1]:8000:80"'
            )
        body = rest
    parts = body.split(":")
    if not host_ip and len(parts) > 2:
        host_ip = ":".join(parts[:-2])
        parts = parts[-2:]
    if len(parts) > 2 or not parts[-1]:
        raise ValueError(f'"{text}" is not a port mapping; write it like "8000:80" or "8000"')
    if host_ip:
        try:
            ip_address(host_ip)
        except ValueError as error:
            raise ValueError(f'"{text}": "{host_ip}" is not an IP address') from error
    return host_ip, parts[0] if len(parts) == 2 else "", parts[-1]


def _parse_range(text: str, whole: str) -> range:
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (not dash or last.isdecimal())):
        raise ValueError(
            f'"{whole}" is not a port mapping; write it like "8000:80" or "8000-8005:80-85"'
        )
    ports = range(int(first), int(last if dash else first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ValueError(f'"{whole}": ports are numbers from 1 to 65535, ranges ascend')
    return ports


def _in_text_order(targets: range) -> list[int]:
    return sorted(targets, key=str)
