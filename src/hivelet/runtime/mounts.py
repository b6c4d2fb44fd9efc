"""What is mounted where in a container: the system's own file systems, then what the user asks for.

Decides only: `plan_mounts` gives the `mounts` of an OCI config and the propagation its root needs for them. A mount of
the user's replaces a default at the same place; a parent always comes before what lies below it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hivelet.errors import InvalidParameter
from hivelet.objects.container import BindOptions, HostConfig, Mount, TmpfsOptions
from hivelet.objects.mount_rules import PROPAGATIONS

SHM_SIZE = 64 * 1024 * 1024
"""Bytes of `/dev/shm` where nothing else is said (Docker's)."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class MountSources:
    """Where the things that a container mounts lie on the host, and what the machine can do with them."""

    volumes: Mapping[str, str] = field(default_factory=dict)
    """Each named volume, by name."""
    subpaths: Mapping[str, str] = field(default_factory=dict)
    """The parts of volumes that are asked for, by path in the container."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that stand in for the image's, by path in the container (`/etc/hosts` …)."""
    single_files: Collection[str] = ()
    """Paths in the container of what is no directory: nothing lies below, and crun 1.8 refuses `rro` for them."""
    inherited: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Flags of the host's mounts (`ro`, `noexec` …) that a mount keeps, by path in the container: crun 1.8 forgets them."""
    shared_memory: str = ""
    """The `/dev/shm` that is shared with other containers; empty where the container has its own."""
    recursive_readonly: bool = False
    """Whether the OCI runtime and the kernel can make a mount read-only with all that is mounted below it."""


def plan_mounts(host: HostConfig, given: MountSources) -> MountPlan:
    """The mounts of a container: its binds, mounts and tmpfs, and the defaults by its shared memory and read-only root.

    Raises:
        InvalidParameter: one of them can't be.
    """
    asked = [*_files(given.files), *(_bind(text, given) for text in host.binds)]
    asked += [_mount(mount, given) for mount in host.mounts]
    asked += [_tmpfs(target, options) for target, options in host.tmpfs.items()]
    by_target = {entry.target: entry for entry in asked}  # the last one asked for at a place wins
    mine = sorted(by_target.values(), key=lambda entry: entry.target.count("/"))
    defaults = [
        _readonly_where_due(entry, host)
        for entry in _defaults(host, given.shared_memory)
        if entry.target not in by_target
        and not ("/dev" in by_target and entry.target.startswith("/dev/"))
    ]
    return MountPlan(
        mounts=tuple(entry.rendered() for entry in (*defaults, *mine)),
        root_propagation=_root_propagation(mine),
    )


def _defaults(host: HostConfig, shared_memory: str) -> Iterable[_Entry]:
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
    if host.ipc_mode == "host" or shared_memory:
        # The host's own, as it belongs to the host's IPC namespace, or another container's for the same reason.
        source = shared_memory or "/dev/shm"
        yield _Entry(target="/dev/shm", source=source, type="bind", options=("rbind", *_SAFE))
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


def _bind(text: str, given: MountSources) -> _Entry:
    """`source:target[:options]`, as `docker run -v` writes it; a source without a slash is a volume's name."""
    parts = text.split(":")
    if len(parts) not in {2, 3} or not all(parts[:2]):
        raise InvalidParameter(f"invalid volume specification: '{text}'")
    source = parts[0] if parts[0].startswith("/") else _volume(parts[0], given.volumes)
    modes = set(parts[2].split(",")) if len(parts) == 3 else set()
    if unknown := modes - PROPAGATIONS - {"rw", "ro", "z", "Z", "nocopy", ""}:
        raise InvalidParameter(f"invalid mode: {min(unknown)} in volume specification '{text}'")
    propagations = modes & PROPAGATIONS
    if len(propagations) > 1 or {"rw", "ro"} <= modes:
        raise InvalidParameter(f"invalid mode: {parts[2]} in volume specification '{text}'")
    options = BindOptions(propagation=next(iter(propagations), ""))
    mount = Mount(source=source, target=parts[1], read_only="ro" in modes)
    return _bind_entry(mount, options, given)


def _mount(mount: Mount, given: MountSources) -> _Entry:
    if mount.type == "tmpfs":
        return _tmpfs(mount.target, _tmpfs_options(mount))
    if mount.type == "bind":
        return _bind_entry(mount, mount.bind_options or BindOptions(), given)
    if mount.type == "volume":
        source = _volume(mount.source, given.volumes)
        if mount.volume_options and mount.volume_options.subpath:
            # Never joined here: the volume's users may have put a link there (see `hivelet.engine.volumes.subpaths`).
            source = given.subpaths[mount.target]
        return _bind_entry(mount.replaced(source=source), BindOptions(), given)
    raise InvalidParameter(
        f'mount type "{mount.type}" of {mount.target} is unknown: use bind, volume or tmpfs'
    )


def _bind_entry(mount: Mount, wanted: BindOptions, given: MountSources) -> _Entry:
    if wanted.propagation and wanted.propagation not in PROPAGATIONS:
        raise InvalidParameter(f"invalid propagation mode: {wanted.propagation}")
    recursive = not wanted.non_recursive
    options = ["rbind" if recursive else "bind"]
    if mount.read_only:
        options.append(_read_only(mount, wanted, given))
    kept = given.inherited.get(mount.target, ())
    options += [flag for flag in kept if flag != "ro" or not mount.read_only]
    # Runtimes also take an `r` here to mean that what lies below is bound.
    options.append(wanted.propagation or ("rprivate" if recursive else "private"))
    return _Entry(
        target=_target(mount.target),
        source=mount.source,
        type="bind",
        options=tuple(options),
        propagation=wanted.propagation,
    )


def _read_only(mount: Mount, wanted: BindOptions, given: MountSources) -> str:
    if mount.target in given.single_files:
        return "ro"
    if wanted.read_only_force_recursive and not given.recursive_readonly:
        raise InvalidParameter(
            f"{mount.target} cannot be recursively read-only: it needs Linux 5.12 and crun 1.4 or runc 1.1; "
            "leave bind-recursive=readonly out"
        )
    can = given.recursive_readonly and not wanted.read_only_non_recursive
    return "rro" if can else "ro"


def _tmpfs(target: str, options: str) -> _Entry:
    chosen: list[str] = ["noexec", "nosuid", "nodev"]
    for option in filter(None, options.split(",")):
        rivals = next((group for group in _LAST_WINS if option in group), {option})
        key = option.partition("=")[0]
        chosen = [kept for kept in chosen if kept not in rivals and kept.partition("=")[0] != key]
        chosen.append(option)
    return _Entry(target=_target(target), source="tmpfs", type="tmpfs", options=tuple(chosen))


def _tmpfs_options(mount: Mount) -> str:
    given = ["ro"] if mount.read_only else []
    options = mount.tmpfs_options or TmpfsOptions()
    if options.mode:
        given.append(f"mode={options.mode:o}")
    if options.size_bytes:
        given.append(f"size={options.size_bytes}")
    given += ["=".join(option) for option in options.options]
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
