"""What is mounted where in a container: the system's own file systems, then what the user asks for.

Decides only: `plan_mounts` gives the `mounts` of an OCI config and the propagation its root needs for them. A mount of
the user's replaces a default at the same place; a parent always comes before what lies below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hivelet.errors import InvalidParameter
from hivelet.objects.container import BindOptions, HostConfig, Mount, TmpfsOptions

SHM_SIZE = 64 * 1024 * 1024
"""Bytes of `/dev/shm` where nothing else is said (Docker's)."""

_PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_KEPT_WRITABLE = frozenset({"/proc", "/dev/pts", "/dev/shm", "/dev/mqueue", "/dev"})
_SAFE = ("nosuid", "noexec", "nodev")
_LAST_WINS = ({"rw", "ro"}, {"exec", "noexec"}, {"suid", "nosuid"}, {"dev", "nodev"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPlan:
    """The mounts in order, and the propagation of the root mount ("" leaves it to the runtime)."""

    mounts: tuple[dict[str, Any], ...]
    root_propagation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    target: str
    source: str
    type: str
    options: tuple[str, ...]
    propagation: str = ""

    def rendered(self) -> dict[str, Any]:
        return {
            "destination": self.target,
            "type": self.type,
            "source": self.source,
            "options": list(self.options),
        }


def plan_mounts(
    host: HostConfig, *, volumes: Mapping[str, str], files: Mapping[str, str]
) -> MountPlan:
    """The mounts of a container.

    Args:
        host: its binds, mounts, tmpfs, shared memory size and whether its root is read-only.
        volumes: where each named volume lies on the host.
        files: files of the host that stand in for the image's, by path in the container (`/etc/hosts` …).
    """
    asked = [*_files(files), *(_bind(text, volumes) for text in host.binds)]
    asked += [_mount(mount, volumes) for mount in host.mounts]
    asked += [_tmpfs(target, options) for target, options in host.tmpfs.items()]
    by_target = {entry.target: entry for entry in asked}  # the last one asked for at a place wins
    mine = sorted(by_target.values(), key=lambda entry: entry.target.count("/"))
    defaults = [
        _readonly_where_due(entry, host)
        for entry in _defaults(host)
        if entry.target not in by_target
        and not ("/dev" in by_target and entry.target.startswith("/dev/"))
    ]
    return MountPlan(
        mounts=tuple(entry.rendered() for entry in (*defaults, *mine)),
        root_propagation=_root_propagation(mine),
    )


def _defaults(host: HostConfig) -> Iterable[_Entry]:
    system_mode = "rw" if host.privileged else "ro"
    shm = f"size={host.shm_size or SHM_SIZE}"
    yield _Entry(target="/proc", source="proc", type="proc", options=_SAFE)
    yield _Entry(
        target="/dev",
        source="tmpfs",
        type="tmpfs",
        options=("nosuid", "strictatime", "mode=755", "size=65536k"),
    )
    yield _Entry(
        target="/dev/pts",
        source="devpts",
        type="devpts",
        options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    )
    yield _Entry(target="/sys", source="sysfs", type="sysfs", options=(*_SAFE, system_mode))
    yield _Entry(
        target="/sys/fs/cgroup", source="cgroup", type="cgroup", options=(*_SAFE, system_mode)
    )
    yield _Entry(target="/dev/mqueue", source="mqueue", type="mqueue", options=_SAFE)
    if host.ipc_mode == "host":
        # The host's own, as it belongs to the host's IPC namespace.
        yield _Entry(target="/dev/shm", source="/dev/shm", type="bind", options=("rbind", *_SAFE))
    elif host.ipc_mode != "none":
        yield _Entry(
            target="/dev/shm", source="shm", type="tmpfs", options=(*_SAFE, "mode=1777", shm)
        )


def _readonly_where_due(entry: _Entry, host: HostConfig) -> _Entry:
    if not host.readonly_rootfs or entry.target in _KEPT_WRITABLE or "ro" in entry.options:
        return entry
    return _Entry(
        target=entry.target,
        source=entry.source,
        type=entry.type,
        options=(*(option for option in entry.options if option != "rw"), "ro"),
    )


def _files(files: Mapping[str, str]) -> list[_Entry]:
    return [
        _Entry(target=target, source=source, type="bind", options=("rbind", "rprivate"))
        for target, source in files.items()
    ]


def _bind(text: str, volumes: Mapping[str, str]) -> _Entry:
    """`source:target[:options]`, as `docker run -v` writes it; a source without a slash is a volume's name."""
    parts = text.split(":")
    if len(parts) not in {2, 3} or not all(parts[:2]):
        raise InvalidParameter(f"invalid volume specification: '{text}'")
    source = parts[0] if parts[0].startswith("/") else _volume(parts[0], volumes)
    modes = set(parts[2].split(",")) if len(parts) == 3 else set()
    if unknown := modes - _PROPAGATIONS - {"rw", "ro", "z", "Z", "nocopy", ""}:
        raise InvalidParameter(f"invalid mode: {min(unknown)} in volume specification '{text}'")
    propagations = modes & _PROPAGATIONS
    if len(propagations) > 1 or {"rw", "ro"} <= modes:
        raise InvalidParameter(f"invalid mode: {parts[2]} in volume specification '{text}'")
    return _bind_entry(
        source,
        parts[1],
        read_only="ro" in modes,
        propagation=next(iter(propagations), ""),
        recursive=True,
    )


def _mount(mount: Mount, volumes: Mapping[str, str]) -> _Entry:
    if mount.type == "tmpfs":
        return _tmpfs(mount.target, _tmpfs_options(mount.tmpfs_options, read_only=mount.read_only))
    if mount.type == "bind":
        options = mount.bind_options or BindOptions()
        return _bind_entry(
            mount.source,
            mount.target,
            read_only=mount.read_only,
            propagation=options.propagation,
            recursive=not options.non_recursive,
        )
    if mount.type == "volume":
        source = _volume(mount.source, volumes)
        if mount.volume_options and mount.volume_options.subpath:
            source = f"{source}/{mount.volume_options.subpath.strip('/')}"
        return _bind_entry(
            source, mount.target, read_only=mount.read_only, propagation="", recursive=True
        )
    raise InvalidParameter(
        f'mount type "{mount.type}" of {mount.target} is unknown: use bind, volume or tmpfs'
    )


def _bind_entry(
    source: str, target: str, *, read_only: bool, propagation: str, recursive: bool
) -> _Entry:
    if propagation and propagation not in _PROPAGATIONS:
        raise InvalidParameter(f"invalid propagation config: {propagation}")
    options = ["rbind" if recursive else "bind"]
    if read_only:
        options.append("ro")
    options.append(propagation or "rprivate")
    return _Entry(
        target=_target(target),
        source=source,
        type="bind",
        options=tuple(options),
        propagation=propagation,
    )


def _tmpfs(target: str, options: str) -> _Entry:
    chosen: list[str] = ["noexec", "nosuid", "nodev"]
    for option in filter(None, options.split(",")):
        rivals = next((group for group in _LAST_WINS if option in group), {option})
        key = option.partition("=")[0]
        chosen = [kept for kept in chosen if kept not in rivals and kept.partition("=")[0] != key]
        chosen.append(option)
    return _Entry(target=_target(target), source="tmpfs", type="tmpfs", options=tuple(chosen))


def _tmpfs_options(options: TmpfsOptions | None, *, read_only: bool) -> str:
    given = ["ro"] if read_only else []
    if options is not None and options.mode:
        given.append(f"mode={options.mode:o}")
    if options is not None and options.size_bytes:
        given.append(f"size={options.size_bytes}")
    return ",".join(given)


def _volume(name: str, volumes: Mapping[str, str]) -> str:
    if name not in volumes:
        raise InvalidParameter(f"volume {name or '(without a name)'} has no directory on this host")
    return volumes[name]


def _target(path: str) -> str:
    if not path.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")
    clean = "/" + path.strip("/")
    if clean == "/":
        raise InvalidParameter("invalid specification: destination can't be '/'")
    return clean


def _root_propagation(entries: Iterable[_Entry]) -> str:
    used = {entry.propagation.removeprefix("r") for entry in entries}
    if "shared" in used:
        return "shared"
    return "rslave" if "slave" in used else ""
