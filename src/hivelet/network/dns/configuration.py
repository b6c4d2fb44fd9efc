"""What a resolver is, and dnsmasq's configuration for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hivelet.network.dns.query import PORT

HOST_FILE = Path("/etc/resolv.conf")
HOST_COPY = "host-resolv.conf"
_USER = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverConfig:
    """What one resolver is: `upstreams` empty means the host's own, `forward` False no outside names at all."""

    name: str
    address: str
    upstreams: tuple[str, ...] = ()
    forward: bool = True

    @property
    def asks_host(self) -> bool:
        """Whether it asks the servers that the host asks."""
        return self.forward and not self.upstreams


def render_conf(config: ResolverConfig, home: Path, *, user: str) -> str:
    """The daemon's configuration; it follows the host's resolv.conf by itself, mostly (see `Resolver.follow`). Pure."""
    upstream: Sequence[str]
    if config.asks_host:
        upstream = [f"resolv-file={path}" for path in (HOST_FILE, home / HOST_COPY)]
    else:
        upstream = ["no-resolv", *(f"server={address}" for address in config.upstreams)]
    lines = [
        f"listen-address={config.address}",
        f"port={PORT}",
        "bind-interfaces",
        "no-hosts",
        f"hostsdir={home / 'zones'}",
        f"servers-file={home / 'servers'}",
        f"pid-file={home / 'pid'}",
        f"user={user}",
        "cache-size=1000",
        "dns-forward-max=1000",
        "edns-packet-max=1232",
        *upstream,
    ]
    return "\n".join(lines) + "\n"


def read_host_resolv_conf() -> str:
    """What the host's resolv.conf says; nothing where there is none."""
    try:
        return HOST_FILE.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def user_for(home: Path) -> str:
    """Whom dnsmasq becomes."""
    # dnsmasq gives its privileges up before it reads its records again; where a directory above is closed to others
    # (a private run directory), it could then never see new ones.
    reachable = all(parent.stat().st_mode & 0o001 for parent in (home, *home.parents))
    return _USER if reachable else "root"
