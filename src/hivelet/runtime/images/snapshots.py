"""A container's own file system: the image's layers below, a writable layer on top.

Under `<root>/<container id>/` are `upper` (what the container wrote), `work` (overlayfs's), `merged` (the mount) and `lower`
(which layers, so that a mount can be made again after a reboot without asking the image store). `<root>/.base` is below all images.

What always holds: a mount outlives this process; `remove` and `adopt` alone delete what a container wrote.
`prepare` and `mount` take about a millisecond. `unmount`, `remove` and `adopt` belong in a thread: the kernel writes all unwritten
data of the disk below before it lets go of an overlay, and files take time to delete.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from hivelet.errors import InvalidParameter, NotFound, System
from hivelet.kit.failpoints import point
from hivelet.kit.files import write_atomic
from hivelet.kit.trees import remove_tree
from hivelet.runtime.images.mounts import is_mounted, mount_overlay, unmount

_DOOMED = ".removing-"


class SnapshotUnknown(NotFound):
    """A container that has no file system here."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} has no file system: it was never prepared")


class Snapshots:
    """The file systems of this node's containers. `layers` is where the image store unpacks."""

    def __init__(self, root: Path, layers: Path) -> None:
        self._root = root
        self._layers = layers
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o710)
        self._base = _make_base(root / ".base")

    def path(self, container_id: str) -> Path:
        """Where a container's root file system is, mounted or not."""
        return self._directory(container_id) / "merged"

    def upper(self, container_id: str) -> Path:
        """Where what a container wrote is."""
        return self._directory(container_id) / "upper"

    def lower(self, container_id: str) -> list[Path]:
        """The layers below, the top one first."""
        return [*self._paths_of(container_id, self._lower(container_id))[::-1], self._base]

    def prepare(self, container_id: str, layers: Sequence[str]) -> Path:
        """Make and mount a container's file system; where there is one already, that one is mounted and kept.

        Args:
            container_id: the container's id.
            layers: directory names from `ImageStore.layers_of`, the base first.
        """
        directory = self._directory(container_id)
        if not self.prepared(container_id):
            self._paths_of(container_id, layers)
            for name in ("upper", "work", "merged"):
                (directory / name).mkdir(parents=True, exist_ok=True)
            # What a directory on top says of the root counts; the image's root may be closed or sticky.
            self._copy_root_mode(layers, directory / "upper")
            write_atomic(directory / "lower", "\n".join(layers))
        return self.mount(container_id)

    def mount(self, container_id: str) -> Path:
        """Mount a file system that was prepared before, if it isn't mounted.

        Raises:
            SnapshotUnknown: it never was prepared.
        """
        directory = self._directory(container_id)
        target = directory / "merged"
        if is_mounted(target):
            return target
        mount_overlay(target, self.lower(container_id), directory / "upper", directory / "work")
        point("overlay.mounted")
        return target

    def prepared(self, container_id: str) -> bool:
        """Whether `mount` can mount a container's file system without asking for its image."""
        return (self._directory(container_id) / "lower").exists()

    def mounted(self, container_id: str) -> bool:
        """Whether a container's file system is mounted."""
        return is_mounted(self.path(container_id))

    def unmount(self, container_id: str) -> None:
        """Unmount a container's file system and keep what it wrote."""
        unmount(self.path(container_id))
        point("overlay.unmounted")

    def remove(self, container_id: str) -> None:
        """Unmount and delete a container's file system; where there is none, nothing happens."""
        directory = self._directory(container_id)
        if not directory.exists():
            return
        unmount(directory / "merged")
        # Renamed first: a crash in mid-delete leaves something that is plainly rubbish.
        doomed = directory.with_name(f"{_DOOMED}{container_id}")
        directory.rename(doomed)
        point("snapshot.doomed")
        remove_tree(doomed)

    def known(self) -> set[str]:
        """The ids of all containers that have a file system here."""
        with os.scandir(self._root) as entries:
            return {entry.name for entry in entries if not entry.name.startswith(".")}

    def layers_in_use(self) -> set[str]:
        """The directory names of all layers below some container."""
        return {name for container_id in self.known() for name in self._lower_or_none(container_id)}

    def adopt(self, known_ids: Collection[str]) -> set[str]:
        """After a restart: delete what belongs to no container in `known_ids`; returns whose mounts are live.

        A container that isn't mounted (after a reboot) is mounted again by `mount` or `prepare` when it starts.
        """
        with os.scandir(self._root) as entries:
            rubbish = [e.name for e in entries if e.name.startswith(_DOOMED)]
        for name in rubbish:
            unmount(self._root / name / "merged")
            remove_tree(self._root / name)
        for container_id in self.known() - set(known_ids):
            self.remove(container_id)
        return {container_id for container_id in self.known() if self.mounted(container_id)}

    def _directory(self, container_id: str) -> Path:
        if not container_id or container_id.startswith(".") or "/" in container_id:
            raise InvalidParameter(f"{container_id!r} is not a container id")
        return self._root / container_id

    def _paths_of(self, container_id: str, layers: Sequence[str]) -> list[Path]:
        paths = [self._layers / name / "diff" for name in layers]
        for path in paths:
            if not path.is_dir():
                raise System(f"container {container_id} can't be mounted: layer {path} is gone")
        return paths

    def _lower(self, container_id: str) -> list[str]:
        try:
            text = (self._directory(container_id) / "lower").read_text()
        except FileNotFoundError as error:
            raise SnapshotUnknown(container_id) from error
        return [name for name in text.split("\n") if name]

    def _lower_or_none(self, container_id: str) -> list[str]:
        try:
            return self._lower(container_id)
        except SnapshotUnknown:
            return []

    def _copy_root_mode(self, layers: Sequence[str], upper: Path) -> None:
        top = self._layers / layers[-1] / "diff" if layers else None
        found = top.stat() if top is not None else None
        os.chmod(upper, found.st_mode & 0o7777 if found else 0o755)
        if found and (found.st_uid or found.st_gid):
            os.chown(upper, found.st_uid, found.st_gid)


def _make_base(base: Path) -> Path:
    """The layer below all images: what Docker puts into every container, for programs that ask whether they are in one."""
    (base / "etc").mkdir(parents=True, exist_ok=True)
    (base / ".dockerenv").touch(mode=0o755)
    if not (mtab := base / "etc" / "mtab").is_symlink():
        mtab.symlink_to("/proc/mounts")
    return base
