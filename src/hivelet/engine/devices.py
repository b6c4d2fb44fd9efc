"""Devices of the host that a container asks for, looked up."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from hivelet.errors import InvalidParameter
from hivelet.objects.container import DeviceMapping
from hivelet.runtime.cgroups import Device


def read_devices(mappings: Iterable[DeviceMapping]) -> tuple[Device, ...]:
    """What the runtime must make and allow.

    Raises:
        InvalidParameter: there is no such device on the host.
    """
    found = []
    for mapping in mappings:
        try:
            info = os.stat(mapping.path_on_host)
        except OSError as error:
            raise InvalidParameter(
                f'error gathering device information while adding custom device "{mapping.path_on_host}": {error.strerror}'
            ) from error
        if not (stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode)):
            raise InvalidParameter(f'"{mapping.path_on_host}" is not a device')
        found.append(
            Device(
                path=mapping.path_in_container or mapping.path_on_host,
                type="c" if stat.S_ISCHR(info.st_mode) else "b",
                major=os.major(info.st_rdev),
                minor=os.minor(info.st_rdev),
                mode=stat.S_IMODE(info.st_mode),
                uid=info.st_uid,
                gid=info.st_gid,
                access=mapping.cgroup_permissions or "rwm",
            )
        )
    return tuple(found)
