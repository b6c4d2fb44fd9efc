"""The text of a container's `/etc/resolv.conf` and `/etc/hosts`, and of what is read from the host's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hivelet.errors import InvalidParameter
from hivelet.network.sandbox import DnsSettings
from hivelet.objects.name_rules import (
    HOST_GATEWAY,
    check_extra_host,
    check_hostname,
)

_NO_NDOTS = "ndots:"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResolver:
    """What the host's resolv.conf says."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse_resolv_conf(text: str) -> HostResolver:
    """Read a resolv.conf; of several `search` or `domain` lines the last counts, as in the C library."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["search" | "domain", *domains]:
                search = tuple(domains)
            case ["options", *values]:
                options += values
            case _:
                continue
    return HostResolver(nameservers=tuple(nameservers), search=search, options=tuple(options))


def render_resolv_conf(resolver: str, settings: DnsSettings, host: HostResolver) -> str:
    """A container's resolv.conf: our resolver; search domains and options as asked for, else the host's.

    `ndots:0` as in Docker: a service's name must be tried as it stands before any search domain is appended. A
    search list of "." alone means none.
    """
    search = settings.search or host.search
    options = list(settings.options or host.options)
    if not any(option.startswith(_NO_NDOTS) for option in settings.options):
        options = [o for o in options if not o.startswith(_NO_NDOTS)] + ["ndots:0"]
    lines = [f"nameserver {resolver}"]
    if search and tuple(search) != (".",):
        lines.append(f"search {' '.join(search)}")
    lines.append(f"options {' '.join(options)}")
    return "\n".join(lines) + "\n"


def render_hosts(
    hostname: str,
    addresses: Sequence[str],
    extra_hosts: Iterable[str] = (),
    gateway: str = "",
    linked: Iterable[tuple[str, Sequence[str]]] = (),
) -> str:
    """A container's /etc/hosts: loopback, the extra hosts, those it is linked to, then its own name with each of its
    addresses.

    Raises:
        InvalidParameter: an extra host is not "name:address", or wants a gateway where there is none; or the host
            name is none.
    """
    short, dot, domain = hostname.partition(".")
    for part in (short, domain):
        check_hostname(part)
    lines = [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "ff00::0\tip6-mcastprefix",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
    ]
    lines += [_extra_host(extra, gateway) for extra in extra_hosts]
    lines += [f"{address}\t{' '.join(names)}" for address, names in linked]
    if hostname:
        names = f"{hostname} {short}" if dot else hostname
        lines += [f"{address}\t{names}" for address in addresses]
    return "\n".join(lines) + "\n"


def _extra_host(extra: str, gateway: str) -> str:
    name, colon, address = extra.partition(":")
    if not colon or not name or not address:
        raise InvalidParameter(f"bad format for add-host: {extra!r} is not name:address")
    check_extra_host(name, address)
    if address == HOST_GATEWAY:
        if not gateway:
            raise InvalidParameter(
                f"{extra}: the container has no way to the host; join it to a network that is not internal"
            )
        address = gateway
    return f"{address.strip('[]')}\t{name}"
