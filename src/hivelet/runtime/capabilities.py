"""Which Linux capabilities a container gets: Docker's fourteen, with what the user adds and drops.

Decides only; knows the machine through the `available` set it is given. An added capability that the machine cannot give
is an error, because the program was promised it; one of the defaults that the machine cannot give is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from hivelet.errors import InvalidParameter
from hivelet.objects.capability_names import (
    ALL,
    KNOWN_CAPABILITIES,
    normalized_capabilities,
)

DEFAULT_CAPABILITIES = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""What Docker Engine gives a container that asks for nothing."""


def parse_capability_mask(mask: int) -> frozenset[str]:
    """The names in a bit mask as `/proc/PID/status` shows it."""
    return frozenset(name for bit, name in enumerate(KNOWN_CAPABILITIES) if mask >> bit & 1)


def assign_capabilities(
    *, add: Iterable[str], drop: Iterable[str], privileged: bool, available: Set[str]
) -> tuple[str, ...]:
    """The capabilities of a container, sorted.

    The rule is Docker's: privileged gives all; adding ALL gives all but those dropped; dropping ALL gives only those
    added; otherwise the defaults less those dropped, plus those added.

    Raises:
        InvalidParameter: a name is unknown, or an added capability is not available on this machine.
    """
    added, dropped = normalized_capabilities(add), normalized_capabilities(drop)
    if privileged:
        chosen = set(available)
    elif ALL in added:
        chosen = set(available) if ALL not in dropped else set()
        chosen -= dropped
    elif ALL in dropped:
        chosen = set(added)
    else:
        chosen = (set(DEFAULT_CAPABILITIES) & available) - dropped | added
    if missing := sorted(chosen - available):
        raise InvalidParameter(
            f"capability {missing[0]} cannot be added: this machine does not give it to the daemon itself; "
            "remove it from cap_add, or start the daemon with it"
        )
    return tuple(sorted(chosen))
