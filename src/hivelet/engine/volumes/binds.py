"""Directories and files of the host that containers mount: whether they are there, and mounted as the container wants them."""

from __future__ import annotations

import os
from pathlib import Path

from hivelet.errors import InvalidParameter
from hivelet.objects.container import BindOptions, Mount
from hivelet.runtime.mountinfo import mount_of, read_mountinfo

_FLAGS = {
    os.ST_RDONLY: "ro",
    os.ST_NOSUID: "nosuid",
    os.ST_NODEV: "nodev",
    os.ST_NOEXEC: "noexec",
    os.ST_NOATIME: "noatime",
    os.ST_NODIRATIME: "nodiratime",
}


def mount_flags(source: str) -> tuple[str, ...]:
    """With which restrictions the host has mounted what lies there; none where it is gone meanwhile."""
    try:
        flags = os.statvfs(source).f_flag
    except OSError:
        return ()  # the runtime will say what is wrong with it
    return tuple(name for flag, name in _FLAGS.items() if flags & flag)


def prepare_bind(mount: Mount) -> None:
    """Make the source where the mount asks for that.

    Raises:
        InvalidParameter: it isn't there; or mounts could not spread as they should, since the host's own mount keeps them.
    """
    options = mount.bind_options or BindOptions()
    source = Path(mount.source)
    if not source.exists():
        if not options.create_mountpoint:
            # Not Docker's 404 for other things that are missing: its command line takes one for an image, and pulls.
            raise InvalidParameter(
                f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
            )
        source.mkdir(parents=True, exist_ok=True)
    _check_propagation(source, options.propagation.removeprefix("r"))


def _check_propagation(source: Path, kind: str) -> None:
    if kind not in {"shared", "slave"}:
        return
    found = mount_of(str(source.resolve()), read_mountinfo())
    if found.shared or (kind == "slave" and found.slave):
        return
    wanted = "shared" if kind == "shared" else "shared or slave"
    raise InvalidParameter(
        f"path {source} is mounted on {found.target} but it is not a {wanted} mount"
    )
