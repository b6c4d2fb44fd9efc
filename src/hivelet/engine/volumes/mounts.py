"""What is mounted into a container: from mounts, binds, tmpfs entries and image volumes to mount points. Pure.

Only named things come out of here; the engine makes the volumes and copies the image's files into new ones.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from hivelet.errors import InvalidParameter
from hivelet.objects.container import (
    BindOptions,
    ContainerConfig,
    HostConfig,
    Mount,
    VolumeOptions,
)
from hivelet.objects.engine import Container
from hivelet.objects.mount_rules import PROPAGATIONS, check_mount, check_path, check_target

_MODES = {"ro", "rw", "z", "Z", "nocopy"}


def collect_mounts(
    config: ContainerConfig, host: HostConfig, borrowed: Iterable[Mount] = ()
) -> list[Mount]:
    """All mounts of a container, by target; a later kind replaces an earlier one at the same target.

    Order, as in dockerd: the image's volumes, then those `borrowed` of others, then `Binds`, `Tmpfs`, `Mounts`.

    Raises:
        InvalidParameter: a target is not an absolute path, is `/`, or is named twice by the user.
    """
    found: dict[str, Mount] = {}
    for target in config.volumes:
        found[_target(target)] = Mount(type="volume", target=_target(target))
    found |= {mount.target: mount for mount in borrowed}
    named: set[str] = set()
    for mount in _user_mounts(host):
        if mount.target in named:
            raise InvalidParameter(f"Duplicate mount point: {mount.target}")
        named.add(mount.target)
        found[mount.target] = mount
    # A mount below another one must come after it.
    return [found[target] for target in sorted(found)]


def borrow_mounts(lender: Container, mode: str) -> list[Mount]:
    """What another container mounts of volumes and of the host, as one that takes its volumes from it has it.

    Raises:
        InvalidParameter: there is no such mode.
    """
    options = set(filter(None, mode.split(",")))
    if options - _MODES or {"ro", "rw"} <= options:
        raise InvalidParameter(f"invalid mode: {mode}")
    return [
        Mount(
            type=point.type,
            source=point.name if point.type == "volume" else point.source,
            target=point.destination,
            read_only=not point.rw or "ro" in options,
            bind_options=(
                BindOptions(propagation=point.propagation) if point.type == "bind" else None
            ),
        )
        for point in lender.mounts
        if point.type in ("volume", "bind")
    ]


def parse_bind(text: str) -> Mount:
    """One entry of `Binds`: `SOURCE:TARGET[:OPTIONS]`, where a source without a slash is a volume's name.

    Raises:
        InvalidParameter: it has another form.
    """
    check_path(text)
    parts = text.split(":")
    if len(parts) == 1:
        return Mount(type="volume", target=_target(parts[0]))
    if len(parts) > 3 or not parts[0]:
        raise InvalidParameter(
            f"invalid volume specification: '{text}': write SOURCE:TARGET[:OPTIONS]"
        )
    options = set(parts[2].split(",")) if len(parts) == 3 else set()
    _check_mode(parts[2] if len(parts) == 3 else "", options)
    try:
        target = _target(parts[1])
    except InvalidParameter as error:
        kind = "bind" if parts[0].startswith("/") else "volume"
        raise InvalidParameter(
            f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": {error.message}"
        ) from error
    read_only = "ro" in options
    if parts[0].startswith("/"):
        propagation = next(iter(sorted(options & PROPAGATIONS)), "")
        return Mount(
            type="bind",
            source=parts[0],
            target=target,
            read_only=read_only,
            bind_options=BindOptions(propagation=propagation, create_mountpoint=True),
        )
    return Mount(
        type="volume",
        source=parts[0],
        target=target,
        read_only=read_only,
        volume_options=VolumeOptions(no_copy="nocopy" in options),
    )


def _check_mode(text: str, options: set[str]) -> None:
    unknown = options - _MODES - PROPAGATIONS - {""}
    several = [{"ro", "rw"}, {"z", "Z"}]
    if unknown or any(rivals <= options for rivals in several) or len(options & PROPAGATIONS) > 1:
        raise InvalidParameter(f"invalid mode: {text}")


def _user_mounts(host: HostConfig) -> list[Mount]:
    for mount in host.mounts:
        check_mount(mount)
    binds = [parse_bind(entry) for entry in host.binds]
    return binds + [mount.replaced(target=_target(mount.target)) for mount in host.mounts]


def _target(path: str) -> str:
    check_target(path)
    return posixpath.normpath(path)
