"""Volumes, bind mounts and tmpfs of a service as the API has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hivelet.compose import model
from hivelet.compose.names import scoped, with_stack_label
from hivelet.compose.units import parse_size
from hivelet.objects.container import (
    BindOptions,
    Mount,
    TmpfsOptions,
    VolumeDriverConfig,
    VolumeOptions,
)


def convert_mounts(
    stack: str, service: model.ServiceFile, volumes: Mapping[str, model.VolumeFile]
) -> list[Mount]:
    """All mounts of a service in the order of the file, then those of its `tmpfs` key."""
    mounts = [_convert(stack, mount, volumes) for mount in service.volumes]
    return [*mounts, *(_tmpfs_mount(entry) for entry in service.tmpfs)]


def _convert(stack: str, mount: model.Mount, volumes: Mapping[str, model.VolumeFile]) -> Mount:
    base = Mount(
        type=mount.type,
        source=mount.source,
        target=mount.target,
        read_only=mount.read_only,
        consistency=mount.consistency,
    )
    match mount.type:
        case "bind" | "npipe":
            return (
                base
                if mount.bind is None
                else base.replaced(bind_options=_bind_options(mount.bind))
            )
        case "tmpfs":
            given = mount.tmpfs
            if given is None:
                return base
            return base.replaced(tmpfs_options=TmpfsOptions(size_bytes=given.size, mode=given.mode))
        case "cluster":
            declared = volumes.get(mount.source)
            if declared is None:
                return base
            return base.replaced(source=declared.name or scoped(stack, mount.source))
        case _:
            return _volume(stack, mount, base, volumes)


def _bind_options(given: model.BindOptions) -> BindOptions:
    return BindOptions(
        propagation=given.propagation,
        create_mountpoint=bool(given.create_host_path),
        non_recursive=given.recursive == "disabled",
        read_only_non_recursive=given.recursive == "writable",
        read_only_force_recursive=given.recursive == "readonly",
    )


def _volume(
    stack: str, mount: model.Mount, base: Mount, volumes: Mapping[str, model.VolumeFile]
) -> Mount:
    if not mount.source:
        return base
    declared = volumes[mount.source]
    given = mount.volume or model.VolumeOptions()
    options = VolumeOptions(no_copy=given.nocopy, subpath=given.subpath, labels=given.labels)
    if not declared.external:
        options = options.replaced(
            labels=with_stack_label(stack, declared.labels | given.labels),
            driver_config=_driver(declared),
        )
    return base.replaced(
        source=declared.name or scoped(stack, mount.source), volume_options=options
    )


def _driver(volume: model.VolumeFile) -> VolumeDriverConfig | None:
    if not volume.driver and volume.driver_opts is None:
        return None
    return VolumeDriverConfig(name=volume.driver, options=volume.driver_opts or {})


def _tmpfs_mount(entry: str) -> Mount:
    """`/run` or `/run:size=64m,mode=1777`; other options have no place in the API."""
    target, _, text = entry.partition(":")
    options = dict(pair.partition("=")[::2] for pair in text.split(",") if pair)
    if "size" not in options and "mode" not in options:
        return Mount(type="tmpfs", target=target)
    size = parse_size(options["size"]) if "size" in options else 0
    return Mount(
        type="tmpfs",
        target=target,
        tmpfs_options=TmpfsOptions(size_bytes=size, mode=int(options.get("mode", "0"), 8)),
    )
