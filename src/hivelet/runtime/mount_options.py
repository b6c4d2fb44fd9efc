"""Mount options as `mount -o` takes them, in the form that mount(2) takes: flags, propagation, and the rest. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_SYNCHRONOUS, MS_REMOUNT = 1, 2, 4, 8, 16, 32
MS_DIRSYNC, MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 128, 1024, 2048, 4096, 16384
MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 17, 1 << 18, 1 << 19, 1 << 20
MS_RELATIME, MS_STRICTATIME = 1 << 21, 1 << 24

_SETS = {
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "sync": MS_SYNCHRONOUS,
    "dirsync": MS_DIRSYNC,
    "remount": MS_REMOUNT,
    "noatime": MS_NOATIME,
    "nodiratime": MS_NODIRATIME,
    "bind": MS_BIND,
    "rbind": MS_BIND | MS_REC,
    "relatime": MS_RELATIME,
    "strictatime": MS_STRICTATIME,
}
_CLEARS = {
    "rw": MS_RDONLY,
    "suid": MS_NOSUID,
    "dev": MS_NODEV,
    "exec": MS_NOEXEC,
    "async": MS_SYNCHRONOUS,
    "atime": MS_NOATIME,
    "diratime": MS_NODIRATIME,
    "norelatime": MS_RELATIME,
    "nostrictatime": MS_STRICTATIME,
    "defaults": 0,
}
_PROPAGATIONS = {
    "private": MS_PRIVATE,
    "shared": MS_SHARED,
    "slave": MS_SLAVE,
    "unbindable": MS_UNBINDABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MountOptions:
    """What mount(2) is given: `data` is the file system's own options, `propagation` is set by a second call."""

    flags: int = 0
    propagation: int = 0
    data: str = ""


def parse_mount_options(text: str) -> MountOptions:
    """The options of `mount -o TEXT`; of two that contradict each other the last one counts."""
    flags, propagation, data = 0, 0, []
    for option in filter(None, text.split(",")):
        recursive = MS_REC if option.startswith("r") else 0
        if option in _SETS:
            flags |= _SETS[option]
        elif option in _CLEARS:
            flags &= ~_CLEARS[option]
        elif option in _PROPAGATIONS:
            propagation = _PROPAGATIONS[option]
        elif recursive and option[1:] in _PROPAGATIONS:
            propagation = _PROPAGATIONS[option[1:]] | recursive
        else:
            data.append(option)
    return MountOptions(flags=flags, propagation=propagation, data=",".join(data))
