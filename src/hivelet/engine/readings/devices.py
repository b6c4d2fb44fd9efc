"""Devices of the host that a container asks for, or is held back at, looked up; all of them for a privileged one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from hivelet.errors import InvalidParameter
from hivelet.objects.container import DeviceMapping, HostConfig
from hivelet.runtime.cgroups import Device

_DEV = Path("/dev")
_NOT_DEVICES = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"})
_MADE_BY_THE_RUNTIME = frozenset(
    {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
)


def host_devices(root: Path = _DEV) -> tuple[DeviceMapping, ...]:
    """Every device of the host, as a privileged container gets it."""
    return tuple(
        DeviceMapping(path_on_host=str(path), path_in_container=str(_DEV / path.relative_to(root)))
        for path in sorted(_walk(root))
    )


def _walk(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.is_symlink() or entry.name in _NOT_DEVICES:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
        elif entry.name not in _MADE_BY_THE_RUNTIME:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                yield path


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
                # In Go's words: docker's command line reads its exit code off them.
                f'error gathering device information while adding custom device "{mapping.path_on_host}": '
                f"{(error.strerror or str(error)).lower()}"
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


def read_block_limits(host: HostConfig) -> dict[str, list[dict[str, int]]]:
    """Rates and weights of block devices by their numbers, under the names that the OCI runtime has for them.

    Raises:
        InvalidParameter: there is no such device on the host.
    """
    rates = {
        "throttleReadBpsDevice": host.blkio_device_read_bps,
        "throttleWriteBpsDevice": host.blkio_device_write_bps,
        "throttleReadIOPSDevice": host.blkio_device_read_iops,
        "throttleWriteIOPSDevice": host.blkio_device_write_iops,
    }
    limits = {
        name: [_numbered(each.path) | {"rate": each.rate} for each in given]
        for name, given in rates.items()
    }
    limits["weightDevice"] = [
        _numbered(each.path) | {"weight": each.weight} for each in host.blkio_weight_device
    ]
    return {name: given for name, given in limits.items() if given}


def _numbered(path: str) -> dict[str, int]:
    try:
        info = os.stat(path)
    except OSError as error:
        raise InvalidParameter(f"stat {path}: {(error.strerror or str(error)).lower()}") from error
    if not stat.S_ISBLK(info.st_mode):
        raise InvalidParameter(f'"{path}" is no block device: it has no rate and no weight')
    return {"major": os.major(info.st_rdev), "minor": os.minor(info.st_rdev)}
