"""Whether a mount can be at all, wherever it is mounted. Pure; rules and sentences are dockerd's."""

from __future__ import annotations

import posixpath

from hivelet.errors import InvalidParameter
from hivelet.objects.container import BindOptions, Mount, TmpfsOptions, VolumeOptions
from hivelet.objects.volume_options import check_volume_options

PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})

_KINDS = ("bind", "volume", "tmpfs")
_TMPFS_OPTIONS = frozenset({"exec", "noexec"})


def check_mount(mount: Mount) -> None:
    """Refuse a mount that can be on no machine.

    Raises:
        InvalidParameter: names the field, or the value.
    """
    if mount.type not in _KINDS:
        raise _wrong(mount, "mount type unknown; there are bind, volume and tmpfs")
    check_path(mount.source)
    check_target(mount.target)
    if mount.type != "bind" and mount.bind_options not in (None, BindOptions()):
        raise _wrong(mount, "field BindOptions must not be specified")
    if mount.type != "volume" and mount.volume_options not in (None, VolumeOptions()):
        raise _wrong(mount, "field VolumeOptions must not be specified")
    if mount.type != "tmpfs" and mount.tmpfs_options not in (None, TmpfsOptions()):
        raise _wrong(mount, "field TmpfsOptions must not be specified")
    {"bind": _check_bind, "volume": _check_volume, "tmpfs": _check_tmpfs}[mount.type](mount)


def check_path(path: str) -> None:
    """Refuse what can be no path at all.

    Raises:
        InvalidParameter: it has a NUL.
    """
    if "\0" in path:
        raise InvalidParameter("invalid mount: a path has a null byte")


def check_target(target: str) -> None:
    """Refuse a place in a container where nothing can be mounted.

    Raises:
        InvalidParameter: it is relative, has a NUL, or is the root itself.
    """
    check_path(target)
    if not target.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{target}' mount path must be absolute")
    if posixpath.normpath(target).strip("/") == "":
        raise InvalidParameter("invalid specification: destination can't be '/'")


def _check_bind(mount: Mount) -> None:
    if not mount.source:
        raise _wrong(mount, "field Source must not be empty")
    if not mount.source.startswith("/"):
        raise _wrong(mount, f"invalid mount path: '{mount.source}' mount path must be absolute")
    options = mount.bind_options or BindOptions()
    if options.propagation and options.propagation not in PROPAGATIONS:
        raise _wrong(mount, f"invalid propagation mode: {options.propagation}")
    if options.read_only_force_recursive:
        if options.read_only_non_recursive:
            raise _wrong(
                mount, "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive"
            )
        if not mount.read_only:
            raise _wrong(mount, "ReadOnlyForceRecursive needs ReadOnly")


def _check_volume(mount: Mount) -> None:
    if mount.source.startswith("/"):
        raise InvalidParameter(
            f"invalid volume mount source, must not be an absolute path: {mount.source}"
        )
    if mount.read_only and not mount.source:
        raise _wrong(mount, "must not set ReadOnly mode when using anonymous volumes")
    options = mount.volume_options or VolumeOptions()
    if options.subpath:
        if not mount.source:
            raise _wrong(mount, "must not set Subpath when using anonymous volumes")
        if not is_beneath(options.subpath):
            raise _wrong(mount, "subpath must be a relative path within the volume")
    driver = options.driver_config
    if driver is not None and driver.name in ("", "local"):
        try:
            check_volume_options(driver.options)
        except InvalidParameter as error:
            raise InvalidParameter(f"create {mount.source}: {error.message}") from error


def _check_tmpfs(mount: Mount) -> None:
    if mount.source:
        raise InvalidParameter("invalid tmpfs source, source must be empty")
    for option in (mount.tmpfs_options or TmpfsOptions()).options:
        if not 1 <= len(option) <= 2:
            raise _wrong(mount, "invalid option array length")
        if option[0] not in _TMPFS_OPTIONS or len(option) != 1:
            raise _wrong(
                mount, f"invalid option: {'='.join(option)}; there are {_listed(_TMPFS_OPTIONS)}"
            )


def is_beneath(path: str) -> bool:
    """Whether a relative path stays beneath where it begins, as far as its words say (links are another matter)."""
    clean = posixpath.normpath(path)
    return (
        bool(path)
        and "\0" not in path
        and not path.startswith("/")
        and clean != ".."
        and not clean.startswith("../")
    )


def _wrong(mount: Mount, what: str) -> InvalidParameter:
    return InvalidParameter(f'invalid mount config for type "{mount.type}": {what}')


def _listed(options: frozenset[str]) -> str:
    return " and ".join(sorted(options))
