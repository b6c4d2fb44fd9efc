"""The names of Linux capabilities, as users write them and as the kernel counts them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hivelet.errors import InvalidParameter

_NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""

KNOWN_CAPABILITIES = tuple(f"CAP_{name}" for name in _NAMES.split())
"""All capabilities; the position is the kernel's number (`linux/capability.h`)."""

ALL = "ALL"


def normalized_capabilities(names: Iterable[str]) -> set[str]:
    """The kernel's names for these, and `ALL`.

    Raises:
        InvalidParameter: a name is unknown.
    """
    result: set[str] = set()
    for name in names:
        plain = name.strip().upper()
        if plain == ALL:
            result.add(ALL)
            continue
        full = plain if plain.startswith("CAP_") else f"CAP_{plain}"
        if full not in KNOWN_CAPABILITIES:
            raise InvalidParameter(f'unknown capability: "{name}"')
        result.add(full)
    return result
