"""TLS for the API on TCP: both sides show a certificate, or nothing is served. Reads the files that the configuration names.

Whoever reaches the API is root on this machine, so there is no TCP without it, and no way to ask for less.
"""

from __future__ import annotations

from ssl import CERT_REQUIRED, PROTOCOL_TLS_SERVER, SSLContext, TLSVersion

from hivelet.daemon.config import DaemonConfig
from hivelet.errors import InvalidParameter

_FILES = ("tlscacert", "tlscert", "tlskey")


def make_tls(config: DaemonConfig) -> SSLContext | None:
    """What TCP is served with; None where nothing is served on TCP.

    Raises:
        InvalidParameter: TCP is asked for without all that it needs, or a file cannot be used; the message names it.
    """
    hosts = [host for host in config.host if host.startswith("tcp://")]
    missing = [f"--{name}" for name in _FILES if not getattr(config, name)]
    if not hosts:
        return None
    if not config.tlsverify:
        raise InvalidParameter(
            f"{hosts[0]} is refused: tlsverify is false, and whoever reaches the API is root on this machine"
        )
    if missing:
        raise InvalidParameter(
            f"{hosts[0]} is refused without {', '.join(missing)}: whoever reaches the API is root on this machine, so TCP "
            "is served only with certificates of both sides. From elsewhere, -H ssh://HOST needs none of this"
        )
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.minimum_version = TLSVersion.TLSv1_2
    context.verify_mode = CERT_REQUIRED
    try:
        context.load_verify_locations(config.tlscacert)
    except OSError as error:
        raise InvalidParameter(f"--tlscacert {config.tlscacert} cannot be used: {error}") from error
    try:
        context.load_cert_chain(config.tlscert, config.tlskey)
    except OSError as error:
        raise InvalidParameter(
            f"--tlscert {config.tlscert} and --tlskey {config.tlskey} cannot be used: {error}"
        ) from error
    return context
