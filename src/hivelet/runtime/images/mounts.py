"""The one door to mount(2) and umount2(2), by ctypes: a tenth of a millisecond where the mount program takes three."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hivelet.errors import System
from hivelet.runtime.mount_options import MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT, MountOptions

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]

MNT_DETACH = 2
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_UMOUNT_NOFOLLOW = 8
_CLONE_FS = 0x200
_PAGE = 4096
_OVERLAYFS_MAGIC = 0x794C7630


class MountFailed(System):
    """The kernel refused a mount; the message says what to do where that is known."""


def mount_overlay(target: Path, lower: Sequence[Path], upper: Path, work: Path) -> None:
    """Mount an overlay of `lower` (the top layer first) with a writable `upper` on `target`.

    The kernel takes one page of options. Where absolute names of many layers exceed it, they are named relative to the common
    parent of all but the lowest, which may be elsewhere, from a thread with a working directory of its own.
    """
    options = _options([str(path) for path in lower], upper, work)
    if len(options) < _PAGE:
        _mount_overlay(target, options)
        return
    base = os.path.commonpath(lower[:-1] or lower)
    short = _options([os.path.relpath(path, base) for path in lower], upper, work)
    if len(short) >= _PAGE:
        raise MountFailed(f"{target}: the image has more layers than the kernel can stack")
    _in_directory(base, lambda: _mount_overlay(target, short))


def mount_tmpfs(target: Path, *, size: int, inodes: int) -> None:
    """Mount a file system in memory on `target`: so many bytes and files, and for root alone."""
    options = f"mode=0700,size={size},nr_inodes={inodes}".encode()
    flags = _NOSUID | _NODEV | _NOEXEC
    if _libc.mount(b"tmpfs", os.fsencode(target), b"tmpfs", flags, options) != 0:
        number = ctypes.get_errno()
        raise MountFailed(f"can't mount a tmpfs on {target}: {os.strerror(number)}")


def mount_bind(descriptor: int, target: Path) -> None:
    """Bind what an open descriptor (O_PATH) refers to on `target`, whatever its path has become meanwhile."""
    _mount(f"/proc/self/fd/{descriptor}", target, "", MS_BIND | MS_REC, "")


def remount_read_only(target: Path) -> None:
    """Let nothing be written by way of the bind mount that is on `target`."""
    _mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY, "")


def mount_filesystem(source: str, target: Path, kind: str, options: MountOptions) -> None:
    """Mount as mount(8) does: then its propagation, then a bind's read-only flag, each by a call of its own.

    Raises:
        MountFailed: what was mounted where, with which flags, and the kernel's word for why not.
    """
    _mount(source, target, kind, options.flags, options.data)
    try:
        if options.propagation:
            _mount("", target, "", options.propagation, "")
        if options.flags & MS_BIND and options.flags & MS_RDONLY:
            _mount("", target, "", options.flags | MS_REMOUNT, "")
    except MountFailed:
        unmount(target)
        raise


def unmount(target: Path) -> bool:
    """Detach what is mounted on `target`; False where nothing was."""
    if _libc.umount2(os.fsencode(target), MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOENT}:
        return False
    raise MountFailed(f"can't unmount {target}: {os.strerror(number)}")


def is_mounted(target: Path) -> bool:
    """Whether an overlay is mounted on `target`; its root has a device number of its own."""
    try:
        return os.lstat(target).st_dev != os.lstat(target.parent).st_dev
    except FileNotFoundError:
        return False


def sync_filesystem(path: Path) -> None:
    """Write all that is unwritten on the file system of `path` to its disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise System(f"can't sync the file system of {path}: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def _mount(source: str, target: Path, kind: str, flags: int, data: str) -> None:
    words = (source, str(target), kind, data)
    name, place, filesystem, rest = (os.fsencode(word) if word else None for word in words)
    if _libc.mount(name, place, filesystem, flags, rest) == 0:
        return
    reason = os.strerror(ctypes.get_errno())
    shown = f", data: {data}" if data else ""
    raise MountFailed(
        f"mount {source}:{target}, flags: {flags:#x}{shown}: {reason[:1].lower()}{reason[1:]}"
    )


def _options(lower: Sequence[str], upper: Path, work: Path) -> bytes:
    names = ":".join(_escape(name).replace(":", "\\:") for name in lower)
    # Without redirect_dir, a moved directory is a copy and `diff` stays true; index would refuse a second mount.
    text = f"lowerdir={names},upperdir={_escape(str(upper))},workdir={_escape(str(work))}"
    return os.fsencode(f"{text},index=off,redirect_dir=off")


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace(",", "\\,")


def _mount_overlay(target: Path, options: bytes) -> None:
    if _libc.mount(b"overlay", os.fsencode(target), b"overlay", 0, options) == 0:
        return
    number = ctypes.get_errno()
    reason = f"can't mount the container's file system on {target}: {os.strerror(number)}"
    if _filesystem_type(target) == _OVERLAYFS_MAGIC:
        reason += (
            "; this directory is itself on an overlay, which the kernel does not take as an upper layer:"
            " choose a --root on ext4, xfs, btrfs or tmpfs"
        )
    elif number == errno.ENODEV:
        reason += "; this kernel has no overlayfs (try `modprobe overlay`)"
    elif number == errno.EPERM:
        reason += "; mounting needs root with CAP_SYS_ADMIN"
    raise MountFailed(reason)


class _Statfs(ctypes.Structure):
    _fields_ = (("f_type", ctypes.c_long), ("rest", ctypes.c_byte * 256))


def _filesystem_type(path: Path) -> int:
    answer = _Statfs()
    if _libc.statfs(os.fsencode(path), ctypes.byref(answer)) != 0:
        return 0
    return int(answer.f_type)


def _in_directory(directory: str, work: Callable[[], None]) -> None:
    """Run `work` with working directory `directory`, which for this one thread is its own."""
    failure: list[OSError | System] = []

    def run() -> None:
        try:
            if _libc.unshare(_CLONE_FS) != 0:
                number = ctypes.get_errno()
                raise MountFailed(f"can't unshare a working directory: {os.strerror(number)}")
            os.chdir(directory)
            work()
        except (OSError, System) as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="overlay-mount")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
